"""How wrong a result is: each entry's error as a part of what is allowed, and in ULP."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from manual_grads.checking.arrays import Leaf
from manual_grads.checking.truth.expected import Expected, ExpectedLeaf, ExpectedSum

# A part of the leaf's usual size: an entry below it counts as if it were that large, in ULP.
SMALLEST_COUNTED = 2.0**-4


class WorstEntry(NamedTuple):
    """The worst entry of a call's results."""

    ratio: float  # its error as a part of the allowance; above one is wrong
    ulp: float  # the largest error of an entry, in ULP of it
    leaf: int
    point: int
    place: tuple[int, ...]  # within the leaf
    got: float
    want: float


def ulps(error: Any, want: Any, dtype: Any) -> Any:
    """Errors in ULP of the wanted values."""
    info = jnp.finfo(dtype)
    exponent = np.frexp(np.maximum(np.abs(want), float(info.smallest_normal)))[1] - 1
    with np.errstate(all="ignore"):
        return error / np.ldexp(float(info.eps), exponent)


def ratios(got: Leaf, expected: ExpectedLeaf, points: np.ndarray) -> Float[np.ndarray, "points *leaf"]:
    """Each entry's error as a part of its allowance; 0 where nothing can be said, infinity for NaN.

    `got` is what a call returned for those `points` of the expected leaf.
    """
    with np.errstate(all="ignore"):
        outside = _outside(got, expected.low[points], expected.high[points])
        error = np.fmin(outside, np.abs(got - expected.also[points]))
        ratio = error / expected.allowance[points]
    ratio = np.where(np.isnan(ratio), np.where(np.isfinite(got), 0.0, np.inf), ratio)
    ratio = np.where(expected.decided[points], ratio, 0.0)
    for total in expected.sums:
        ratio = np.maximum(ratio, ratios_of_sum(got, total, points))
    return ratio


def ratios_of_sum(got: Leaf, expected: ExpectedSum, points: np.ndarray) -> Leaf:
    """Each sum's error as a part of its allowance, likewise."""
    with np.errstate(all="ignore"):
        error = np.abs(got.sum(expected.axes, keepdims=True) - expected.want[points]) / expected.allowance[points]
    return np.where(expected.decided[points], np.nan_to_num(error, nan=np.inf), 0.0)


def _outside(got: Leaf, low: Leaf, high: Leaf) -> Leaf:
    """How far numbers are from what lies between two others."""
    return np.maximum(np.maximum(low - got, got - high), 0)


def worst_entry(leaves: list[Leaf], expected: Expected, points: np.ndarray, dtype: Any) -> WorstEntry:
    """The worst entry of several results."""
    found = WorstEntry(ratio=0.0, ulp=0.0, leaf=0, point=int(points[0]), place=(), got=0.0, want=0.0)
    for i, (got, leaf) in enumerate(zip(leaves, expected.leaves, strict=True)):
        ratio = ratios(got, leaf, points)
        want = leaf.want[points]
        floor = np.maximum(np.abs(want), leaf.size * SMALLEST_COUNTED)
        with np.errstate(all="ignore"):
            ulp = np.where((leaf.decided & leaf.known_to_ulp)[points], ulps(np.abs(got - want), floor, dtype), 0.0)
        ulp = np.where(np.isfinite(ulp), ulp, np.inf if (ratio == np.inf).any() else 0.0)
        largest_ulp = max(found.ulp, float(ulp.max(initial=0.0)))
        at = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
        if ratio.size and ratio[at] > found.ratio:
            found = WorstEntry(
                ratio=float(ratio[at]),
                ulp=largest_ulp,
                leaf=i,
                point=int(points[at[0]]),
                place=tuple(int(k) for k in at[1:]),
                got=float(got[at]),
                want=float(want[at]),
            )
        found = found._replace(ulp=largest_ulp)
    return found
