"""What each oracle returns at the points of a trial, before it is compared with the others."""

from typing import NamedTuple

import numpy as np

from manual_grads.checking.arrays import Leaf, Rows, active_size, eps_of, leaves_of, rows_of
from manual_grads.checking.truth.compiled import MAX_POINTS_DIFFERENCED, CompiledOracles
from manual_grads.checking.truth.kinks import COARSER, Kinks, kinks, may_jump
from manual_grads.checking.truth.noise import noise_of_inputs
from manual_grads.checking.truth.slopes import Slopes, disagreeing_directions, kinked, slopes_at, spread_of_slopes
from manual_grads.checking.truth.spread import Patterns, jumps, near_pole

# Noise of less than half an ULP would be rounded off again: it is made so many times larger, and its spread as much
# smaller. That is still far from where a derivative isn't linear in it.
MAGNIFICATION = 64.0
# Times the steps of differences. By chance one of these may have the same error, but hardly all.
SHORTER = (0.91, 0.83, 0.74)


class Evaluated(NamedTuple):
    """What the oracles return at the points."""

    u: float  # half of the trial's ε
    value: list[Leaf]  # the forward's
    inside: Rows  # where it is finite
    usual: Rows  # those inside that are usual
    judgeable: Rows  # those inside that noise doesn't take to a pole
    autodiff: list[Patterns]  # the claimed derivative under noise of u
    magnification: float  # of that noise
    magnified: list[Patterns]  # the claimed derivative under magnified noise of the oracles' own format
    by_other_steps: list[Patterns] | None  # where the claimed derivative is by differences
    kinks: list[Kinks]
    other_mode: dict[str, list[Leaf]]
    without_rules: list[Leaf] | None  # the claimed derivative of the forward without its own rules
    value_by_rules: list[Leaf] | None  # the forward's value when it is differentiated
    smooth: Rows  # where the forward has no kink
    refuted: Rows  # where a slope along some direction differs from autodiff
    slopes: Slopes | None
    conditioning: list[Leaf] | None  # how far the slopes move when the inputs do


def evaluated(oracles: CompiledOracles, points: list[Leaf], value: list[Leaf], usual: Rows, u: float) -> Evaluated:
    """Every oracle at the points where the forward has this value; slopes where autodiff fails or noise undoes it."""
    oracles_u = eps_of(oracles.format_name) / 2
    inside = finite_rows(value, len(points[0]))
    # Autodiff under noise of the format, and under noise of its own, which says how exact it is.
    magnified = oracles.under_noise(oracles.claimed, MAGNIFICATION * oracles_u, points)
    kinked_leaves = _kinks(oracles, points, magnified, usual & inside)
    fine = u <= oracles_u and not oracles.grants_products(u)
    autodiff = magnified if fine else oracles.under_noise(oracles.claimed, u, points, products=True)
    other_mode = {name: leaves_of(mode(*points)) for name, mode in oracles.modes.items()}
    # Where autodiff fails, or noise undoes it, the forward itself says whether there is a slope.
    claimed, usual = [leaf[:, 0] for leaf in autodiff], usual & inside
    failed = np.any([rows_of(~np.isfinite(leaf)) for leaf in claimed], axis=0)
    undone = np.any([rows_of(jumps(leaf)) for leaf in autodiff], axis=0)
    smooth = inside & ~kinked(oracles, points, value)
    pole = np.any([near_pole(leaf, active_size(leaf[:, 0], usual)) for leaf in autodiff], axis=0)
    odd = np.any([rows_of(leaf.odd) for leaf in kinked_leaves], axis=0)
    unsteady = np.flatnonzero(smooth & (undone | odd))[:MAX_POINTS_DIFFERENCED]
    slopes = slopes_at(oracles, points, claimed, inside, value, unsteady)
    doubtful = np.union1d(np.flatnonzero(inside & failed), unsteady).astype(int)
    conditioning = spread_of_slopes(oracles, points, doubtful, slopes.of, u) if slopes and len(doubtful) else None
    return Evaluated(
        u=u,
        value=value,
        inside=inside,
        usual=usual,
        judgeable=inside & (smooth | ~pole),
        autodiff=autodiff,
        magnification=MAGNIFICATION if fine else 1.0,
        magnified=magnified,
        by_other_steps=_by_other_steps(oracles, points),
        kinks=kinked_leaves,
        other_mode=other_mode,
        without_rules=leaves_of(oracles.without_rules(*points)) if oracles.without_rules else None,
        value_by_rules=leaves_of(oracles.value_by_rules(*points)) if oracles.value_by_rules else None,
        smooth=smooth,
        refuted=disagreeing_directions(oracles, points) & inside,
        slopes=slopes,
        conditioning=conditioning,
    )


def _by_other_steps(oracles: CompiledOracles, points: list[Leaf]) -> list[Patterns] | None:
    """What differences say by steps that are a little shorter, whose roundings are others."""
    if oracles.resteps is None:
        return None
    found = [leaves_of(oracles.resteps(factor, *points)) for factor in SHORTER]
    return [np.stack(leaves, 1) for leaves in zip(*found, strict=True)]


def _kinks(oracles: CompiledOracles, points: list[Leaf], fine: list[Patterns], usual: Rows) -> list[Kinks]:
    """The kinks of each leaf; larger noise is asked for only where noise moves anything so far as a kink would."""
    sizes = [active_size(leaf[:, 0], usual) for leaf in fine]
    coarser = fine
    if any(may_jump(leaf, size).any() for leaf, size in zip(fine, sizes, strict=True)):
        u = COARSER * MAGNIFICATION * eps_of(oracles.format_name) / 2
        coarser = oracles.under_noise(oracles.claimed, u, points)
    noise = noise_of_inputs(oracles.patterns, [x[0] for x in points])
    return [kinks(*leaf, noise) for leaf in zip(fine, coarser, sizes, strict=True)]


def finite_rows(value: list[Leaf], count: int) -> Rows:
    """The points at which every entry of the forward's value is finite."""
    return np.array([all(np.isfinite(leaf[i]).all() for leaf in value) for i in range(count)])
