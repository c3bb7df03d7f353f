"""The code that a line of the document is, and where it stands."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple


class Place(NamedTuple):
    """A line of a file."""

    file: Path
    number: int


def place(function: Callable[..., Any]) -> Place:
    """Where a function's code begins."""
    return Place(Path(function.__code__.co_filename), function.__code__.co_firstlineno)


def source(function: Callable[..., Any]) -> str:
    """The code of a function: a lambda as it is written, or a function without its annotations and its docstring."""
    return _lambda(function) if function.__name__ == "<lambda>" else _function(function)


def _function(function: Callable[..., Any]) -> str:
    whole = textwrap.dedent(inspect.getsource(function))
    tree = ast.parse(whole).body[0]
    assert isinstance(tree, ast.FunctionDef)
    body = tree.body[1:] if ast.get_docstring(tree) else tree.body
    head = f"def {function.__name__}({', '.join(inspect.signature(function).parameters)}):"
    return "\n".join([head, *whole.splitlines()[body[0].lineno - 1 :]])


def _lambda(function: Callable[..., Any]) -> str:
    text, lambdas = _parsed(place(function).file)
    first = min((node for node in lambdas if node.lineno == place(function).number), key=lambda node: node.col_offset)
    segment = ast.get_source_segment(text, first)
    assert segment
    head, *rest = segment.splitlines()
    return "\n".join([head, *textwrap.indent(textwrap.dedent("\n".join(rest)), "    ").splitlines()])


@cache
def _parsed(file: Path) -> tuple[str, list[ast.Lambda]]:
    """A file's text and its lambdas."""
    text = file.read_text(encoding="utf-8")
    return text, [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Lambda)]
