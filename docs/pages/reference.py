"""The reference: every public name, from its docstring and the registry; nothing about a function is written here."""

import argparse
import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import manual_grads
from docs.pages.accuracy import measured
from manual_grads import __main__, checking, nn, rules
from manual_grads.derivations.source import source
from manual_grads.formulas.textbook import textbook_form
from manual_grads.rules import RULES

SECTION = re.compile(r"^(Args|Returns|Raises|From):[ \n]", re.MULTILINE)
TITLES = {"Args": "Arguments", "Returns": "Returns", "Raises": "Raises", "From": "From"}


def write(folder: Path) -> None:
    """Writes a page for each public module, and one for the command line."""
    folder.mkdir(parents=True, exist_ok=True)
    for module in (manual_grads, nn, checking, rules):
        text = "\n".join(module_page(module))
        (folder / f"{module.__name__.rpartition('.')[2]}.md").write_text(text + "\n", encoding="utf-8")
    (folder.parent / "commands.md").write_text("\n".join(commands()) + "\n", encoding="utf-8")


def public(module: Any) -> list[str]:
    """The public names of a module: those that it exports, or else those that it defines."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", "") == module.__name__ and name[0] != "_" and not hasattr(value, "__bound__")
    ]


def module_page(module: Any) -> Iterator[str]:
    """A module's page in MyST."""
    yield f"# `{module.__name__}`\n\n```{{py:module}} {module.__name__}\n```\n"
    yield f"{(inspect.getdoc(module) or '').strip()}\n"
    if module is manual_grads:
        yield from overview()
    for name in public(module):
        value = getattr(module, name)
        yield f"## `{name}`\n"
        kind = "class" if isinstance(value, type) else "function"
        yield f"````{{py:{kind}}} {name}{signature(value)}\n:module: {module.__name__}\n"
        yield from described(module.__name__, name, value)
        yield "````\n"


def overview() -> Iterator[str]:
    """A table of the functions: each with the first sentence of its docstring, which is its formula."""
    yield "| function | formula | task |\n|---|---|---|"
    for name in public(manual_grads):
        formula = (inspect.getdoc(getattr(manual_grads, name)) or "").partition("\n")[0].replace("|", r"\vert ")
        task = RULES[name].equation if name in RULES else ""
        yield f"| {{py:func}}`~manual_grads.{name}` | {formula} | {task or 'beyond'} |"
    yield ""


def described(module: str, name: str, value: Any) -> Iterator[str]:
    """What the docstring says, its sections as lists; and what is known of a rule.

    Raises:
        ValueError: if there is no docstring, or an argument isn't in it.
    """
    first, sections = split(inspect.getdoc(value) or "")
    if not first:
        raise ValueError(f"{module}.{name} has no docstring, from which its page is made")
    yield f"{first}\n"
    types = annotations(value)
    missing = [each for each in types if "Args" in sections and not re.search(rf"^{each}: ", sections["Args"], re.M)]
    if missing:
        raise ValueError(f"the docstring of {module}.{name} says nothing of {', '.join(missing)}")
    for section, text in sections.items():
        yield f"**{TITLES[section]}**\n"
        yield from entries(text, types if section == "Args" else {}) if section in ("Args", "Raises") else [f"{text}\n"]
    if isinstance(value, type) and hasattr(value, "_fields"):
        yield "**Fields**\n"
        yield from (f"- `{field}`" for field in value._fields)
        yield ""
    if module == "manual_grads" and name in RULES:
        yield f"**Claim**\n\n`{name} == {RULES[name].claim}`, which `manual-grads verify` verifies. {measured(name)}\n"
        if form := textbook_form(RULES[name]):
            yield "**In a textbook's code**, for one example; that of this function is behind “source”:\n"
            yield f"```python\n{source(form)}\n```\n"


def split(docstring: str) -> tuple[str, dict[str, str]]:
    """A docstring's text, and its sections by their names, dedented."""
    first, *parts = SECTION.split(docstring)
    return first.strip(), {
        name: textwrap.dedent(text).strip() for name, text in zip(parts[::2], parts[1::2], strict=True)
    }


def entries(text: str, types: dict[str, str]) -> Iterator[str]:
    """The entries of a section, `name: what is said of it`, as a definition list."""
    for entry in re.split(r"\n(?=\S)", text):
        name, _, said = entry.partition(": ")
        kind = f" · `{types[name]}`" if types.get(name) else ""
        yield f"`{name}`{kind}\n: {' '.join(said.split())}\n"


def signature(value: Any) -> str:
    """The parameters with their defaults; their types stand with what is said of them."""
    if isinstance(value, type):
        return ""
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in inspect.signature(value).parameters.values()
    ]
    return str(inspect.Signature(parameters))


def annotations(value: Callable[..., Any]) -> dict[str, str]:
    """Each parameter's annotation as it is written, which has the shapes."""
    if isinstance(value, type):
        return {}
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(value)))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    every = [*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs]
    return {each.arg: ast.unparse(each.annotation) if each.annotation else "" for each in every}


def commands() -> Iterator[str]:
    """The command line's own help."""
    top = __main__.parser()
    yield f"```text\n{help_of(top)}```\n"
    (subcommands,) = (action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    for name, parser in subcommands.choices.items():
        yield f"## `manual-grads {name}`\n\n```text\n{help_of(parser)}```\n"


def help_of(parser: argparse.ArgumentParser) -> str:
    """A parser's help, as wide as a page and without colours."""
    parser.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=88)
    if hasattr(parser, "color"):
        parser.color = False  # pyright: ignore[reportAttributeAccessIssue] - from Python 3.14 on
    return parser.format_help()
