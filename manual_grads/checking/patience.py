"""What to say when a check doesn't return, for what XLA runs can't be interrupted."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

SECONDS = 120.0  # more than any check takes of what ends at every scale


@contextmanager
def told_if_slow(what: str, scales: bool, seconds: float = SECONDS) -> Iterator[None]:
    """Says on stderr, once, that the functions are still being run, and how to leave out the points at fault."""
    way = "fewer scales=" if scales else "scales=(0.1, 1), which leaves out the far ones"
    text = (
        f"{what}: still running its functions, after {seconds:.0f} s. If one of them doesn't end, as a solver may not "
        f"far from its example, give {way}, or domain="
    )
    timer = Timer(seconds, print, [text], {"file": sys.stderr, "flush": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
