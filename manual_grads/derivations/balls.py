"""The document's lines over balls (python-flint): a value with a rigorous bound on its error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import flint
import numpy as np
from flint import arb, arb_series

from manual_grads.derivations.numbers import as_objects, differentiate, exp, log, objects

for ball in (arb, arb_series):
    exp.register(ball, lambda z: z.exp())
    log.register(ball, lambda z: z.log())


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """A context in which balls are computed with so many bits."""
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        yield
    finally:
        flint.ctx.prec = before


@differentiate.register
def differentiate_by_series(number: arb, f: Callable[[Any], Any], x: Any) -> Any:
    """$df/dx$ as the first-order term of f(x + εe), for each unit vector e: no rule of differentiation is involved."""
    at: Any = as_objects(x)

    def slope(direction: tuple[int, ...]) -> np.ndarray:
        series = [arb_series([at[index], int(index == direction)], prec=2) for index in np.ndindex(at.shape)]
        value = as_objects(f(objects(series, at.shape)[()]))
        return objects([out[1] if isinstance(out, arb_series) else arb(0) for out in value.flat], value.shape)

    slopes = [slope(direction) for direction in np.ndindex(at.shape)]
    return np.stack(slopes, axis=-1).reshape(slopes[0].shape + at.shape)[()]


def as_balls(numbers: np.ndarray) -> Any:
    """Floats as balls, which hold them exactly."""
    return objects((arb(float(number)) for number in numbers.flat), numbers.shape)[()]


def overlap(left: Any, right: Any) -> bool:
    """Whether two lines may be equal: their shapes are, and no entry's balls are disjoint.

    That they are disjoint proves the lines unequal. That they overlap shows them equal to as many digits as the balls
    have, which is why the balls must be tiny: `widest` says how wide they are.
    """
    left, right = as_objects(left), as_objects(right)
    return left.shape == right.shape and all(
        arb(a).overlaps(arb(b)) for a, b in zip(left.flat, right.flat, strict=True)
    )


def widest(value: Any) -> float:
    """The largest radius among the balls of an array."""
    return max(float(arb(entry).rad()) for entry in as_objects(value).flat)
