"""`manual-grads accuracy`: a table with a row for each function and format, or JSON."""

import math
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from rich import box
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from manual_grads.accuracy.measure import COMPARED, measure_all
from manual_grads.accuracy.survey import Measured, Worst
from manual_grads.commands.printing import SHORT, console, mark, print_json
from manual_grads.rules import FLOATS, RULES


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
