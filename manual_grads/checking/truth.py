"""What a gradient should be, and how far from that a right one may be: oracles that must agree before they judge."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.agreement import ODD_DIRECTION, Sides, agreed
from manual_grads.checking.judges import POINTS_DIFFERENCED, Oracles, jumps, leaves_of, patterns_of_noise, scaled_spread
from manual_grads.checking.slopes import disagreeing_directions, kinked, rows_of, scale_of, slopes_at, spread_of_slopes

LARGER = 64.0  # so much; still far from where the derivative isn't linear in it


class Truth(NamedTuple):
    """For each leaf of the result, stacked over the points."""

    want: list[np.ndarray]
    tolerance: list[np.ndarray]
    decided: list[np.ndarray]  # where the oracles agree, well enough to judge by
    also: list[np.ndarray]  # what is right too, where the forward's own rules and its slope differ
    sure: list[np.ndarray]  # where it isn't by differences, so that an error in ULP has a meaning
    size: list[float]  # of the leaf at ordinary points
    by_oracle: dict[str, list[np.ndarray]]
    inside: np.ndarray  # whether the forward is finite at that point
    value: list[np.ndarray]
    notes: list[str]
    own: bool = False  # whether the tolerance allows for the manual gradient's own formula


def truth(found: Oracles, points: list[Any], points_names: list[str], ordinary: Any, dtype: Any) -> Truth:
    """The truth at the points, for results in a dtype; in float64, where that is enabled."""
    u, exact_u = float(jnp.finfo(dtype).eps) / 2, float(jnp.finfo(jnp.result_type(float)).eps) / 2
    n = len(points[0])
    noise = patterns_of_noise()
    values = [np.asarray(leaf) for leaf in jax.tree.leaves(found.value(*points))]
    inside = np.array([all(np.isfinite(leaf[i]).all() for leaf in values) for i in range(n)])
    # Noise of less than half an ULP would be rounded off again: it is made larger then, and its spread smaller.
    at_64 = leaves_of(found.noisy(LARGER * exact_u, noise, *points))
    at_u, larger = (at_64, LARGER) if u <= exact_u else (leaves_of(found.noisy(u, noise, *points)), 1.0)
    by_oracle = {found.claimed: [leaf[:, 0] for leaf in at_u]}
    for mode, oracle in found.modes.items():
        by_oracle[mode] = leaves_of(oracle(*points))
    claimed = by_oracle[found.claimed]
    # Where autodiff fails, or noise undoes it, the forward itself says whether there is a slope.
    failed = [~np.isfinite(leaf) for leaf in claimed]
    undone = [jumps(leaf) for leaf in at_u]
    smooth = inside & ~kinked(found, points, values)
    unsteady = np.flatnonzero(smooth & np.any([*map(rows_of, undone)], axis=0))[:POINTS_DIFFERENCED]
    slopes, errors = slopes_at(found, points, claimed, inside, values, unsteady)
    result = Truth([], [], [], [], [], [], by_oracle, inside, values, [])
    doubtful = np.union1d(np.flatnonzero(inside & np.any([*map(rows_of, failed)], axis=0)), unsteady).astype(int)
    conditioning = spread_of_slopes(found, points, doubtful, slopes, u) if slopes and len(doubtful) else None
    refuted = disagreeing_directions(found, points) & inside
    names = (found.claimed, next((name for name in by_oracle if name != found.claimed), ""))
    reported: dict[str, Any] = {ODD_DIRECTION: refuted}
    for i, leaf in enumerate(by_oracle[found.claimed]):
        exact = found.safety * scaled_spread(at_64[i], LARGER)
        spread = scaled_spread(at_u[i], larger)
        within = inside.reshape(-1, *[1] * (leaf.ndim - 1))
        steady = ~undone[i] & within
        lost = failed[i]
        if slopes is not None and conditioning is not None:
            size = np.maximum(scale_of(slopes[i]), usual_size(leaf, ordinary & inside))
            measured = smooth.reshape(within.shape) & (errors[i] <= 1e-5 * size + 1e-12)
            # What noise undoes, as beside x == 0, is right if it is the slope; a stop_gradient may be meant otherwise.
            lost = lost | (undone[i] & measured & (np.abs(leaf - slopes[i]) <= 1e-5 * size))
            # Beside a trap autodiff is as bad as in it: its noise says nothing.
            spread = np.where(
                lost & measured, u * scale_of(slopes[i]) + conditioning[i], np.where(lost, np.inf, spread)
            )
            exact = np.where(lost & measured, 0.0, exact)
            steady |= lost & measured & within
        other = next((leaves[i] for name, leaves in by_oracle.items() if name != found.claimed), None)
        sides = Sides(
            leaf, other, slopes and slopes[i], errors and errors[i], exact, usual_size(leaf, ordinary & inside)
        )
        want, trusted, also, doubt, marks = agreed(sides, names, steady, lost & within, found.own_rules)
        for text, where in marks.items():
            reported[text] = reported.get(text, False) | rows_of(where)
        largest = scale_of(want)
        size = usual_size(want, (ordinary & inside) if (ordinary & inside).any() else inside)
        # The floor: what a sum of a few terms of the gradient's own size may lose, and what underflow may.
        floor = found.safety * u * size + float(jnp.finfo(dtype).smallest_normal)
        floor = floor + found.unmeasured * np.maximum(largest, size)
        tolerance = found.safety * spread + exact + floor + doubt + 2 * u * np.abs(np.where(np.isfinite(want), want, 0))
        with np.errstate(invalid="ignore"):
            well = (tolerance <= 0.5 * np.maximum(largest, size) + floor) & np.isfinite(want)
            well &= np.abs(want) < float(jnp.finfo(dtype).max) / 2
        result.want.append(want)
        result.tolerance.append(tolerance)
        if found.own_rules and not found.modes:  # one oracle against another: there is no telling
            trusted = trusted & ~refuted.reshape(-1, *[1] * (leaf.ndim - 1))
        result.decided.append(well & trusted & within)
        result.also.append(also)
        result.sure.append(doubt == 0)
        result.size.append(size)
    if slopes is not None:
        # As an oracle of their own, slopes count where they are well determined.
        sharp = [e <= 1e-9 * scale_of(s) for s, e in zip(slopes, errors, strict=True)]
        by_oracle["differences"] = [np.where(well, s, np.nan) for s, well in zip(slopes, sharp, strict=True)]
    return result._replace(notes=_notes(reported, points_names))


def usual_size(leaf: np.ndarray, rows: np.ndarray) -> float:
    """The median, over those points, of the largest entry."""
    return float(np.median(scale_of(leaf)[rows])) if rows.any() else 0.0


def _notes(reported: dict[str, Any], names: list[str]) -> list[str]:
    """What is to be reported, with the points that it is about."""
    notes = []
    for text, rows in reported.items():
        count, at = int(rows.sum()), list(dict.fromkeys(n for n, r in zip(names, rows, strict=True) if r))
        if count:
            where = "; ".join(at[:3]) + ("; …" if len(at) > 3 else "")
            notes.append(text.replace("{}", f"{count} point{'s' if count > 1 else ''} ({where})"))
    return notes
