"""What the commands do: `verify` and `lines`, as tables or as JSON."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rich.progress import Progress
from rich.table import Table
from rich.text import Text

import manual_grads  # noqa: F401 - registers the rules
from manual_grads.checking.verify import DigitsReport, Report, verify_on_digits, verify_rule
from manual_grads.derivations import CHAINS
from manual_grads.derivations.lines import Chain
from manual_grads.derivations.verdicts import Verdict, judge
from manual_grads.printing import SHORT, console, mark, print_json
from manual_grads.rules import RULES


def verify(only: list[str] | None, seed: int, as_json: bool) -> int:
    """Verifies the rules; unless only some are asked for, also the document's lines and the network on real data."""
    rules = sorted((RULES[name] for name in only or RULES), key=lambda rule: rule.equation)
    chains = () if only else CHAINS
    out = console()
    jobs = len(rules) + len(chains) + (not only)
    with Progress(console=out, transient=True, disable=as_json or not out.is_terminal) as progress:
        task = progress.add_task("verifying", total=jobs)

        def counted(function: Callable[..., Any], *args: Any) -> Any:
            result = function(*args)
            progress.advance(task)
            return result

        # XLA compiles outside Python's lock: a second thread helps. The lines share one: flint's precision is global.
        with ThreadPoolExecutor(2) as pool:
            judging = pool.submit(lambda: [verdict for chain in chains for verdict in counted(_judged, chain, seed)])
            on_digits = None if only else pool.submit(counted, verify_on_digits, RULES["two_layer_grads"], seed)
            reports = list(pool.map(lambda rule: counted(verify_rule, rule, seed), rules))
            digits, verdicts = on_digits and on_digits.result(), judging.result()
    passed = all(r.passed for r in reports) and all(v.holds for v in verdicts) and (digits is None or digits.passed)
    if as_json:
        print_json(
            command="verify",
            passed=passed,
            seed=seed,
            rules=[_report_json(report) for report in reports],
            lines=[_verdict_json(verdict) for verdict in verdicts],
            digits=digits and {**digits._asdict(), "passed": digits.passed},
        )
    else:
        out.print(_rules_table(reports))
        if digits is not None:
            out.print(*_digits_text(digits), sep="\n")
            out.print(*_lines_text(verdicts), sep="\n")
            out.print(_misprints_table(verdicts))
        for failure in (f for report in (*reports, *([digits] if digits else [])) for f in report.failures):
            out.print(Text(failure, style="red"))
        out.print(Text("everything holds" if passed else "NOT everything holds", style="bold"))
    return 0 if passed else 1


def lines(task: str | None, seed: int, as_json: bool) -> int:
    """Prints the document's lines, in order, each with its verdict."""
    chains = [chain for chain in CHAINS if task is None or chain.task == task or chain.task.startswith(task + ".")]
    out = console()
    judged = []
    for chain in chains:
        verdicts = _judged(chain, seed)
        judged += verdicts
        if not as_json:
            out.print(*_chain_text(verdicts), sep="\n")
    passed = all(verdict.holds for verdict in judged)
    if as_json:
        print_json(command="lines", passed=passed, seed=seed, lines=[_verdict_json(verdict) for verdict in judged])
    return 0 if passed else 1


def _judged(chain: Chain, seed: int) -> list[Verdict]:
    return list(judge(chain, seed))


def _rules_table(reports: list[Report]) -> Table:
    table = Table(
        title="Hand-written derivatives against JAX's: largest deviation in float64, relative to the largest entry",
        caption="calls, jitted: single, vmap, native batch axes, vmap of those, vmap over each argument alone",
    )
    for heading in ("task", "by hand", "claimed equal to", "reverse", "forward", "differences", "calls", "dtypes", ""):
        table.add_column(heading, overflow="fold")
    for report, following in zip(reports, [*reports[1:], None], strict=True):
        wrong = [name for name, right in report.calls.items() if not right]
        table.add_row(
            report.rule.equation,
            report.rule.name,
            report.rule.claim,
            *(f"{deviation:.1e}" for deviation in report.deviations.values()),
            f"not {', '.join(wrong)}" if wrong else f"all {len(report.calls)}",
            " ".join(SHORT[dtype] for dtype, right in report.dtypes.items() if right),
            mark(report.passed),
            end_section=following is not None and following.rule.equation != report.rule.equation,
        )
    return table


def _digits_text(digits: DigitsReport) -> Iterable[Text]:
    yield Text(f"\nTask 21 on {digits.examples} handwritten digits: two_layer_grads against jax.grad in float64")
    for dtype, deviation in digits.deviations.items():
        yield Text(f"  {dtype}: largest deviation {deviation:.1e}, bound {digits.bounds[dtype]:.1e}")


def _lines_text(verdicts: list[Verdict]) -> Iterable[Text]:
    yield Text("\nThe document, line by line (`manual-grads lines` shows each)")
    for task in dict.fromkeys(verdict.task for verdict in verdicts):
        mine = [verdict for verdict in verdicts if verdict.task == task]
        held = sum(verdict.holds for verdict in mine)
        misprints = sum(verdict.line.misprint is not None for verdict in mine)
        yield Text(f"  Task {task}: {held} of {len(mine)} lines proved, {misprints} of them misprinted ").append_text(
            mark(held == len(mine))
        )


def _misprints_table(verdicts: Iterable[Verdict]) -> Table:
    table = Table(title="\nMisprints: what is printed is refuted, the correction proved", title_justify="left")
    for heading in ("task", "as printed", "corrected", "why"):
        table.add_column(heading, overflow="fold")
    for verdict in verdicts:
        if misprint := verdict.line.misprint:
            table.add_row(verdict.task, misprint.printed, verdict.line.text, misprint.why)
    return table


def _chain_text(verdicts: list[Verdict]) -> Iterable[Text]:
    yield Text(f"\nTask {verdicts[0].task}", style="bold")
    for i, verdict in enumerate(verdicts):
        yield (
            Text(f"  {'=' if i else ' '} {verdict.line.text:<56} ")
            .append_text(mark(verdict.holds))
            .append(f" {verdict.words}")
        )
        if misprint := verdict.line.misprint:
            yield Text(f"      printed: {misprint.printed}\n      but {misprint.why}", style="dim")


def _report_json(report: Report) -> dict[str, Any]:
    return {
        "name": report.rule.name,
        "equation": report.rule.equation,
        "claim": report.rule.claim,
        "deviations": report.deviations,
        "calls": report.calls,
        "dtypes": report.dtypes,
        "failures": report.failures,
        "passed": report.passed,
    }


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    misprint = verdict.line.misprint
    return {
        "task": verdict.task,
        "line": verdict.line.text,
        "proved": verdict.proved,
        "confirmed_by_balls": verdict.confirmed,
        "float64_error": verdict.float64_error,
        "misprint": misprint and {"printed": misprint.printed, "why": misprint.why, "refuted": verdict.refuted},
        "passed": verdict.holds,
    }
