"""Repairs: of mistakes that are planted in backward passes, how often the line that is wrong is named."""

import sys
import time
from typing import Any
from unittest.mock import patch

import numpy as np
from rich.progress import track

from manual_grads.checking import GradientMismatch, check_gradient, mismatch
from manual_grads.checking.diagnosis.repair.repairs import repairs_of
from tests.checking.repair.mistakes import MISTAKES, every, mended, planted


def outcome(module: str, name: str, number: int) -> tuple[str, int, float]:
    """Where the right line is among the repairs; how many of these don't mend it; and the seconds that they took."""
    mistake, seconds = planted(module, name, number), []

    def timed(*args: Any) -> Any:
        start = time.perf_counter()
        found = repairs_of(*args)
        seconds.append(time.perf_counter() - start)
        return found

    with patch.object(mismatch, "repairs_of", timed):
        error = _rejection(mistake.entry)
    lines = [repair.line for repair in error.repairs]
    place = (
        "first" if lines[:1] == [mistake.line] else "among" if mistake.line in lines else "other" if lines else "none"
    )
    entries = [mended(mistake, repair, name) for repair in error.repairs]
    return place, sum(e is not None and not _passes(e) for e in entries), sum(seconds)


def _rejection(entry: Any) -> GradientMismatch:
    forward, manual, args, by = entry
    try:
        check_gradient(forward, manual, args, by, thorough=False)
    except GradientMismatch as error:
        return error
    raise ValueError("a wrong gradient passed")


def _passes(entry: Any) -> bool:
    forward, manual, args, by = entry
    try:
        check_gradient(forward, manual, args, by, thorough=False, repair_seconds=0)
    except Exception:  # GradientMismatch, or what the suggestion raises
        return False
    return True


def survey() -> list[tuple[str, str, int, float]]:
    """For each mistake: its file, and its outcome."""
    return [(each[0], *outcome(*each)) for each in track(every(), "repairs", disable=not sys.stdout.isatty())]


def table(found: list[tuple[str, str, int, float]]) -> str:
    """The survey as a section of Markdown."""
    rows = [
        "| mistakes | first suggestion | among at most three | none made | another line only | don't mend it "
        "| seconds, median | largest |",
        "|---|---|---|---|---|---|---|---|",
    ]
    apart = {
        "of the corpus": [f for f in found if f[0] != UNSEEN],
        "written after the search": [f for f in found if f[0] == UNSEEN],
    }
    for what, of in apart.items():
        places = [place for _, place, _, _ in of]
        first, among = places.count("first"), places.count("first") + places.count("among")
        seconds = [s for *_, s in of]
        rows.append(
            f"| {len(of)} {what} | {first} ({first / len(of):.0%}) | {among} ({among / len(of):.0%}) "
            f"| {places.count('none')} | {places.count('other')} | {sum(wrong for _, _, wrong, _ in of)} "
            f"| {np.median(seconds):.2g} | {max(seconds):.2g} |"
        )
    passes = sum(len(passes) for passes in MISTAKES.values())
    return HEAD.format(mistakes=len(found), passes=passes) + "\n".join(rows) + "\n"


UNSEEN = "unseen"
HEAD = """
## The line that is wrong

Where a gradient is wrong, `check_gradient` tries edits of its lines, and names those that make it right
(`GradientMismatch.repairs`). The corpus ([tests/checking/repair](../tests/checking/repair)) has {mistakes} mistakes of
one line in {passes} backward passes. Each suggestion is carried out, and the gradient checked again. Those of the
second row were written without looking at what the search finds; what they showed has been mended since, so that their
share is no longer that of mistakes that it has never seen. Seconds are beyond those of the check itself, which is at
the fewest points (`thorough=False`).

"""
