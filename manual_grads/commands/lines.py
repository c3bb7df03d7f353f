"""`manual-grads lines`: the document line by line, as text or as JSON."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from manual_grads.commands.printing import Column, console, fitting, indented, mark, print_json
from manual_grads.derivations import CHAINS, large_class
from manual_grads.derivations.lines import Chain
from manual_grads.derivations.verdicts import LineVerdict, judge

TEXT = 56  # columns of a line's text, and those in which a table of misprints can be read
ROOM = 100


def lines(task: str | None, seed: int, as_json: bool) -> int:
    """Prints the document's lines, in order, each with its verdict."""
    chains = [chain for chain in CHAINS if task is None or chain.task == task or chain.task.startswith(task + ".")]
    out = console()
    every: list[LineVerdict] = []
    for chain in chains:
        verdicts = judged(chain, seed)
        every += verdicts
        if not as_json:
            out.print(*_chain_text(verdicts, out.width), sep="\n")
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
        yield Text("  ").append_text(held([verdict for verdict in verdicts if verdict.task == task]))


def heading(task: str) -> str:
    """What a task's lines stand under."""
    return "Beyond the document" if task == large_class.TASK else f"Task {task}"


def held(verdicts: list[LineVerdict]) -> Text:
    """How many lines of a task hold."""
    number = sum(verdict.holds for verdict in verdicts)
    misprints = sum(verdict.line.misprint is not None for verdict in verdicts)
    text = f" {heading(verdicts[0].task)}: {number} of {len(verdicts)} lines proved, {misprints} of them misprinted"
    return mark(number == len(verdicts)).append(text, style="default")


def misprints_table(out: Console, verdicts: Iterable[LineVerdict]) -> Iterable[RenderableType]:
    """What is misprinted, and why it is false: a table where there is room for one, else some lines each."""
    title = "\nMisprints: what is printed is refuted, the correction proved"
    rows = [(v.task, m.printed, v.line.text, m.why) for v in verdicts if (m := v.line.misprint)]
    if not rows:
        return
    if out.width >= ROOM:
        columns = Column("task"), *(Column(name, folds_at=24) for name in ("as printed", "corrected", "why"))
        yield fitting(out, columns, rows, title=title)
        return
    yield Text(title, style="italic")
    for task, printed, corrected, why in rows:
        yield Text(f"{heading(task)}: {printed}")
        yield indented(f"corrected: {corrected}", 2, out.width)
        yield indented(f"why: {why}", 2, out.width)


def _chain_text(verdicts: list[LineVerdict], width: int) -> Iterable[RenderableType]:
    yield Text(f"\n{heading(verdicts[0].task)}", style="bold")
    for i, verdict in enumerate(verdicts):
        sign, text = "=" if i else " ", verdict.line.text
        said = Text("✓ " if verdict.holds else "✗ ", style="green" if verdict.holds else "red")
        said.append(verdict.words, style="default")
        if width >= 4 + TEXT + 1 + len("✓ misprint"):
            yield Text(f"  {sign} {text:<{TEXT}} ").append_text(said)
        else:
            yield Text(f"  {sign} {text}")
            yield Text("      ").append_text(said)
        if misprint := verdict.line.misprint:
            yield indented(f"printed: {misprint.printed}", 6, width, "dim")
            yield indented(f"but {misprint.why}", 6, width, "dim")


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
