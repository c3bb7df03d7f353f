"""Where in the user's code an equation comes from. JAX keeps that, and tells it by an internal module alone."""

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax

import manual_grads.checking

# Code that isn't the user's: JAX's, and the check's own.
NOT_THE_USERS = tuple(os.path.dirname(module.__file__ or "") + os.sep for module in (jax, manual_grads.checking))
DIFFERENTIATING = os.path.join("interpreters", "ad.py")
LIBRARIES = f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}"


class Frame(NamedTuple):
    """A call in progress: the function, and the part of its source, lines from 1 and columns in bytes from 0."""

    file: str
    function: str
    line: int
    column: int
    end_line: int
    end_column: int

    @property
    def is_in_library(self) -> bool:
        """Whether the code is that of an installed package."""
        return any(part in self.file for part in LIBRARIES)


def frames_of(eqn: Any) -> tuple[Frame, ...]:
    """The user's frames, the innermost first; none, where this JAX doesn't tell."""
    try:
        traceback = eqn.source_info.traceback
        return _frames(traceback) if traceback is not None else ()
    except Exception:  # an internal that other versions of JAX have changed
        return ()


@contextmanager
def frames_of_rules() -> Iterator[None]:
    """Has JAX keep the frames of a rule's backward function, and not those of the call that is differentiated."""
    try:
        from jax._src import source_info_util

        told = source_info_util.current
    except Exception:  # an internal that other versions of JAX have changed
        yield
        return

    def current() -> Any:
        info = told()
        try:
            kind: Any = type(info.traceback)
            here = kind.get_traceback()
            return info.replace(traceback=here) if _is_called_back(here) else info
        except Exception:  # as above
            return info

    source_info_util.current = current
    try:
        yield
    finally:
        source_info_util.current = told


def _is_called_back(traceback: Any) -> bool:
    """Whether the innermost code that isn't JAX's was called by its reverse mode, and not the other way round."""
    for frame in traceback.frames:
        if frame.file_name.endswith(DIFFERENTIATING):
            return False
        if not frame.file_name.startswith(NOT_THE_USERS):
            return True
    return False


# Equations of one line share their traceback; and each takes longer to read than to evaluate the equation.
@functools.lru_cache(maxsize=4096)
def _frames(traceback: Any) -> tuple[Frame, ...]:
    from jax._src.source_info_util import user_frames

    frames = [
        Frame(f.file_name, f.function_name, f.start_line, f.start_column, f.end_line, f.end_column)
        for f in user_frames(traceback)
    ]
    return tuple(frame for frame in frames if not frame.file.startswith(NOT_THE_USERS))


def is_of_jax(jaxpr: Any) -> bool:
    """Whether a jaxpr is that of a function of JAX itself, which the user calls and can't edit."""
    about = getattr(getattr(jaxpr, "jaxpr", jaxpr), "debug_info", None)
    where = str(getattr(about, "func_src_info", "")).rpartition(" at ")[2]
    return where.startswith(NOT_THE_USERS[0])


class Function(NamedTuple):
    """A function that a jaxpr is of: its name, its place, and what it calls its arguments' arrays ("" if unknown)."""

    name: str
    file: str
    line: int
    arguments: tuple[str, ...]


def function_of(jaxpr: Any) -> Function:
    """The function that a jaxpr is of, as far as it is known."""
    about = getattr(getattr(jaxpr, "jaxpr", jaxpr), "debug_info", None)
    name, _, where = str(getattr(about, "func_src_info", "")).partition(" at ")
    file, _, line = where.partition(":") if not where[1:2] == ":" else where.rpartition(":")
    number = line.split(" ")[0].split(":")[0]
    return Function(
        name, file, int(number) if number.isdecimal() else 0, tuple(getattr(about, "arg_names", None) or ())
    )
