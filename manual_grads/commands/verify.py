"""`manual-grads verify`: a table of rules, the verdict on the lines and on the digits, or JSON."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

import manual_grads  # noqa: F401 - registers the rules
from manual_grads.checking.verify import RuleVerdict, verify_rule
from manual_grads.commands.lines import judged, misprints_table, summary, verdict_json
from manual_grads.commands.printing import SHORT, console, mark, print_json
from manual_grads.derivations import CHAINS
from manual_grads.rules import FLOATS, RULES, Rule
from manual_grads.training.full_batch import DigitsReport, verify_on_digits


def verify(only: list[str] | None, seed: int, as_json: bool) -> int:
    """Verifies the rules; unless only some are asked for, also the document's lines and the network on real data."""
    rules = sorted((RULES[name] for name in only or RULES), key=lambda rule: rule.equation)
    return verify_rules("verify", rules, seed, as_json, document=not only)


def verify_rules(command: str, rules: list[Rule], seed: int, as_json: bool, document: bool = False) -> int:
    """Verifies rules, and if so wished the document's lines and the network on real data; prints what was found."""
    chains = CHAINS if document else ()
    out = console()
    with Progress(console=out, transient=True, disable=as_json or not out.is_terminal) as progress:
        task = progress.add_task("verifying", total=len(rules) + len(chains) + document)

        def counted(function: Callable[..., Any], *args: Any) -> Any:
            result = function(*args)
            progress.advance(task)
            return result

        # XLA compiles outside Python's lock: a second thread helps. The lines share one: flint's precision is global.
        with ThreadPoolExecutor(2) as pool:
            judging = pool.submit(lambda: [verdict for chain in chains for verdict in counted(judged, chain, seed)])
            on_digits = pool.submit(counted, verify_on_digits, RULES["two_layer_grads"], seed) if document else None
            verdicts = list(pool.map(lambda rule: counted(verify_rule, rule, seed), rules))
            digits, lines = on_digits and on_digits.result(), judging.result()
    passed = all(v.passed for v in verdicts) and all(v.holds for v in lines) and (digits is None or digits.passed)
    if as_json:
        print_json(
            command=command,
            passed=passed,
            seed=seed,
            rules=[_as_json(verdict) for verdict in verdicts],
            lines=[verdict_json(verdict) for verdict in lines],
            digits=digits and {**digits._asdict(), "passed": digits.passed},
        )
    else:
        out.print(_rules_table(verdicts))
        if digits is not None:
            out.print(*_digits_text(digits), sep="\n")
            out.print(*summary(lines), sep="\n")
            out.print(misprints_table(lines))
        for failure in (f for each in (*verdicts, *([digits] if digits else [])) for f in each.failures):
            out.print(Text(f"\n{failure}", style="red"))
        out.print(Text("everything holds" if passed else "NOT everything holds", style="bold"))
    return 0 if passed else 1


def _rules_table(verdicts: list[RuleVerdict]) -> Table:
    table = Table(
        title="Hand-written derivatives against JAX's: the worst error of all checks, as a part of what is allowed",
        caption="checks: one example and a batch; eager, jit, vmap, scan, checkpoint, donated; at ordinary and extreme "
        "points; against reverse mode, forward mode and differences in float64",
    )
    for heading in ("task", "by hand", "claimed equal to", *(SHORT[dtype] for dtype in FLOATS), "checks", ""):
        table.add_column(heading, overflow="fold")
    for verdict, following in zip(verdicts, [*verdicts[1:], None], strict=True):
        failed = [row.check for row in verdict.rows if not row.passed]
        table.add_row(
            verdict.rule.equation,
            verdict.rule.name,
            verdict.rule.claim,
            *(f"{worst:.2g}" if np.isfinite(worst) else "✗" for worst in _worst_parts(verdict).values()),
            f"not {', '.join(dict.fromkeys(failed))}" if failed else f"{len(verdict.rows)}",
            mark(verdict.passed),
            end_section=following is not None and following.rule.equation != verdict.rule.equation,
        )
    return table


def _worst_parts(verdict: RuleVerdict) -> dict[str, float]:
    """For each format, the worst error as a part of what is allowed."""
    # An oracle alone may be the one that is wrong.
    counted = [row for row in verdict.rows if not row.check.startswith("against ")]
    return {dtype: max((row.part for row in counted if row.dtype == dtype), default=np.inf) for dtype in FLOATS}


def _digits_text(digits: DigitsReport) -> Iterable[Text]:
    yield Text(f"\nTask 21 on {digits.examples} handwritten digits: two_layer_grads against jax.grad in float64")
    for dtype, deviation in digits.deviations.items():
        yield Text(f"  {dtype}: largest deviation {deviation:.1e}, bound {digits.bounds[dtype]:.1e}")


def _as_json(verdict: RuleVerdict) -> dict[str, Any]:
    return {
        "name": verdict.rule.name,
        "equation": verdict.rule.equation,
        "claim": verdict.rule.claim,
        "worst": {dtype: _finite(worst) for dtype, worst in _worst_parts(verdict).items()},
        "checks": [{**row._asdict(), "ulp": _finite(row.ulp), "part": _finite(row.part)} for row in verdict.rows],
        "failures": verdict.failures,
        "passed": verdict.passed,
    }


def _finite(x: float) -> float | None:
    """A number that JSON has, or none."""
    return x if np.isfinite(x) else None
