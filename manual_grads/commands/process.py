"""A command as a process: whatever it prints can be printed, and it ends in the way that shells expect.

The exit status is 0 when all holds, 1 when anything fails, 2 when something is wrong with what was asked for; 128 more
than the signal's number where one ends it, as it is for programs that know nothing of signals.
"""

import codecs
import io
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import jax

from manual_grads.commands.starting import INTERRUPTED, children, end_at_once_on_interrupt

BROKEN_PIPE = 128 + 13  # SIGPIPE is 13 wherever there is one

# What an encoding lacks becomes "?", but where another character says the same: a tick must differ from a cross.
SIMILAR = {"✓": "+", "✗": "x", "−": "-", "′": "'", "×": "x", "·": "*", "∘": "o", "…": "~", "≠": "#", "∞": "8"}


class BadInput(Exception):
    """What was asked for can't be done; the text says what it was, what was expected, and what to do."""


def child(words: list[str], timeout: float | None = None, **options: Any) -> subprocess.CompletedProcess[Any]:
    """`subprocess.run`, of a process that ends with this one: a terminal's Ctrl-C would otherwise be told to both."""
    with subprocess.Popen(words, start_new_session=True, **options) as started:
        children.add(started)
        try:
            output, errors = started.communicate(timeout=timeout)
        except BaseException:
            started.kill()
            raise
        finally:
            children.discard(started)
    return subprocess.CompletedProcess(words, started.returncode, output, errors)


def require_device() -> None:
    """Does nothing where JAX finds a device.

    Raises:
        BadInput: if it doesn't, as where JAX_PLATFORMS names one that isn't there; with what variables ask for.
    """
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:  # the latter, without a word, where JAX lacks the platform's plugin
        about = [name for name in sorted(os.environ) if "DEVICE" in name or "PLATFORM" in name]
        asked = " ".join(f"{name}={os.environ[name]}" for name in about if name.startswith(("JAX_", "CUDA_")))
        reason = f": {str(error).splitlines()[0]}" if str(error) else ""
        raise BadInput(f"JAX finds no device{f' for {asked}' if asked else ''}{reason}") from error


def status(name: str, command: Callable[[], int]) -> int:
    """A command's exit status; its `BadInput` is printed on stderr, after the name of the program."""
    try:
        return command()
    except BadInput as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # raised by somebody's rule; a terminal's never comes so far
        print(f"{name}: interrupted", file=sys.stderr)
        return INTERRUPTED


def run(name: str, command: Callable[[], int]) -> int:
    """The same, of a process that does nothing else: its streams and signals are set, and not set back."""
    make_printable()
    end_at_once_on_interrupt(name)
    try:
        try:
            ended = status(name, command)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # who reads has seen enough, as `head` does; threads may be at work still
        os._exit(BROKEN_PIPE)
    except OSError as error:
        if error.filename is not None:
            raise
        # Of no file that is opened, but of what is written to one: the disk is full. Python would try again at its end.
        with suppress(OSError):
            print(f"{name}: what it prints can't be written: {error.strerror}", file=sys.stderr)
        os._exit(1)
    if ended == INTERRUPTED:  # threads may be at work still
        os._exit(ended)
    return ended


def make_printable() -> None:
    """Replaces characters that an output's encoding lacks, rather than raise an exception."""
    sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))  # if closed
    codecs.register_error("similar", similar)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="similar")


def similar(error: UnicodeError) -> tuple[str, int]:
    """An error handler as `codecs` wants it: characters in place of those that can't be encoded, and where to go on."""
    assert isinstance(error, UnicodeEncodeError)
    return "".join(SIMILAR.get(character, "?") for character in error.object[error.start : error.end]), error.end
