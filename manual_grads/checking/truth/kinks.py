"""Kinks: where the derivative is another on one side than on the other, and what lies between the two is right.

Noise far below any format shows them. The same noise, many times as large, moves a smooth derivative as many times as
far; a kink it leaves where it is, as it is on the same side.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from manual_grads.checking.arrays import Entries, Leaf, along_leaf, scale_of
from manual_grads.checking.truth.spread import Patterns, jumps

COARSER = 16.0  # so many times as much noise is the larger one
SAME_SIDE = 0.1  # of the width of a jump: what noise moves by more isn't on one of the sides of a kink
MIN_JUMP = 1e-10  # of the largest entry: a smaller jump can't be told from the oracles' own roundings
# Of that, too: autodiff that is so far from what it is on both sides has met a place at which a function switches.
ODD = 1e-6
# What is allowed beyond the sides of a jump, times its width: of an entry that has a kink of its own; and of one whose
# kinks are those of several others, of which noise shows but some of the combinations.
BEYOND_OWN, BEYOND_SEVERAL = 0.05, 2.0


class Kinks(NamedTuple):
    """A leaf's kinks, and what its entries are beside them."""

    jumps: Entries  # where the derivative is seen to jump
    at: Entries  # where it may
    odd: Entries  # where it doesn't, and autodiff is another at the very point: there it isn't the derivative
    low: Leaf  # the least and
    high: Leaf  # the largest of what is right there, beside the point or at it
    beyond: Leaf  # how far outside of that a right one may be
    beside: Patterns  # what it is beside the point, under each pattern of noise


def may_jump(fine: Patterns, size: float) -> Entries:
    """What noise moves so far as it would at a kink: whether it is one, larger noise says."""
    beside = fine[:, 1:]
    return np.isfinite(beside).all(1) & (beside.max(1) - beside.min(1) > MIN_JUMP * _scale(fine, size))


def kinks(fine: Patterns, coarser: Patterns, size: float, noise: list[np.ndarray]) -> Kinks:
    """Where the derivative jumps, given what it is under noise, and under `COARSER` times as much of it.

    `size` is the derivative's at usual points, and `noise` is what each argument gets, `[patterns, *shape]`.
    """
    centre, beside = fine[:, 0], fine[:, 1:]
    low, high = beside.min(1), beside.max(1)
    width, moved = high - low, np.abs(coarser[:, 1:] - beside).max(1)
    scale = _scale(fine, size)
    finite = np.isfinite(beside).all(1) & np.isfinite(moved)
    lost = finite & ~np.isfinite(centre)  # autodiff has no number at the very point
    jumps = may_jump(fine, size) & finite & (moved < SAME_SIDE * width)
    odd = finite & ~jumps & (np.maximum(low - centre, centre - high) > ODD * scale + 8 * width)
    odd |= lost & ~jumps & (width <= ODD * scale)
    # Of the entries at a tie, noise may never choose one that a gradient chooses.
    widest = scale_of(np.where(jumps, width, 0.0))
    own = _own(jumps, beside, noise)
    at = jumps | (finite & (widest > 0) & ~own)
    return Kinks(
        jumps=jumps,
        at=at,
        odd=odd & ~at,
        low=np.where(at, np.fmin(low, centre), low),
        high=np.where(at, np.fmax(high, centre), high),
        beyond=np.where(own, BEYOND_OWN * width, BEYOND_SEVERAL * widest),
        beside=beside,
    )


def switches(fine: Patterns, coarser: Patterns) -> Entries:
    """Where noise changes numbers altogether, and more of it no further: a formula has gone to another branch.

    What it is there is a choice, which no rounding excuses.
    """
    centre, beside = fine[:, 0], fine[:, 1:]
    with np.errstate(invalid="ignore"):
        apart = np.abs(beside - centre[:, None]).min(1)
        width, moved = beside.max(1) - beside.min(1), np.abs(coarser[:, 1:] - beside).max(1)
        return jumps(fine) & (moved < SAME_SIDE * np.maximum(width, apart))


def _scale(fine: Patterns, size: float) -> Leaf:
    """The largest entry at each point, under any noise; what is small there altogether counts as it does elsewhere."""
    return np.maximum(np.max([scale_of(fine[:, i]) for i in range(fine.shape[1])], axis=0), size)


def _own(jumps: Entries, beside: Patterns, noise: list[np.ndarray]) -> Entries:
    """The points at which every entry that jumps does so with the noise of the argument's entry in the same place.

    As that of an elementwise function: then it has one kink, and both of its sides are known.
    """
    middle = (beside.min(1) + beside.max(1))[:, None] / 2
    side, half = np.sign(beside - middle), (beside.max(1) - middle[:, 0])[:, None]
    sharp = (np.abs(np.abs(beside - middle) - half) <= 0.1 * half).all(1)
    rows = np.zeros(len(jumps), bool)
    for given in noise:
        if given.shape[1:] == jumps.shape[1:]:
            together = side * np.sign(given[None, 1:])
            follows = sharp & (together == together[:, :1]).all(1)
            rows |= (follows | ~jumps).reshape(len(jumps), -1).all(1)
    return np.broadcast_to(along_leaf(rows, jumps), jumps.shape)


class Sum(NamedTuple):
    """A sum of entries that jump, and that doesn't jump itself: of several at a tie, one is chosen."""

    axes: tuple[int, ...]  # of the stacked leaf
    want: Leaf  # these axes have length one
    width: Leaf  # how far noise moves it
    at: Entries


def steady_sums(found: Kinks) -> Iterator[Sum]:
    """The sums along each axis and of all entries, where they are the same on all sides of a kink."""
    every = tuple(range(1, found.at.ndim))
    for axes in dict.fromkeys([*((axis,) for axis in every), every] if found.at.any() else []):
        sums = found.beside.sum(tuple(axis + 1 for axis in axes), keepdims=True)
        low, high = sums.min(1), sums.max(1)
        widest = np.where(found.jumps, found.high - found.low, 0.0).max(axes, keepdims=True)
        yield Sum(axes, (low + high) / 2, high - low, (widest > 0) & (high - low < ODD * widest))
