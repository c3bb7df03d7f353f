"""How a command begins, before it imports JAX: Ctrl-C ends it, and what JAX can't read in its variables is a line."""

import os
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

INTERRUPTED = 128 + signal.SIGINT
CLEAR_LINE_AND_SHOW_CURSOR = b"\r\x1b[2K\x1b[?25h"  # a progress bar may stand there, which hides it

children: set[subprocess.Popen[Any]] = set()  # that end with this process


def begin(name: str) -> None:
    """Imports JAX, which takes half a second. Exits with a line on stderr where it is interrupted, or can't be."""
    end_at_once_on_interrupt(name)
    try:
        import jax  # noqa: F401
    except Exception as error:  # JAX is missing, or one of its variables holds what it can't read
        print(f"{name}: JAX can't be imported: {error}", file=sys.stderr)
        sys.exit(2)


def end_at_once_on_interrupt(name: str) -> None:
    """Ends the process when SIGINT comes, with one line on stderr.

    Python would raise KeyboardInterrupt in the main thread, when that next runs Python, and then wait for the others:
    XLA may compile for many seconds in each. Python's handler in C writes the signal's number into a socket instead, at
    once, and a thread that waits for it ends the process.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return  # it is so already, or somebody wants it otherwise, as `nohup` does
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
