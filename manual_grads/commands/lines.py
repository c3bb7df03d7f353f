"""`manual-grads lines`: the document line by line, each with its reason and its file, as text or as JSON."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from manual_grads.commands.printing import Column, console, fitting, indented, mark, print_json
from manual_grads.derivations import CHAINS, large_class
from manual_grads.derivations.lines import Chain
from manual_grads.derivations.source import place, source
from manual_grads.derivations.verdicts import LineVerdict, judge
from manual_grads.formulas import textbook
from manual_grads.rules import RULES

TEXT = 50  # columns of a line's text, and those in which a table of misprints can be read
ROOM = 100


def lines(task: str | None, seed: int, as_json: bool) -> int:
    """Prints the document's lines, in order, each with its verdict."""
    chains = [chain for chain in CHAINS if task is None or chain.task == task or chain.task.startswith(task + ".")]
    out = console()
    every: list[LineVerdict] = []
    for chain, following in zip(chains, [*chains[1:], None], strict=True):
        verdicts = judged(chain, seed)
        every += verdicts
        if not as_json:
            out.print(*chain_text(verdicts, out.width), sep="\n")
            if not following or following.task != chain.task:
                out.print(*_textbook_text(chain.task), sep="\n")
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


def chain_text(verdicts: list[LineVerdict], width: int) -> Iterable[RenderableType]:
    """The lines of a chain: each with its verdict, its reason, where its code is, and what is misprinted in it."""
    yield _heading(heading(verdicts[0].task), place(verdicts[-1].line.value).file)
    for i, verdict in enumerate(verdicts):
        sign, text = "=" if i else " ", verdict.line.text
        said = Text("✓ " if verdict.holds else "✗ ", style="green" if verdict.holds else "red")
        said.append(verdict.said, style="default")
        if width >= 4 + max(TEXT, len(text)) + 1 + len(said):
            yield Text(f"  {sign} {text:<{TEXT}} ").append_text(said)
        else:
            yield Text(f"  {sign} {text}")
            yield Text("      ").append_text(said)
        at = place(verdict.line.value)
        where = f"{at.file.name}:{at.number}"
        reason = indented(f"{verdict.line.reason} · {where}", 6, width, "dim")
        reason.highlight_words([where], f"link {at.file.as_uri()}")
        yield reason
        if misprint := verdict.line.misprint:
            yield indented(f"printed: {misprint.printed}", 6, width, "dim")
            yield indented(f"but {misprint.why}", 6, width, "dim")


def _textbook_text(task: str) -> Iterable[Text]:
    """The derivatives of a task as a textbook has them, in code."""
    forms = [form for rule in RULES.values() if rule.equation == task and (form := textbook.textbook_form(rule))]
    if forms:
        yield _heading(f"{heading(task)}, in a textbook's code", Path(textbook.__file__))
    for form in forms:
        yield Text("\n".join(f"    {line}" for line in source(form).splitlines()))


def _heading(words: str, file: Path) -> Text:
    """A heading and the file of what stands under it: as it is found from here, if it is below."""
    here = Path.cwd()
    shown = file.relative_to(here) if file.is_relative_to(here) else file
    return Text(f"\n{words}", style="bold").append(f" · {shown}", style=f"not bold dim link {file.as_uri()}")


def verdict_json(verdict: LineVerdict) -> dict[str, Any]:
    """A verdict as JSON."""
    misprint, at = verdict.line.misprint, place(verdict.line.value)
    return {
        "task": verdict.task,
        "line": verdict.line.text,
        "reason": verdict.line.reason,
        "code": f"{at.file}:{at.number}",
        "proved": verdict.proved,
        "proved_for": verdict.proof.sizes,
        "proved_by": verdict.proof.by,
        "confirmed_by_balls": verdict.confirmed,
        "float64_error": verdict.float64_error,
        "misprint": misprint and {"printed": misprint.printed, "why": misprint.why, "refuted": verdict.refuted},
        "passed": verdict.holds,
    }
