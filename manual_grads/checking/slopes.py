"""Slopes by finite differences, with an error that is estimated from several steps; and whether there is a slope."""

from typing import Any

import jax
import numpy as np

from manual_grads.checking.judges import Oracles, differenced_at_once, leaves_of

STEPS = (0.03, 0.006, 0.0012, 0.00024)


def slopes_at(
    found: Oracles, points: list[Any], claimed: list[np.ndarray], inside: Any, values: list[Any], unsteady: Any
) -> Any:
    """Slopes by differences and their estimated errors, at some points (NaN elsewhere): the best of several steps.

    Those points are some of all, every one at which autodiff fails, and those at which noise undoes it (`unsteady`).
    Where the forward has rules of its own and they aren't its slope, there is no telling which of them is meant, so
    that every point is taken.
    """
    if found.stepped is None:
        return None, None
    n, chunk = len(inside), differenced_at_once(points)
    bad = [i for i in range(n) if inside[i] and not all(np.isfinite(leaf[i]).all() for leaf in claimed)]
    bad = bad[: 2 * chunk]  # more would take too long; those are not judged
    some = np.unique([*bad, *unsteady, *np.linspace(0, n - 1, chunk).astype(int)])
    slopes, errors = _stepped(found, points, some, chunk, claimed, values)
    if found.own_rules and any(
        (np.abs(leaf - slope) > 1e-4 * scale_of(slope) + error)[error < 1e-6 * scale_of(slope)].any()
        for leaf, slope, error in zip(claimed, slopes, errors, strict=True)
    ):
        return _stepped(found, points, np.arange(n), chunk, claimed, values)
    return slopes, errors


def _stepped(
    found: Oracles, points: list[Any], at: Any, chunk: int, claimed: list[np.ndarray], values: list[Any]
) -> Any:
    """The slopes at these points, so many at a time that one compiled function serves for all."""
    assert found.stepped is not None
    n = len(points[0])
    padded = np.resize(at, -(-len(at) // chunk) * chunk).reshape(-1, chunk)
    columns = [[leaves_of(found.stepped(h, *(x[part] for x in points))) for part in padded] for h in STEPS]
    # Values that are equal to the last bit have no gaps; the slope is still no better than their rounding lets it be.
    sizes = [np.abs(v).reshape(n, -1).max(-1) for v in values]
    rounding = 1e-10 * np.nan_to_num(np.max(sizes, axis=0), posinf=0.0) if sizes else np.zeros(n)
    slopes, errors = [], []
    for i, leaf in enumerate(claimed):
        of = np.stack([np.concatenate([part[i] for part in column])[: len(at)] for column in columns])
        with np.errstate(invalid="ignore"):
            gaps = np.abs(np.diff(of, axis=0))
        gaps = np.where(np.isfinite(gaps), gaps, np.inf)
        best = np.argmin(gaps, axis=0)[None]
        full, wide = np.full(leaf.shape, np.nan), np.full(leaf.shape, np.inf)
        full[at] = np.take_along_axis(of[1:], best, 0)[0]
        wide[at] = np.take_along_axis(gaps, best, 0)[0] + rounding[at].reshape(-1, *[1] * (leaf.ndim - 1))
        slopes.append(full)
        errors.append(wide)
    return slopes, errors


def spread_of_slopes(found: Oracles, points: list[Any], at: Any, slopes: list[np.ndarray], u: float) -> list[Any]:
    """How far the slopes at these points move, each leaf's largest, when every input is off by a part of 2u.

    Where autodiff fails, its noise says nothing of the conditioning; the slopes still do.
    """
    random = np.random.default_rng(4)
    moved = [np.zeros(len(leaf)) for leaf in slopes]
    for _ in range(2):
        off = [x * (1 + 2 * u * random.uniform(-1, 1, x.shape)) if x.dtype == np.float64 else x for x in points]
        there, _errors = _stepped(found, off, at, differenced_at_once(points), slopes, [])
        for m, s, t in zip(moved, slopes, there, strict=True):
            m[at] = np.fmax(m[at], np.nan_to_num(np.abs(t - s)[at].reshape(len(at), -1).max(-1)))
    return [m.reshape(-1, *[1] * (leaf.ndim - 1)) for m, leaf in zip(moved, slopes, strict=True)]


def disagreeing_directions(found: Oracles, points: list[Any]) -> np.ndarray:
    """Where the forward's own autodiff isn't its slope along some direction."""
    if found.directed is None:
        return np.zeros(len(points[0]), bool)
    steps = np.stack([np.asarray(found.directed(h, *points)) for h in STEPS])  # steps, points, way, direction
    slopes, gaps = steps[1:, :, 1], np.abs(np.diff(steps[:, :, 1], axis=0))
    best = np.argmin(np.nan_to_num(gaps, nan=np.inf), axis=0)[None]
    slope, error = (np.take_along_axis(of, best, 0)[0] for of in (slopes, gaps))
    off = np.abs(steps[0, :, 0] - slope)
    scale = np.abs(slope).max(-1, keepdims=True)
    return ((error < 1e-6 * scale) & (off > 30 * error + 1e-5 * scale)).any(-1)


def kinked(found: Oracles, points: list[Any], values: list[np.ndarray]) -> np.ndarray:
    """Where the forward has a kink: along a line, its second difference over h doesn't shrink with h."""
    random = np.random.default_rng(1)
    along = [random.normal(size=x.shape) if np.issubdtype(x.dtype, np.floating) else None for x in points]

    def bend(h: float) -> np.ndarray:
        ends = [
            jax.tree.leaves(
                found.value(*(x if d is None else x + s * h * d for x, d in zip(points, along, strict=True)))
            )
            for s in (-1, 1)
        ]
        bends = [np.abs(np.asarray(a) + np.asarray(b) - 2 * v) / h for a, b, v in zip(*ends, values, strict=True)]
        return np.max([np.max(x.reshape(len(x), -1), -1) for x in bends], axis=0)

    if not values:
        return np.zeros(len(points[0]), bool)
    with np.errstate(all="ignore"):
        return ~(bend(1e-4) <= 0.5 * bend(1e-3) + 1e-10)


def rows_of(mask: np.ndarray) -> np.ndarray:
    """The points at which any entry is."""
    return np.asarray(mask.reshape(len(mask), -1).any(1))


def scale_of(leaf: np.ndarray) -> np.ndarray:
    """The largest entry at each point."""
    finite = np.where(np.isfinite(leaf), np.abs(leaf), 0)
    return np.max(finite, tuple(range(1, leaf.ndim)), keepdims=True, initial=0)
