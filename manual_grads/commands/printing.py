"""What the commands' printed output has in common: a console, tables that fit it, ticks, JSON."""

import json
import math
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from textwrap import fill
from typing import IO, Any, NamedTuple, NoReturn

import jax
from rich.cells import cell_len
from rich.console import Console, ConsoleDimensions, Group, RenderableType
from rich.table import Table
from rich.text import Text

import manual_grads
from manual_grads.checking.report import WIDTH

SHORT = {"float16": "f16", "bfloat16": "bf16", "float32": "f32", "float64": "f64"}
NARROWEST = 24  # columns: in fewer, no name of a function fits


class _Console(Console):
    """Rich's, but that its width is `width_of`, and that a closed pipe is an exception, as it is for `print`."""

    otherwise = 120

    @property
    def size(self) -> ConsoleDimensions:  # pyright: ignore[reportIncompatibleMethodOverride] - never set
        return ConsoleDimensions(width_of(self.file, self.otherwise), height=25)

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def console(stream: IO[str] | None = None, otherwise: int = 120) -> Console:
    """A console as wide as its terminal, or as COLUMNS says; of `otherwise` columns in a file or a pipe."""
    # Without a size of its own it would read COLUMNS and LINES, and fail where they are no numbers.
    result = _Console(file=stream, markup=False, highlight=False, width=otherwise, height=25)
    result.otherwise = otherwise
    return result


def width_of(stream: IO[str], otherwise: int) -> int:
    """How many columns there are to print in."""
    asked = os.environ.get("COLUMNS", "")
    columns = int(asked) if asked.isdecimal() and len(asked) < 10 else 0
    if not columns and stream.isatty():
        columns = os.get_terminal_size(stream.fileno()).columns or 80  # some terminals don't know, and say 0
    return max(columns or otherwise, NARROWEST)


def is_terminal(stream: IO[str]) -> bool:
    """Whether a line that is printed can be changed afterwards."""
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


class Column(NamedTuple):
    """A column of a table."""

    heading: str
    right: bool = False  # aligned
    says: str = ""  # what stands in it, for the caption; nothing, where the heading says it
    spare: int = 0  # where the table is too wide, columns are left out, those with the largest number first; 0: never
    folds_at: int = 10**6  # characters, of which longer cells are folded into several lines


def fitting(
    out: Console, columns: Sequence[Column], rows: Sequence[Sequence[str | Text]], by: int | None = 0, **look: Any
) -> RenderableType:
    """A table of as many of the columns as there is room for; a line is drawn where the cell in column `by` changes.

    Where there is no room even for those that can't be spared, it is a paragraph a row.
    """
    widths = [
        max(min(cell_len(str(text)), column.folds_at) for text in (column.heading, *(row[i] for row in rows)))
        for i, column in enumerate(columns)
    ]

    def too_wide(kept: Sequence[int]) -> bool:
        return sum(widths[i] + 3 for i in kept) + 1 > out.width  # a border and two spaces each

    kept = list(range(len(columns)))
    for i in sorted((i for i in kept if columns[i].spare), key=lambda i: -columns[i].spare):
        if too_wide(kept):
            kept.remove(i)
    left_out = ", ".join(dict.fromkeys(c.heading for i, c in enumerate(columns) if i not in kept))
    says = dict.fromkeys(columns[i].says for i in kept if columns[i].says)  # two columns may say the same
    captions = [
        " ".join([*says, *filter(None, [look.pop("caption", "")])]),
        f"Not shown in {out.width} columns: {left_out}." if left_out else "",
    ]
    caption = "\n".join(filter(None, captions))
    if too_wide(kept):
        headings = ", ".join(columns[i].heading for i in kept if columns[i].heading)
        paragraphs = [Text("  ").join(Text.assemble(row[i]) for i in kept) for row in rows]
        return Group(Text(f"{look['title']} ({headings})", style="italic"), *paragraphs, Text(caption, style="dim"))
    table = Table(title_justify="left", caption=caption or None, caption_justify="left", **look)
    for i in kept:
        table.add_column(columns[i].heading, overflow="fold", justify="right" if columns[i].right else "left")
    for row, following in zip(rows, [*rows[1:], *rows[-1:]], strict=True):
        ends = by is not None and str(following[by]) != str(row[by])
        table.add_row(*(row[i] for i in kept), end_section=ends)
    return table


def print_failure(out: Console, text: str) -> None:
    """A failure's text, in red, wrapped for this console; what is to be pasted, which begins with imports, isn't."""
    lines = text.splitlines()
    for line in _unwrapped(lines) if out.width < WIDTH else lines:
        whole = len(line) <= out.width or line.lstrip().startswith("import ")
        out.print(Text(line if whole else _hanging(line, out.width), style="red"), soft_wrap=True)


def _unwrapped(lines: Iterable[str]) -> list[str]:
    """A line a paragraph: `checking.report.wrapped` ends a line within one where the next word has no room."""
    paragraphs: list[str] = []
    before = ""
    for line in lines:
        word = line.split()[0] if line.strip() else ""
        if before and word and len(line) <= WIDTH and len(before) <= WIDTH < len(before) + 1 + len(word):
            paragraphs[-1] += f" {line.strip()}"
        else:
            paragraphs.append(line)
        numbered = line.lstrip()[:1].isdigit() and line.lstrip()[1:].startswith(". ")
        before = f"   {line}" if numbered else line  # of causes, the first line is moved to the left when it is wrapped
    return paragraphs


def _hanging(line: str, width: int) -> str:
    """A paragraph, wrapped, all of it but the first line moved to the right, beyond a number that it begins with."""
    by = len(line) - len(line.lstrip())
    return fill(
        line.strip(),
        width,
        initial_indent=" " * by,
        subsequent_indent=" " * (by + 3),
        break_long_words=False,
        break_on_hyphens=False,
    )


def indented(text: str, by: int, width: int, style: str = "") -> Text:
    """A paragraph, wrapped, all of it moved to the right."""
    return Text(fill(text, width, initial_indent=" " * by, subsequent_indent=" " * by), style=style)


def mark(right: bool) -> Text:
    """A tick or a cross."""
    return Text("✓", style="green") if right else Text("✗", style="red")


def print_json(**results: Any) -> None:
    """The results, with the versions and the device that they were found with; null for what is no number."""
    results |= found_with()
    any_character = (sys.stdout.encoding or "utf-8").lower().replace("-", "") == "utf8"
    print(json.dumps(finite(results), indent=2, ensure_ascii=not any_character, allow_nan=False))


def found_with() -> dict[str, Any]:
    """The versions and the device that results are found with."""
    device = jax.devices()[0]
    versions = {package: version(package) for package in ("jax", "jaxlib", "numpy")}
    versions |= {"manual-grads": manual_grads.__version__, "python": platform.python_version()}
    return {"versions": versions, "device": f"{device.platform}: {device.device_kind}"}


def finite(value: Any) -> Any:
    """The same with None for numbers that JSON doesn't have: infinities and NaN."""
    if isinstance(value, dict):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
