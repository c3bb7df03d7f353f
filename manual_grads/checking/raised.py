"""Where somebody's own code raised an exception: the file, the line and what stands there."""

import os
import sysconfig
import traceback
from pathlib import Path

OURS = str(Path(__file__).parent.parent) + os.sep
LIBRARIES = tuple({sysconfig.get_path(kind) + os.sep for kind in ("stdlib", "platstdlib", "purelib", "platlib")})


def told(error: BaseException) -> str:
    """An exception with its notes; on a line of its own, the innermost place that is neither ours nor a library's."""
    # JAX's own note, of a line and a sentence about frames, says nothing about what was raised.
    notes = [note for note in getattr(error, "__notes__", ()) if not note.startswith("---")]
    return f"{type(error).__name__}: {'; '.join([str(error), *notes])}\n  {place(error)}"


def place(error: BaseException) -> str:
    """The file, the line and its text."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}: {(error.text or '').strip()}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    theirs = [frame for frame in frames if not frame.filename.startswith((OURS, *LIBRARIES))]
    innermost = (theirs or frames)[-1]
    return f"{innermost.filename}, line {innermost.lineno}, in {innermost.name}: {innermost.line}"
