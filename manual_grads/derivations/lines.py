"""What a line of the document is: how it reads, what it computes, and what was misprinted in it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np


class Misprint(NamedTuple):
    """A line as printed, where that is false. `value` computes what is printed (or raises, if its shapes don't fit)."""

    printed: str
    value: Callable[..., Any]
    why: str


class Line(NamedTuple):
    """A line of the document (corrected, where there is a misprint) and the expression it stands for."""

    text: str
    value: Callable[..., Any]
    misprint: Misprint | None = None
    reason: str = ""  # why it equals the line before; of a first line, what it is. The document gives none


class Draw(Protocol):
    """Draws an array of numbers of some kind: symbols of that name, random floats, or random balls."""

    def __call__(self, name: str, *shape: int, positive: bool = False) -> Any:
        """An array of that shape (a scalar if none is given)."""
        ...


class Chain(NamedTuple):
    """Lines joined by equality signs. All take the same arguments; `cases` lists those to try, given a `Draw`.

    If these depend on sizes, `cases` takes those to draw as its second argument, each a number or a tuple of several.
    """

    task: str
    cases: Callable[..., Iterator[tuple[Any, ...]]]
    lines: tuple[Line, ...]
    sizes: tuple[str, ...] = ("K",)  # their names: K is the number of classes

    def cases_at(self, draw: Draw, sizes: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """The cases of one size, or of one tuple of sizes."""
        return self.cases(draw, [tuple(sizes) if len(sizes) > 1 else sizes[0]]) if sizes else self.cases(draw)


def random_draw(seed: int, number: Callable[[np.ndarray], Any]) -> Draw:
    """Draws the same random floats for each kind of number: from (0.1, 2) if positive, else from (−2, 2)."""
    random = np.random.default_rng(seed)

    def draw(name: str, *shape: int, positive: bool = False) -> Any:
        del name
        return number(random.uniform(0.1 if positive else -2.0, 2.0, shape))

    return draw
