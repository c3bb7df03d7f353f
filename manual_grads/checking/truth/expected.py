"""What a gradient should be, and how far from that a right one may be: oracles that must agree before they judge."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from manual_grads.checking.arrays import (
    Entries,
    Leaf,
    Rows,
    along_leaf,
    eps_of,
    leaves_of,
    rows_of,
    scale_of,
    usual_size,
)
from manual_grads.checking.truth.agreement import Remark, Sides, agreed
from manual_grads.checking.truth.compiled import MAX_POINTS_DIFFERENCED, CompiledOracles
from manual_grads.checking.truth.slopes import (
    Slopes,
    disagreeing_directions,
    kinked,
    slopes_at,
    spread_of_slopes,
)
from manual_grads.checking.truth.spread import Patterns, jumps, patterns_of_noise, scaled_spread

# Noise of less than half an ULP would be rounded off again: it is made so many times larger, and its spread as much
# smaller. That is still far from where a derivative isn't linear in it.
MAGNIFICATION = 64.0
NAMED_POINTS = 3  # in a note, before an ellipsis


class ExpectedLeaf(NamedTuple):
    """What a leaf of the result should be, at every point."""

    want: Leaf
    allowance: Leaf  # how far from it a right gradient may be
    decided: Entries  # where the oracles agree, well enough to judge by
    also: Leaf  # what is right too, where the forward's own rules and its slope differ; elsewhere NaN
    known_to_ulp: Entries  # where it isn't by differences, so that an error in ULP has a meaning
    size: float  # at usual points
    by_oracle: dict[str, Leaf]


class Expected(NamedTuple):
    """What the results should be."""

    leaves: list[ExpectedLeaf]
    value: list[Leaf]  # the forward's
    inside: Rows  # the points at which it is finite
    notes: list[str]
    for_formula: bool = False  # whether the allowances are for the manual gradient's own formula, too


class _Evaluated(NamedTuple):
    """What the oracles return, before it is compared."""

    u: float  # half of the format's ε
    value: list[Leaf]
    inside: Rows
    usual: Rows  # those inside that are usual
    autodiff: list[Patterns]  # the claimed derivative under noise of u
    magnification: float  # of that noise
    magnified: list[Patterns]  # under magnified noise of the oracles' own format
    other_mode: dict[str, list[Leaf]]
    smooth: Rows  # where the forward has no kink
    refuted: Rows  # where a slope along some direction differs
    slopes: Slopes | None
    conditioning: list[Leaf] | None  # how far they move when the inputs do


def expected(oracles: CompiledOracles, points: list[Leaf], names: list[str], usual: Rows, dtype: Any) -> Expected:
    """What the derivative is at the points, and how far from it a right result in the dtype may be."""
    found = _evaluated(oracles, points, usual, eps_of(dtype) / 2)
    remarks: dict[Remark, Rows] = {Remark.DIRECTION_IS_ODD: found.refuted}
    leaves = []
    for i in range(len(found.autodiff)):
        leaf, about = _expected_leaf(oracles, found, i, dtype)
        leaves.append(leaf)
        for remark, entries in about.items():
            remarks[remark] = remarks.get(remark, False) | rows_of(entries)
    modes = {"claimed": oracles.claimed_mode, "other": next(iter(found.other_mode), "")}
    return Expected(leaves, found.value, found.inside, _notes(remarks, names, modes))


def _evaluated(oracles: CompiledOracles, points: list[Leaf], usual: Rows, u: float) -> _Evaluated:
    """Every oracle at the points; slopes by differences where autodiff fails, or noise undoes it."""
    oracles_u, noise = eps_of(oracles.format_name) / 2, patterns_of_noise()
    value = leaves_of(oracles.value(*points))
    inside = np.array([all(np.isfinite(leaf[i]).all() for leaf in value) for i in range(len(points[0]))])
    # Autodiff under noise of the format, and under noise of its own, which says how exact it is.
    magnified = leaves_of(oracles.claimed(MAGNIFICATION * oracles_u, noise, *points))
    fine = u <= oracles_u
    autodiff = magnified if fine else leaves_of(oracles.claimed(u, noise, *points))
    other_mode = {name: leaves_of(mode(*points)) for name, mode in oracles.modes.items()}
    # Where autodiff fails, or noise undoes it, the forward itself says whether there is a slope.
    claimed = [leaf[:, 0] for leaf in autodiff]
    failed = np.any([rows_of(~np.isfinite(leaf)) for leaf in claimed], axis=0)
    undone = np.any([rows_of(jumps(leaf)) for leaf in autodiff], axis=0)
    smooth = inside & ~kinked(oracles, points, value)
    unsteady = np.flatnonzero(smooth & undone)[:MAX_POINTS_DIFFERENCED]
    slopes = slopes_at(oracles, points, claimed, inside, value, unsteady)
    doubtful = np.union1d(np.flatnonzero(inside & failed), unsteady).astype(int)
    conditioning = spread_of_slopes(oracles, points, doubtful, slopes.of, u) if slopes and len(doubtful) else None
    return _Evaluated(
        u=u,
        value=value,
        inside=inside,
        usual=usual & inside,
        autodiff=autodiff,
        magnification=MAGNIFICATION if fine else 1.0,
        magnified=magnified,
        other_mode=other_mode,
        smooth=smooth,
        refuted=disagreeing_directions(oracles, points) & inside,
        slopes=slopes,
        conditioning=conditioning,
    )


def _expected_leaf(
    oracles: CompiledOracles, found: _Evaluated, i: int, dtype: Any
) -> tuple[ExpectedLeaf, dict[Remark, Entries]]:
    """What the i-th leaf of the result should be, and what is to be said of the oracles."""
    claimed, u, safety = found.autodiff[i][:, 0], found.u, oracles.safety
    slope, slope_error = (found.slopes.of[i], found.slopes.errors[i]) if found.slopes else (None, None)
    within = along_leaf(found.inside, claimed)
    # How exact autodiff is, how far rounding may move the result, and where autodiff is of no use.
    autodiff_error = safety * scaled_spread(found.magnified[i], MAGNIFICATION)
    spread = scaled_spread(found.autodiff[i], found.magnification)
    undone = jumps(found.autodiff[i])
    steady, lost = ~undone & within, ~np.isfinite(claimed)
    if slope is not None and slope_error is not None and found.conditioning is not None:
        size = np.maximum(scale_of(slope), usual_size(claimed, found.usual))
        measured = along_leaf(found.smooth, claimed) & (slope_error <= 1e-5 * size + 1e-12)
        # What noise undoes, as beside x == 0, is right if it is the slope; a stop_gradient may be meant otherwise.
        lost = lost | (undone & measured & (np.abs(claimed - slope) <= 1e-5 * size))
        # Beside a trap autodiff is as bad as in it: its noise says nothing.
        by_slope = lost & measured
        spread = np.where(by_slope, u * scale_of(slope) + found.conditioning[i], np.where(lost, np.inf, spread))
        autodiff_error = np.where(by_slope, 0.0, autodiff_error)
        steady |= by_slope & within
    # What the oracles agree on.
    sides = Sides(
        claimed=claimed,
        other=next((leaves[i] for leaves in found.other_mode.values()), None),
        slope=slope,
        slope_error=slope_error,
        autodiff_error=autodiff_error,
        usual=usual_size(claimed, found.usual),
    )
    verdict = agreed(sides, steady, lost & within, oracles.own_rules)
    want, trusted = verdict.want, verdict.trusted
    if oracles.own_rules and not oracles.modes:  # one oracle against another: there is no telling
        trusted = trusted & ~along_leaf(found.refuted, claimed)
    # How far from it a right result may be: what a sum of a few terms of the gradient's own size may lose, and
    # underflow; the spread; what the oracles lose themselves; and the rounding of the result.
    size = usual_size(want, found.usual if found.usual.any() else found.inside)
    largest = np.maximum(scale_of(want), size)
    floor = safety * u * size + float(jnp.finfo(dtype).smallest_normal) + oracles.unmeasured * largest
    last_rounding = 2 * u * np.abs(np.where(np.isfinite(want), want, 0))
    allowance = safety * spread + autodiff_error + floor + verdict.doubt + last_rounding
    # Where that is small enough to judge by, and the result fits into the format.
    with np.errstate(invalid="ignore"):
        well = (allowance <= 0.5 * largest + floor) & np.isfinite(want)
        well &= np.abs(want) < float(jnp.finfo(dtype).max) / 2
    leaf = ExpectedLeaf(
        want=want,
        allowance=allowance,
        decided=well & trusted & within,
        also=verdict.also,
        known_to_ulp=verdict.doubt == 0,
        size=size,
        by_oracle=_by_oracle(oracles, found, i),
    )
    return leaf, verdict.remarks


def _by_oracle(oracles: CompiledOracles, found: _Evaluated, i: int) -> dict[str, Leaf]:
    """What each oracle says of the i-th leaf; slopes only where they are well determined, elsewhere NaN."""
    by_oracle = {oracles.claimed_mode: found.autodiff[i][:, 0]}
    by_oracle |= {name: leaves[i] for name, leaves in found.other_mode.items()}
    if found.slopes:
        slope, error = found.slopes.of[i], found.slopes.errors[i]
        by_oracle["differences"] = np.where(error <= 1e-9 * scale_of(slope), slope, np.nan)
    return by_oracle


def _notes(remarks: dict[Remark, Rows], names: list[str], modes: dict[str, str]) -> list[str]:
    """What is to be reported, with the points that it is about."""
    notes = []
    for remark, rows in remarks.items():
        count, at = int(rows.sum()), list(dict.fromkeys(n for n, r in zip(names, rows, strict=True) if r))
        if count:
            where = "; ".join(at[:NAMED_POINTS]) + ("; …" if len(at) > NAMED_POINTS else "")
            points = f"{count} point{'s' if count > 1 else ''} ({where})"
            notes.append(remark.value.format(points=points, **modes))
    return notes
