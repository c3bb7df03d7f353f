"""The pages of the document: a page a task, every line with its reason, its verdict, its code and its digits.

`python -m docs.pages.document` writes the table of the misprints, which is kept, as README links to it.
"""

import inspect
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from docs.pages import fate
from docs.pages.latex import NAMED, latex
from manual_grads import derivations
from manual_grads.derivations import every_k, every_size
from manual_grads.derivations.lines import Chain, Misprint
from manual_grads.derivations.source import source
from manual_grads.derivations.verdicts import MAX_BALL_RADIUS, LineVerdict, judge
from manual_grads.formulas.textbook import textbook_form
from manual_grads.rules import RULES

MISPRINTS = Path(__file__).parents[1] / "document" / "misprints.md"
# The arguments by which a line is proved for every number of classes, or every size.
ARGUMENTS = {"merging": every_k, "sums": every_size}
BITS_SHOWN = -round(math.log2(MAX_BALL_RADIUS))


def write(folder: Path) -> None:
    """Writes a page for each task into a folder, and the pictures beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder.parent / "every-size.md").write_text("\n".join(arguments()) + "\n", encoding="utf-8")
    for name, modules in pages().items():
        (folder / f"{name}.md").write_text("\n".join(page(name, modules, folder)) + "\n", encoding="utf-8")


def pages() -> dict[str, list[ModuleType]]:
    """The modules of lines, by the task that they are of: `task19_1` to `task19_3` are of one."""
    modules = [module for module in vars(derivations).values() if hasattr(module, "CHAINS")]
    found: dict[str, list[ModuleType]] = {}
    for module in sorted(modules, key=lambda module: derivations.CHAINS.index(module.CHAINS[0])):
        found.setdefault(module.__name__.rpartition(".")[2].split("_")[0], []).append(module)
    return found


def page(name: str, modules: list[ModuleType], folder: Path) -> Iterator[str]:
    """A task's page in MyST."""
    title = heading(modules[0]) if len(modules) == 1 else name.replace("task", "Task ")
    yield f"# {title}\n"
    files = ", ".join(f'<a href="../../_modules/{m.__name__.replace(".", "/")}.html">{m.__name__}</a>' for m in modules)
    yield f"The code: {files}. How to read the lines, their verdicts and the small plots:"
    yield "[the document](../../document/index.md).\n"
    number = 0
    for module in modules:
        if len(modules) > 1:
            yield f"## {heading(module)}\n"
        yield from (f"{paragraph}\n" for paragraph in (inspect.getdoc(module) or "").split("\n\n")[1:])
        for chain in module.CHAINS:
            number += 1
            yield f"##{'#' * (len(modules) > 1)} {chain.lines[0].text}\n"
            yield from chain_lines(chain, folder, f"{name}-{number}")
        yield from definitions(module)
    tasks = {chain.task for module in modules for chain in module.CHAINS}
    forms = [(rule, textbook_form(rule)) for rule in RULES.values() if rule.equation in tasks]
    if forms:
        yield "## The functions that these lines are\n\nEach is here as a textbook has it, for one example. Behind its"
        yield "name is the form that the package exports, which keeps its digits where this one loses them.\n"
        for rule, form in forms:
            yield f"{{py:func}}`manual_grads.{rule.name}`, {of(rule.equation)}:\n"
            yield f"```python\n{source(form)}\n```\n" if form else ""


def of(equation: str) -> str:
    """Which lines a rule is of."""
    return f"of line {equation}" if equation[0].isdigit() else f"{equation} the document"


def misprints() -> Iterator[str]:
    """The page of what is misprinted: as a table."""
    lines = [(chain.task, line) for chain in derivations.CHAINS for line in chain.lines if line.misprint]
    yield "# The misprints\n\nWritten by `python -m docs.pages.document`.\n"
    yield f"{len(lines)} lines of the document are false as they are printed. Each is refuted, by balls that don't"
    yield "touch or by shapes that don't fit, and its correction is proved: `manual-grads verify` does both.\n"
    yield "| task | as printed | corrected | why |\n|---|---|---|---|"
    for task, line in lines:
        assert line.misprint
        yield f"| {task} | ${latex(line.misprint.printed)}$ | ${latex(line.text)}$ | {line.misprint.why} |"


