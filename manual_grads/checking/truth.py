"""What a gradient should be, and how far from that a right one may be: oracles that must agree before they judge."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.judges import Oracles, jumps, leaves_of, patterns_of_noise, scaled_spread
from manual_grads.checking.slopes import disagreeing_directions, kinked, scale_of, slopes_at, spread_of_slopes

LARGER = 64.0  # the noise that stands for float64's; still far from where the derivative isn't linear in it


class Truth(NamedTuple):
    """For each leaf of the result, stacked over the points."""

    want: list[np.ndarray]
    tolerance: list[np.ndarray]
    decided: list[np.ndarray]  # where the oracles agree, well enough to judge by
    also: list[np.ndarray]  # what is right too, where the forward's own rules and its slope differ
    size: list[float]  # of the leaf at ordinary points
    by_oracle: dict[str, list[np.ndarray]]
    inside: np.ndarray  # whether the forward is finite at that point
    value: list[np.ndarray]
    notes: list[str]
    own: bool = False  # whether the tolerance allows for the manual gradient's own formula


def truth(found: Oracles, points: list[Any], ordinary: Any, dtype: Any) -> Truth:
    """The truth at the points, for results in a dtype; to be called where float64 is enabled."""
    u = float(jnp.finfo(dtype).eps) / 2
    n = len(points[0])
    noise = patterns_of_noise()
    values = [np.asarray(leaf) for leaf in jax.tree.leaves(found.value(*points))]
    inside = np.array([all(np.isfinite(leaf[i]).all() for leaf in values) for i in range(n)])
    # Noise of less than half an ULP would be rounded off again: for float64 it is made larger, and its spread smaller.
    at_64 = leaves_of(found.noisy(LARGER * 2.0**-53, noise, *points))
    at_u, larger = (at_64, LARGER) if u < 1e-15 else (leaves_of(found.noisy(u, noise, *points)), 1.0)
    by_oracle = {found.claimed: [leaf[:, 0] for leaf in at_u]}
    for mode, oracle in found.modes.items():
        by_oracle[mode] = leaves_of(oracle(*points))
    slopes, errors = slopes_at(found, points, by_oracle[found.claimed], inside, values)
    result = Truth([], [], [], [], [], by_oracle, inside, values, [])
    lost_at = np.flatnonzero(
        inside & np.any([~np.isfinite(x).reshape(n, -1).all(-1) for x in by_oracle[found.claimed]], axis=0)
    )
    conditioning = spread_of_slopes(found, points, lost_at, slopes, u) if slopes and len(lost_at) else None
    refuted = disagreeing_directions(found, points) & inside
    if refuted.any():
        result.notes.append(
            f"along random directions, the forward's own autodiff is not its slope at {_points(refuted)}"
            " (a rule of its own, a stop_gradient or a kink)"
        )
    for i, leaf in enumerate(by_oracle[found.claimed]):
        exact = found.safety * scaled_spread(at_64[i], LARGER)
        candidates = {name: leaves[i] for name, leaves in by_oracle.items()}
        spread = scaled_spread(at_u[i], larger)
        steady = ~jumps(at_u[i]) & inside.reshape(-1, *[1] * (leaf.ndim - 1))
        lost = ~np.isfinite(by_oracle[found.claimed][i])
        if lost.any() and slopes is not None and conditioning is not None:
            # Beside a trap autodiff is as bad as in it; the forward itself says whether there is a slope at all.
            smooth = ~kinked(found, points, values).reshape(-1, *[1] * (leaf.ndim - 1))
            spread = np.where(lost & smooth, u * scale_of(slopes[i]) + conditioning[i], np.where(lost, np.inf, spread))
            exact = np.where(lost & smooth, 0.0, exact)
            steady |= lost & smooth & inside.reshape(-1, *[1] * (leaf.ndim - 1))
        want, trusted, also, doubt = _agreed(
            found, candidates, slopes and slopes[i], errors and errors[i], exact, result.notes, steady
        )
        axes = tuple(range(1, leaf.ndim))
        largest = np.max(np.abs(np.where(np.isfinite(want), want, 0)), axes, keepdims=True, initial=0)
        usual = largest[(ordinary & inside)] if (ordinary & inside).any() else largest[inside]
        size = float(np.median(usual)) if usual.size else 0.0
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
        result.decided.append(well & trusted & inside.reshape(-1, *[1] * (leaf.ndim - 1)))
        result.also.append(also)
        result.size.append(size)
    if slopes is not None:
        by_oracle["differences"] = slopes
    return result


def _agreed(
    found: Oracles, candidates: dict[str, Any], slope: Any, error: Any, exact: Any, notes: list[str], rows: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What the oracles agree on, where they do, and the slope where the forward's own rules differ from it."""
    claimed = candidates[found.claimed]
    other = next((c for name, c in candidates.items() if name != found.claimed), None)
    other_name = next((name for name in candidates if name != found.claimed), "")
    trusted, also = np.ones(claimed.shape, bool), np.full(claimed.shape, np.nan)
    scale = scale_of(claimed) if slope is None else np.maximum(scale_of(claimed), scale_of(slope))
    close = exact + 1e-9 * scale + 1e-290
    with np.errstate(invalid="ignore"):
        want = claimed
        nan = ~np.isfinite(claimed) & rows
        apart = np.zeros(claimed.shape, bool) if other is None else (~(np.abs(claimed - other) <= close) & rows)
        slope_ok = (
            np.zeros(claimed.shape, bool) if slope is None else error <= 1e-5 * np.maximum(np.abs(slope), scale) + 1e-12
        )
        off = np.zeros(claimed.shape, bool)
        if slope is not None:
            near = 30 * error + close
            off = slope_ok & rows & ~(np.abs(claimed - slope) <= near)
            backed = slope_ok & (np.abs(other - slope) <= near) if other is not None else slope_ok & nan
            want = np.where(apart & backed & (other is not None), slope if other is None else other, want)
            want = np.where(nan & slope_ok, slope, want)
            alone = off & ~apart
            if found.own_rules or other is None:
                also = np.where(alone & ~nan, slope, also)
    if nan.any():
        also = np.where(nan, np.nan, also)
        notes.append(
            f"the forward's own autodiff is not finite at {_points(nan)} where its value is (jnp.where's trap?):"
            " the forward's problem; the gradient is judged there by differences"
        )
    clear = apart & ~nan
    if clear.any():
        lost = clear & ~slope_ok
        trusted &= ~lost
        odd = other_name if not (off & clear).any() else found.claimed
        notes.append(f"oracles disagree at {_points(clear)}: {odd} mode is the odd one out; the forward's problem")
    if (off & ~apart & ~nan).any():
        notes.append(
            f"oracles disagree at {_points(off & ~apart & ~nan)}: differences are the odd one out"
            " (a stop_gradient, a rule of the forward's own, or a kink)"
        )
    # Differences are for gross errors: their estimated error is no bound.
    doubt = (
        np.where(
            np.isfinite(also) | (want != claimed), 30 * np.nan_to_num(error, posinf=0) + 1e-7 * scale_of(slope), 0.0
        )
        if slope is not None
        else np.zeros(claimed.shape)
    )
    return want, trusted, also, doubt


def _points(where: np.ndarray) -> str:
    count = int(where.reshape(len(where), -1).any(-1).sum())
    return f"{count} point{'s' if count > 1 else ''}"
