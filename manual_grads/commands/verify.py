"""`manual-grads verify`: a table of rules, the verdict on the lines and on the digits, or JSON."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import numpy as np
from rich.console import Console, RenderableType
from rich.text import Text

import manual_grads  # noqa: F401 - registers the rules
from manual_grads.checking.verify import RuleVerdict, verify_rule
from manual_grads.commands.lines import held, judged, misprints_table, summary, verdict_json
from manual_grads.commands.printing import SHORT, Column, console, fitting, mark, print_failure, print_json
from manual_grads.commands.progress import progressing
from manual_grads.derivations import CHAINS
from manual_grads.derivations.verdicts import LineVerdict
from manual_grads.rules import FLOATS, RULES, Rule
from manual_grads.training.full_batch import DigitsReport, verify_on_digits

COLUMNS = (
    Column("task", spare=5),
    Column("by hand"),
    Column("claimed equal to", spare=4),
    Column(SHORT["float16"], spare=2),
    Column(SHORT["bfloat16"], spare=3),
    Column(SHORT["float32"]),
    Column(SHORT["float64"], spare=1),
    Column("checks", folds_at=12),
    Column(""),
)


def verify(only: list[str] | None, seed: int, as_json: bool) -> int:
    """Verifies the rules; unless only some are asked for, also the document's lines and the network on real data."""
    rules = sorted((RULES[name] for name in only or RULES), key=lambda rule: rule.equation)
    return verify_rules("verify", rules, seed, as_json, document=not only)


def verify_rules(command: str, rules: list[Rule], seed: int, as_json: bool, document: bool = False) -> int:
    """Verifies rules, and if so wished the document's lines and the network on real data; prints what was found."""
    chains = CHAINS if document else ()
    out = console()
    total = len(rules) + len(chains) + document
    # XLA compiles outside Python's lock: a second thread helps. The lines share one: flint's precision is global.
    pool = ThreadPoolExecutor(2)
    try:
        with progressing(out, "verifying", total, as_json) as done:

            def noted(say: Callable[[Any], Text], function: Callable[..., Any], *args: Any) -> Any:
                result = function(*args)
                done(say(result))
                return result

            judging = pool.submit(lambda: [v for chain in chains for v in noted(held, judged, chain, seed)])
            network = RULES["two_layer_grads"]
            on_digits = [pool.submit(noted, _digits_line, verify_on_digits, network, seed)] if document else []
            verifying = [pool.submit(noted, _rule_line, verify_rule, rule, seed) for rule in rules]
            for future in as_completed([judging, *on_digits, *verifying]):
                future.result()  # raises what was raised, if anything, before the others are done
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    verdicts, lines = [future.result() for future in verifying], judging.result()
    digits = on_digits[0].result() if on_digits else None
    passed = everything_holds(verdicts, lines, digits)
    if as_json:
        print_json(
            command=command,
            passed=passed,
            seed=seed,
            rules=[_as_json(verdict) for verdict in verdicts],
            lines=[verdict_json(verdict) for verdict in lines],
            digits=digits and {**digits._asdict(), "passed": digits.passed},
        )
        return 0 if passed else 1
    out.print(_rules_table(out, verdicts))
    if digits is not None:
        out.print(*_digits_text(digits), sep="\n")
        out.print(*summary(lines), sep="\n")
        out.print(*misprints_table(out, lines), sep="\n")
    for failure in (f for each in (*verdicts, *([digits] if digits else [])) for f in each.failures):
        print_failure(out, f"\n{failure}")
    out.print(Text("everything holds" if passed else "NOT everything holds", style="bold"))
    return 0 if passed else 1


def everything_holds(verdicts: list[RuleVerdict], lines: list[LineVerdict], digits: DigitsReport | None) -> bool:
    """Whether every rule and every line was found right, and the network on the digits where that was looked at."""
    return (
        all(verdict.passed for verdict in verdicts)
        and all(line.holds for line in lines)
        and (digits is None or digits.passed)
    )


def _rules_table(out: Console, verdicts: list[RuleVerdict]) -> RenderableType:
    rows = []
    for verdict in verdicts:
        worst = (f"{part:.2g}" if np.isfinite(part) else "✗" for part in _worst_parts(verdict).values())
        rule = verdict.rule
        rows.append((rule.equation, rule.name, rule.claim, *worst, _checks(verdict), mark(verdict.passed)))
    return fitting(
        out,
        COLUMNS,
        rows,
        title="Hand-written derivatives against JAX's: the worst error of all checks, as a part of what is allowed",
        caption="checks: one example and a batch; eager, jit, vmap, scan, checkpoint, donated; at ordinary and extreme "
        "points; against reverse mode, forward mode and differences in float64",
    )


def _checks(verdict: RuleVerdict) -> str:
    """How many checks there were, or which failed; none could be made where it raised an exception."""
    if not verdict.rows:
        return "an error"
    failed = [row.check for row in verdict.rows if not row.passed]
    return f"not {', '.join(dict.fromkeys(failed))}" if failed else f"{len(verdict.rows)}"


def _rule_line(verdict: RuleVerdict) -> Text:
    """What a log says of a rule as soon as it is verified."""
    checks = _checks(verdict)
    rule = verdict.rule
    return mark(verdict.passed).append(
        f" {rule.name} = {rule.claim}: {checks}{' checks' if checks.isdigit() else ''}", style="default"
    )


def _digits_line(digits: DigitsReport) -> Text:
    return mark(digits.passed).append(f" two_layer_grads on {digits.examples} handwritten digits", style="default")


def _worst_parts(verdict: RuleVerdict) -> dict[str, float]:
    """For each format, the worst error as a part of what is allowed."""
    # An oracle alone may be the one that is wrong.
    counted = [row for row in verdict.rows if row.kind != "oracle"]
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
        "worst": _worst_parts(verdict),
        "checks": [{key: value for key, value in row._asdict().items() if key != "kind"} for row in verdict.rows],
        "failures": verdict.failures,
        "passed": verdict.passed,
    }
