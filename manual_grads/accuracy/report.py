"""What `manual-grads accuracy` prints: a table with a row for each function and dtype, or JSON."""

import inspect
import math
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax.numpy as jnp
import numpy as np
from rich import box
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from manual_grads.accuracy import inputs, survey, sweep
from manual_grads.accuracy.promises import bound
from manual_grads.accuracy.survey import Measured, Worst
from manual_grads.printing import SHORT, console, mark, print_json
from manual_grads.rules import FLOATS, RULES, Rule

COMPARED = ("plain", "jax.nn")  # forwards
CLASSES, ALL_CLASSES = (10,), (1, 2, 3, 10, 200, 10_000, 100_000)
SPREAD = 2**22  # of float32's 2³² numbers; the test suite tries four times as many


def accuracy(only: list[str] | None, seed: int, as_json: bool, exhaustive: bool) -> int:
    """Measures the rules in every dtype; returns 0 if every promise is kept, else 1."""
    out = console()
    jobs = [(RULES[name], dtype) for name in only or RULES for dtype in FLOATS]
    with Progress(console=out, transient=True, disable=as_json or not out.is_terminal) as progress:
        task = progress.add_task("measuring", total=len(jobs))
        rows = []
        for row in measure_all(jobs, seed, exhaustive):
            rows.append(row)
            progress.advance(task)
    passed = all(row.passed for row in rows)
    if as_json:
        print_json(command="accuracy", passed=passed, seed=seed, rows=[row_json(row) for row in rows])
    else:
        out.print(table(rows))
        out.print(Text("every promise is kept" if passed else "NOT every promise is kept", style="bold"))
    return 0 if passed else 1


def measure_all(jobs: list[tuple[Rule, str]], seed: int, exhaustive: bool) -> Iterator[Measured]:
    """The rules measured, in order: compiled and run in two threads, while the true values are computed in this one."""
    with ThreadPoolExecutor(2) as pool:
        pending = []
        for rule, dtype in jobs:
            if rule.name in sweep.REFERENCES and dtype != "float64":
                sweep.certify(rule.name, jnp.dtype(dtype), seed=seed)  # here, since flint's precision is global
                pending.append((rule, dtype, pool.submit(swept, rule, dtype, seed, exhaustive), ()))
                continue
            groups = list(groups_of(rule, dtype, seed, exhaustive))
            results = [pool.submit(run_all, rule, dtype, cases, i == 0 or exhaustive) for i, cases in enumerate(groups)]
            pending.append((rule, dtype, results, groups))
        for rule, dtype, results, groups in pending:
            if not groups:
                yield results.result()
                continue
            known = (survey.known(rule, jnp.dtype(dtype), cases) for cases in groups)
            yield survey.measured(rule, dtype, ((r.result(), k) for r, k in zip(results, known, strict=True)))


def groups_of(rule: Rule, dtype: str, seed: int, exhaustive: bool) -> Iterator[inputs.Cases]:
    """The cases of every size and kind of labels that a rule is measured on, those for autodiff first.

    Distributions include one-hot ones: class indices are tried besides in float32 alone, lest it take more than a
    minute, nearly all of it compilation. The test suite makes every combination.
    """
    kinds = inputs.LABELS[::-1] if "labels" in inspect.signature(rule.manual).parameters else inputs.LABELS[:1]
    matrices = any(word in rule.name for word in ("jacobian", "hessian"))
    for classes in ALL_CLASSES if exhaustive else CLASSES:
        for kind in kinds if exhaustive or dtype == "float32" else kinds[:1]:
            if not (matrices and classes > 10):
                yield inputs.cases(rule, jnp.dtype(dtype), classes, kind, seed)


def run_all(rule: Rule, dtype: str, cases: inputs.Cases, compare: bool) -> dict[str, Any]:
    """The results by hand, and for comparison those by autodiff."""
    got = survey.run(survey.autodiff(rule, dtype), dtype, cases.args) if compare else {}
    return {"by hand": survey.run(survey.for_each_example(rule), dtype, cases.args), **got}


