"""Slopes by finite differences, with an error that is estimated from several steps; and whether there is a slope."""

from typing import Any, NamedTuple

import jax
import numpy as np

from manual_grads.checking.arrays import Leaf, Rows, along_leaf, leaves_of, scale_of
from manual_grads.checking.compiling import Compiled
from manual_grads.checking.truth.compiled import CompiledOracles, differenced_at_once

STEPS = (0.03, 0.006, 0.0012, 0.00024)  # each a fifth of the one before: the truncation error shrinks by 5⁶


class Slopes(NamedTuple):
    """For each leaf of the result, its slopes and their estimated errors; NaN and infinity where none were taken."""

    of: list[Leaf]
    errors: list[Leaf]


def slopes_at(
    oracles: CompiledOracles,
    points: list[Leaf],
    claimed: list[Leaf],
    inside: Rows,
    values: list[Leaf],
    unsteady: np.ndarray,
) -> Slopes | None:
    """Slopes at some of the points, the best of several steps; none, where they aren't to be had.

    Those points are every one at which autodiff fails, those at which noise undoes it (`unsteady`), and, unless slopes
    are taken in doubt alone, some of all.
    Where the forward has rules of its own and they aren't its slope, there is no telling which of them is meant, so
    that every point is taken.
    """
    if oracles.stepped is None:
        return None
    n, chunk = len(inside), differenced_at_once(points)
    failing = [i for i in range(n) if inside[i] and not all(np.isfinite(leaf[i]).all() for leaf in claimed)]
    failing = failing[: 2 * chunk]  # more would take too long; those are not judged
    spread_out = [] if oracles.in_doubt_alone else np.linspace(0, n - 1, chunk)
    some = np.unique([*failing, *unsteady, *spread_out]).astype(int)
    if not len(some):
        return None
    try:
        slopes = stepped_slopes(oracles.stepped, points, some, claimed, values)
    except Exception:
        if oracles.in_doubt_alone:  # it wasn't asked before whether there are differences to be had
            return None
        raise
    if oracles.own_rules and any(
        (np.abs(leaf - slope) > 1e-4 * scale_of(slope) + error)[error < 1e-6 * scale_of(slope)].any()
        for leaf, slope, error in zip(claimed, slopes.of, slopes.errors, strict=True)
    ):
        return stepped_slopes(oracles.stepped, points, np.arange(n), claimed, values)
    return slopes


def stepped_slopes(
    stepped: Compiled, points: list[Leaf], at: np.ndarray, like: list[Leaf], values: list[Leaf]
) -> Slopes:
    """The slopes at these points, so many at a time that one compiled function serves for all."""
    n, chunk = len(points[0]), differenced_at_once(points)
    padded = np.resize(at, -(-len(at) // chunk) * chunk).reshape(-1, chunk)
    columns = [[leaves_of(stepped(h, *(x[part] for x in points))) for part in padded] for h in STEPS]
    # Values that are equal to the last bit have no gaps; the slope is still no better than their rounding lets it be.
    sizes = [np.abs(v).reshape(n, -1).max(-1) for v in values]
    rounding = 1e-10 * np.nan_to_num(np.max(sizes, axis=0), posinf=0.0) if sizes else np.zeros(n)
    slopes = Slopes([], [])
    for i, leaf in enumerate(like):
        by_step = np.stack([np.concatenate([part[i] for part in column])[: len(at)] for column in columns])
        with np.errstate(invalid="ignore"):
            gaps = np.abs(np.diff(by_step, axis=0))
        gaps = np.where(np.isfinite(gaps), gaps, np.inf)
        best = np.argmin(gaps, axis=0)[None]
        slope, error = np.full(leaf.shape, np.nan), np.full(leaf.shape, np.inf)
        slope[at] = np.take_along_axis(by_step[1:], best, 0)[0]
        error[at] = np.take_along_axis(gaps, best, 0)[0] + along_leaf(rounding[at], leaf)
        slopes.of.append(slope)
        slopes.errors.append(error)
    return slopes


def spread_of_slopes(
    oracles: CompiledOracles, points: list[Leaf], at: np.ndarray, slopes: list[Leaf], u: float
) -> list[Leaf]:
    """How far the slopes at these points move, each leaf's largest, when every input is off by a part of 2u.

    Where autodiff fails, its noise says nothing of the conditioning; the slopes still do.
    """
    assert oracles.stepped is not None
    random = np.random.default_rng(4)
    distances = [np.zeros(len(leaf)) for leaf in slopes]
    for _ in range(2):
        off = [x * (1 + 2 * u * random.uniform(-1, 1, x.shape)) if x.dtype == np.float64 else x for x in points]
        there = stepped_slopes(oracles.stepped, off, at, slopes, [])
        for distance, s, t in zip(distances, slopes, there.of, strict=True):
            gap = np.nan_to_num(np.abs(t - s)[at].reshape(len(at), -1).max(-1))
            distance[at] = np.fmax(distance[at], gap)
    return [along_leaf(distance, leaf) for distance, leaf in zip(distances, slopes, strict=True)]


def disagreeing_directions(oracles: CompiledOracles, points: list[Leaf]) -> Rows:
    """Where the forward's own autodiff isn't its slope along some direction."""
    if oracles.directed is None:
        return np.zeros(len(points[0]), bool)
    # Axes: steps, points, ways (autodiff, differences), directions.
    by_step = np.stack([np.asarray(oracles.directed(h, *points)) for h in STEPS])
    slopes, gaps = by_step[1:, :, 1], np.abs(np.diff(by_step[:, :, 1], axis=0))
    best = np.argmin(np.nan_to_num(gaps, nan=np.inf), axis=0)[None]
    slope, error = (np.take_along_axis(of, best, 0)[0] for of in (slopes, gaps))
    off = np.abs(by_step[0, :, 0] - slope)
    scale = np.abs(slope).max(-1, keepdims=True)
    return ((error < 1e-6 * scale) & (off > 30 * error + 1e-5 * scale)).any(-1)


def kinked(oracles: CompiledOracles, points: list[Leaf], values: list[Leaf]) -> Rows:
    """Where the forward has a kink: along a line, its second difference over h doesn't shrink with h."""
    random = np.random.default_rng(1)
    along = [random.normal(size=x.shape) if np.issubdtype(x.dtype, np.floating) else None for x in points]

    def at(offset: float) -> list[Any]:
        ahead = (x if d is None else x + offset * d for x, d in zip(points, along, strict=True))
        return jax.tree.leaves(oracles.value(*ahead))

    def bend(h: float) -> np.ndarray:
        bends = [
            np.abs(np.asarray(a) + np.asarray(b) - 2 * v) / h for a, b, v in zip(at(-h), at(h), values, strict=True)
        ]
        return np.max([np.max(x.reshape(len(x), -1), -1) for x in bends], axis=0)

    if not values:
        return np.zeros(len(points[0]), bool)
    with np.errstate(all="ignore"):
        return ~(bend(1e-4) <= 0.5 * bend(1e-3) + 1e-10)
