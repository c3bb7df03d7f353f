"""A command as a process: whatever it prints can be printed, and it ends in the way that shells expect.

The exit status is 0 when all holds, 1 when anything fails, 2 when something is wrong with what was asked for; 128 more
than the signal's number where one ends it, as it is for programs that know nothing of signals.
"""

import codecs
import io
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import jax

INTERRUPTED, BROKEN_PIPE = 128 + signal.SIGINT, 128 + 13  # SIGPIPE is 13 wherever there is one
CLEAR_LINE_AND_SHOW_CURSOR = b"\r\x1b[2K\x1b[?25h"  # a progress bar may stand there, which hides it

# What an encoding lacks becomes "?", but where another character says the same: a tick must differ from a cross.
SIMILAR = {"✓": "+", "✗": "x", "−": "-", "′": "'", "×": "x", "·": "*", "∘": "o", "…": "~", "≠": "#", "∞": "8"}

children: set[subprocess.Popen[Any]] = set()


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
        BadInput: if it doesn't, as where JAX_PLATFORMS names one that isn't there.
    """
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:  # the latter, without a word, where JAX lacks the platform's plugin
        asked = os.environ.get("JAX_PLATFORMS", "")
        reason = f": {str(error).splitlines()[0]}" if str(error) else ""
        raise BadInput(f"JAX finds no device for JAX_PLATFORMS={asked}{reason}") from error


def status(name: str, command: Callable[[], int]) -> int:
    """A command's exit status; its `BadInput` is printed on stderr, after the name of the program."""
    try:
        return command()
    except BadInput as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2


def run(name: str, command: Callable[[], int]) -> int:
    """The same, of a process that does nothing else: its streams and signals are set, and not set back."""
    make_printable()
    end_at_once_on_interrupt(name)
    try:
        try:
            return status(name, command)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # who reads has seen enough, as `head` does; threads may be at work still
        os._exit(BROKEN_PIPE)


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


def end_at_once_on_interrupt(name: str) -> None:
    """Ends the process when SIGINT comes, with one line on stderr.

    Python would raise KeyboardInterrupt in the main thread, when that next runs Python, and then wait for the others:
    XLA may compile for many seconds in each. Python's handler in C writes the signal's number into a socket instead, at
    once, and a thread that waits for it ends the process.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return  # somebody wants it otherwise, as `nohup` does
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)  # open as long as the process lives

    def watch() -> None:
        while signal.SIGINT not in reader.recv(1):
            pass
        try:
            for child in tuple(children):
                child.kill()
            if sys.stderr.isatty():
                os.write(2, CLEAR_LINE_AND_SHOW_CURSOR)
            os.write(2, f"{name}: interrupted\n".encode())
        finally:
            os._exit(INTERRUPTED)

    threading.Thread(target=watch, daemon=True).start()
