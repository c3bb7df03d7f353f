"""Where somebody's own code raised an exception: the file, the line and what stands there."""

import inspect
import linecache
import os
import sysconfig
import traceback
from pathlib import Path
from typing import Any

OURS = str(Path(__file__).parent.parent) + os.sep
LIBRARIES = tuple({sysconfig.get_path(kind) + os.sep for kind in ("stdlib", "platstdlib", "purelib", "platlib")})


def first_line(error: BaseException) -> str:
    """An exception's kind and the first line of what it says."""
    return f"{type(error).__name__}: {message(error)}".splitlines()[0].removesuffix(": ")


def told(error: BaseException, otherwise: str = "") -> str:
    """An exception with its notes; on a line of its own, the innermost place that is neither ours nor a library's.

    Where it has none, the place is `otherwise`: what was running, such as a rule's own line.
    """
    # JAX's own note, of a line and a sentence about frames, says nothing about what was raised.
    notes = [note for note in map(str, getattr(error, "__notes__", ())) if not note.startswith("---")]
    return f"{type(error).__name__}: {'; '.join([message(error), *notes])}\n  {place(error, otherwise)}"


def message(error: BaseException) -> str:
    """Its text; what is the matter with that, where it has none to give."""
    try:
        return str(error)
    except Exception as another:
        return f"(no message: its __str__ raises {type(another).__name__})"


def place(error: BaseException, otherwise: str = "") -> str:
    """The file, the line and its text. What `exec` runs has no file: then it is the line that calls `exec`."""
    if isinstance(error, SyntaxError) and error.filename and not _is_made_up(error.filename):
        return f"{error.filename}, line {error.lineno}: {(error.text or '').strip()}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_made_up(frame.filename)]
    theirs = [frame for frame in frames if not frame.filename.startswith((OURS, *LIBRARIES))]
    if (not theirs and otherwise) or not frames:
        return otherwise or "no place is known"
    innermost = (theirs or frames)[-1]
    return f"{innermost.filename}, line {innermost.lineno}, in {innermost.name}: {innermost.line}"


def written_at(function: Any) -> str:
    """The file, the line and its text where a function's definition begins; nothing, for one that isn't Python's."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return ""
    line = linecache.getline(code.co_filename, code.co_firstlineno).strip()
    return f"{code.co_filename}, line {code.co_firstlineno}, in {code.co_name}: {line}"


def _is_made_up(filename: str) -> bool:
    """Whether it is no file's name: <string>, <frozen importlib._bootstrap>."""
    return filename.startswith("<")
