"""`manual-grads lines`: the document line by line, as text or as JSON."""

from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text

from manual_grads.derivations import CHAINS
from manual_grads.derivations.lines import Chain
from manual_grads.derivations.verdicts import LineVerdict, judge
from manual_grads.printing import console, mark, print_json


def lines(task: str | None, seed: int, as_json: bool) -> int:
    """Prints the document's lines, in order, each with its verdict."""
    chains = [chain for chain in CHAINS if task is None or chain.task == task or chain.task.startswith(task + ".")]
    out = console()
    every: list[LineVerdict] = []
    for chain in chains:
        verdicts = judged(chain, seed)
        every += verdicts
        if not as_json:
            out.print(*_chain_text(verdicts), sep="\n")
    passed = all(verdict.holds for verdict in every)
    if as_json:
        print_json(command="lines", passed=passed, seed=seed, lines=[verdict_json(verdict) for verdict in every])
    return 0 if passed else 1


def judged(chain: Chain, seed: int) -> list[LineVerdict]:
    """The verdicts on a chain's lines."""
    return list(judge(chain, seed))


def summary(verdicts: list[LineVerdict]) -> Iterable[Text]:
    """How many lines of each task hold."""
    yield Text("\nThe document, line by line (`manual-grads lines` shows each)")
    for task in dict.fromkeys(verdict.task for verdict in verdicts):
        mine = [verdict for verdict in verdicts if verdict.task == task]
        held = sum(verdict.holds for verdict in mine)
        misprints = sum(verdict.line.misprint is not None for verdict in mine)
        yield Text(f"  Task {task}: {held} of {len(mine)} lines proved, {misprints} of them misprinted ").append_text(
            mark(held == len(mine))
        )


def misprints_table(verdicts: Iterable[LineVerdict]) -> Table:
    """What is misprinted, and why it is false."""
    table = Table(title="\nMisprints: what is printed is refuted, the correction proved", title_justify="left")
    for heading in ("task", "as printed", "corrected", "why"):
        table.add_column(heading, overflow="fold")
    for verdict in verdicts:
        if misprint := verdict.line.misprint:
            table.add_row(verdict.task, misprint.printed, verdict.line.text, misprint.why)
    return table


def _chain_text(verdicts: list[LineVerdict]) -> Iterable[Text]:
    yield Text(f"\nTask {verdicts[0].task}", style="bold")
    for i, verdict in enumerate(verdicts):
        yield (
            Text(f"  {'=' if i else ' '} {verdict.line.text:<56} ")
            .append_text(mark(verdict.holds))
            .append(f" {verdict.words}")
        )
        if misprint := verdict.line.misprint:
            yield Text(f"      printed: {misprint.printed}\n      but {misprint.why}", style="dim")


def verdict_json(verdict: LineVerdict) -> dict[str, Any]:
    """A verdict as JSON."""
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