def swept(rule: Rule, dtype: str, seed: int, exhaustive: bool) -> Measured:
    """A function of one number, at all numbers of a 16-bit format, at 2²² or all 2³² of float32."""
    number, bits = jnp.dtype(dtype), jnp.finfo(dtype).bits
    count = 2**bits if exhaustive or bits == 16 else SPREAD
    promised = bound(rule, (np.float64(0),), number)
    by_hand = sweep.sweep(rule.name, rule.manual, number, sweep.spread(number, count, seed), promised)
    compared = {}
    for name in COMPARED:
        # A comparison, not what is certified: 2²² numbers show what it does.
        numbers = sweep.spread(number, min(count, SPREAD), seed)
        one = survey.autodiff(rule, dtype)
        compared[name] = sweep.sweep(rule.name, lambda z, one=one, name=name: one(z)[name], number, numbers, promised)
    return Measured(rule, dtype, count, by_hand, compared)


def table(rows: Iterable[Measured]) -> Table:
    """A row for each function and dtype."""
    result = Table(
        box=box.SIMPLE_HEAD,
        title="Largest errors by hand and by autodiff, in ULP, on the same inputs; all jitted",
        caption=(
            "~: in ULP of the same sum with absolute values, for sums that may cancel; of the true value otherwise. "
            "plain, jax.nn: JAX's derivative of the textbook's forward function, and of jax.nn's and optax's. "
            "0s: results of exactly zero where that is wrong by more than the bound. ∞: NaN."
        ),
    )
    for heading in ("function", "dtype", "inputs", "bound", "by hand", "found at", "plain", "0s", "jax.nn", "0s", ""):
        left = heading in ("function", "dtype", "found at")
        result.add_column(heading, overflow="fold", justify="left" if left else "right")
    rows = list(rows)
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        others = (
            cell
            for w in (row.autodiff[name] for name in COMPARED)
            for cell in (number(w.ulp), str(w.false_zeros or ""))
        )
        result.add_row(
            row.rule.name,
            SHORT[row.dtype],
            f"{row.inputs:,}" if row.inputs < 10**6 else f"2^{row.inputs.bit_length() - 1}",
            ("" if row.in_ulp_of_the_value else "~") + f"{row.by_hand.bound:.3g}",
            number(row.by_hand.ulp),
            place(row.by_hand),
            *others,
            mark(row.passed),
            end_section=following is not None and following.rule != row.rule,
        )
    return result


def number(ulp: float) -> str:
    """An error in few characters."""
    return "∞" if math.isinf(ulp) else f"{ulp:.2f}" if ulp < 100 else f"{ulp:.0e}".replace("e+0", "e")


def place(worst: Worst) -> str:
    """Where the worst error was found: the number itself, or the family and the entry of the result (JSON has all)."""
    if not worst.args:
        return "rounded right"
    if worst.args[0].ndim == 0:
        return re.sub(r"0+p", "p", float(worst.args[0]).hex())
    return f"{worst.family} [{worst.entry}]"


def row_json(row: Measured) -> dict[str, Any]:
    """A row for `--json`, with the arguments at which the worst error was found as hexadecimal floats."""
    return {
        "name": row.rule.name,
        "dtype": row.dtype,
        "inputs": row.inputs,
        "in_ulp_of_the_value": row.in_ulp_of_the_value,
        "by_hand": worst_json(row.by_hand),
        "autodiff": {name: worst_json(worst) for name, worst in row.autodiff.items()},
        "passed": row.passed,
    }


def worst_json(worst: Worst) -> dict[str, Any]:
    """An error and its place."""
    return {
        "ulp": worst.ulp if math.isfinite(worst.ulp) else "NaN",
        "bound": worst.bound,
        "false_zeros": worst.false_zeros,
        "family": worst.family,
        "entry": worst.entry,
        "args": [hexadecimal(arg) for arg in worst.args],
    }


def hexadecimal(arg: Any) -> Any:
    """A float as a string that holds all its bits, arrays as lists; integers as they are."""
    array = np.asarray(arg)
    if array.ndim:
        return [hexadecimal(entry) for entry in array]
    return int(array) if np.issubdtype(array.dtype, np.integer) else float(array).hex()
