"""How far a command is: a bar on a terminal; in a file or a log, a line for each thing as soon as it is done."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from rich import progress
from rich.console import Console
from rich.text import Text

from manual_grads.commands.printing import console, is_terminal


@contextmanager
def progressing(out: Console, what: str, total: int, as_json: bool) -> Iterator[Callable[[Text | None], None]]:
    """Yields a function to be called, from any thread, when one of `total` things is done, with what a log says of it.

    A bar is on the terminal where the results will be, or where they are JSON, on stderr's.
    """
    stream = sys.stderr if as_json else sys.stdout
    if is_terminal(stream):
        with progress.Progress(console=console(stream) if as_json else out, transient=True) as bar:
            task = bar.add_task(what, total=total)
            yield lambda said: bar.advance(task)
        return
    if as_json:
        yield lambda said: None
        return
    lock = Lock()

    def say(said: Text | None) -> None:
        if said is not None:
            with lock:
                out.print(said)

    say(Text(f"{what}: a line as each part is done"))
    yield say
    say(Text())