def arguments() -> Iterator[str]:
    """The page of the arguments by which lines are proved for every size, as their modules' docstrings give them."""
    yield "# Every number of classes, every size\n"
    for by, module in ARGUMENTS.items():
        title, _, rest = (inspect.getdoc(module) or "").partition("\n\n")
        yield f"## Proved by {by}\n\n{title}\n\n{rest}\n\nThe code: `{module.__name__}`.\n"


def heading(module: ModuleType) -> str:
    """What a module's docstring calls it: "Task 18, line by line: the derivative of the sigmoid"."""
    words = (module.__doc__ or module.__name__).partition(".\n")[0].split(". ")[0].rstrip(".")
    return re.sub(r",? \$[^$]*\$", "", words)  # it stands in the margin of every page, and most have no mathematics


def chain_lines(chain: Chain, folder: Path, name: str) -> Iterator[str]:
    """The lines of a chain, each in a box of its own."""
    curves = fate.curves(chain)
    for i, verdict in enumerate(judge(chain)):
        line = verdict.line
        yield "::::{container} derivation-line\n"
        if curves:
            file = f"{name}-{i}.svg"
            fate.draw(curves, i, folder / file)
            alt = f"The largest error of {line.text} in float32, in ULP, against {curves.label}."
            yield f"```{{image}} {file}\n:alt: {alt}\n:class: fate\n```\n"
        yield f"$$\n{'= ' if i else ''}{latex(line.text)}\n$$\n"
        yield f"{sentence(line.reason)}\n"
        yield f"{said(verdict)}\n"
        yield f"```python\n{source(line.value)}\n```\n"
        if line.misprint:
            yield from correction(line.misprint, verdict)
        yield "::::\n"


def said(verdict: LineVerdict) -> str:
    """A verdict in words.

    Raises:
        ValueError: if a line doesn't hold: no page is made of what is false.
    """
    if not verdict.holds:
        raise ValueError(f"Task {verdict.task}: {verdict.line.text} is judged FALSE; see `manual-grads lines`")
    argument = f", by [{verdict.proof.by}](../every-size.md)" if verdict.proof.by in ARGUMENTS else ""
    error = f"off by {verdict.float64_error:.0e} at most" if verdict.float64_error else "exact"
    sizes = f"{verdict.proof.sizes}{argument}"
    return f"{{.verdict}}\n✓ proved for {sizes}; confirmed to {BITS_SHOWN} bits; {error} in float64."


def correction(misprint: Misprint, verdict: LineVerdict) -> Iterator[str]:
    """What is printed instead, and why that is false."""
    assert verdict.refuted
    yield f":::{{admonition}} Misprint\n:class: warning\nPrinted is\n\n$$\n{latex(misprint.printed)}\n$$\n"
    yield f"It is refuted: {misprint.why}.\n"
    yield f"```python\n{source(misprint.value)}\n```\n:::\n"


def definitions(module: ModuleType) -> Iterator[str]:
    """The functions that a module's lines use, each with a link to its source."""
    own = [f for f in vars(module).values() if inspect.isfunction(f) and f.__module__ == module.__name__]
    yield f":::{{dropdown}} What these lines call: the functions of `{module.__name__}`\n"
    for function in own:
        yield f"```{{py:function}} {function.__name__}{bare_signature(function)}\n:module: {module.__name__}\n"
        yield f"{inspect.getdoc(function)}\n```\n"
    yield ":::\n"


def bare_signature(function: Callable[..., Any]) -> str:
    """A signature without annotations, which are all `Any`."""
    return f"({', '.join(inspect.signature(function).parameters)})"


def sentence(words: str) -> str:
    """Words with a capital, unless they begin with mathematics, and a full stop."""
    first, *_ = words.split()
    capital = first.isalpha() and len(first) > 1 and first not in NAMED
    return (words[0].upper() if capital else words[0]) + words[1:] + "."


if __name__ == "__main__":
    MISPRINTS.write_text("\n".join(misprints()) + "\n", encoding="utf-8")
