"""What a gradient should be, and how far from that a right one may be: oracles that must agree before they judge."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.arguments import Claim
from manual_grads.checking.oracles import differences, forward, reverse
from manual_grads.checking.rounding import NOISE, noisy, noisy_inputs

# Compiling is what a check's time goes to; these functions run once.
QUICK = {"xla_backend_optimization_level": 0}
PATTERNS = 3  # of noise, each with its opposite, so that a kink is seen from both sides
# The worst of six random patterns of noise is a part of the worst there is: by a Gaussian law of many roundings
# 6 patterns reach 1.3σ on average and 8 times that is never exceeded; a single rounding reaches 2/3 of its bound.
SAFETY = 8.0
DIFFERENCED = 512  # entries: more than these are too many to difference one by one
POINTS_DIFFERENCED = 24  # at most, and so many that this many slopes are taken:
SLOPES = 2000
STEPS = (0.03, 0.006, 0.0012, 0.00024)


class Oracles(NamedTuple):
    """The compiled functions; each takes stacked arrays."""

    noisy: Callable[..., Any]  # (u, noise, *arrays) -> the claimed derivative for each pattern, and the forward's value
    manual: Callable[..., Any]  # the same for the manual derivative
    value: Callable[..., Any]  # the forward's
    modes: dict[str, Callable[..., Any]]  # the same derivative by the other mode of autodiff
    stepped: Callable[..., Any] | None  # (step, *arrays) -> by central differences
    claimed: str  # the name of the mode that `by` itself uses
    custom: bool  # whether the forward has derivative rules of its own
    safety: float
    unavailable: list[str]


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


def oracles(claim: Claim, arrays: list[Any], thorough: bool) -> Oracles:
    """The oracles of a claim, of which those that can't be had are named; to be called where float64 is enabled."""
    name = getattr(claim.by, "func", claim.by)
    name = getattr(name, "__name__", "")
    claimed = "forward" if name in ("jacfwd", "jvp") else "reverse"
    over = (0,) * len(arrays)

    def patterns(f: Callable[..., Any], noise: Callable[..., Any]) -> Callable[..., Any]:
        apart = jax.vmap(noise(f), (None, 0, *(None,) * len(arrays)))
        return jax.jit(jax.vmap(apart, (None, None, *over)), compiler_options=QUICK)

    found = Oracles(
        patterns(claim.claimed, noisy if thorough else noisy_inputs),
        patterns(claim.manual_of, noisy),
        jax.jit(jax.vmap(claim.value), compiler_options=QUICK),
        {},
        None,
        claimed,
        False,
        SAFETY if thorough else 8 * SAFETY,
        [],
    )
    text = str(jax.make_jaxpr(claim.value)(*arrays))
    found = found._replace(custom="custom_jvp_call" in text or "custom_vjp_call" in text)
    if not thorough:
        return found
    modes = {"reverse": reverse, "forward": forward}
    del modes[claimed]
    for mode, oracle in modes.items():
        of = claim._replace(forward=jax.tree.map(oracle, claim.forward)).claimed
        if _traces(of, arrays):
            found.modes[mode] = jax.jit(jax.vmap(of), compiler_options=QUICK)
        else:
            found.unavailable.append(mode)  # as forward mode is where the forward has a custom_vjp

    def stepped(step: Any, *leaves: Any) -> Any:
        of = jax.tree.map(lambda f: differences(f, step), claim.forward)
        return claim._replace(forward=of).claimed(*leaves)

    small = sum(np.size(x) for x in arrays) <= DIFFERENCED
    if small and _traces(stepped, [np.float64(0.01), *arrays]):
        found = found._replace(stepped=jax.jit(jax.vmap(stepped, (None, *over)), compiler_options=QUICK))
    else:
        found.unavailable.append("differences")
    return found


def _traces(f: Callable[..., Any], arrays: list[Any]) -> bool:
    try:
        jax.eval_shape(f, *arrays)
    except Exception:  # an oracle that can't be had is named in the report
        return False
    return True


def truth(found: Oracles, points: list[Any], ordinary: Any, dtype: Any) -> Truth:
    """The truth at the points, for results in a dtype; to be called where float64 is enabled."""
    u = float(jnp.finfo(dtype).eps) / 2
    n = len(points[0])
    noise = patterns_of_noise()
    values = [np.asarray(leaf) for leaf in jax.tree.leaves(found.value(*points))]
    inside = np.array([all(np.isfinite(leaf[i]).all() for leaf in values) for i in range(n)])
    at_u = _leaves(found.noisy(u, noise, *points))
    at_64 = at_u if u < 1e-15 else _leaves(found.noisy(2.0**-53, noise, *points))
    by_oracle = {found.claimed: [leaf[:, 0] for leaf in at_u]}
    for mode, oracle in found.modes.items():
        by_oracle[mode] = _leaves(oracle(*points))
    slopes, errors = _differences(found, points, by_oracle[found.claimed], inside, values)
    result = Truth([], [], [], [], [], by_oracle, inside, values, [])
    for i, leaf in enumerate(by_oracle[found.claimed]):
        exact = found.safety * _spread(at_64[i])
        candidates = {name: leaves[i] for name, leaves in by_oracle.items()}
        # At a kink, noise of half an ULP changes the derivative altogether; nothing can be said there.
        largest = np.max(np.nan_to_num(np.abs(at_u[i]), nan=0), tuple(range(1, at_u[i].ndim)))
        steady = _spread(at_u[i]) <= 0.05 * largest.reshape(-1, *[1] * (leaf.ndim - 1))
        steady &= inside.reshape(-1, *[1] * (leaf.ndim - 1))
        want, trusted, also, doubt = _agreed(found, candidates, slopes and slopes[i], errors and errors[i], exact, result.notes, steady)
        axes = tuple(range(1, leaf.ndim))
        largest = np.max(np.abs(np.where(np.isfinite(want), want, 0)), axes, keepdims=True, initial=0)
        usual = largest[(ordinary & inside)] if (ordinary & inside).any() else largest[inside]
        size = float(np.median(usual)) if usual.size else 0.0
        # The floor: what a sum of a few terms of the gradient's own size may lose, and what underflow may.
        floor = found.safety * u * size + float(jnp.finfo(dtype).smallest_normal)
        tolerance = found.safety * _spread(at_u[i]) + exact + floor + doubt + 2 * u * np.abs(np.where(np.isfinite(want), want, 0))
        with np.errstate(invalid="ignore"):
            well = (tolerance <= 0.5 * np.maximum(largest, size) + floor) & np.isfinite(want)
            well &= np.abs(want) < float(jnp.finfo(dtype).max) / 2
        result.want.append(want)
        result.tolerance.append(tolerance)
        result.decided.append(well & trusted & inside.reshape(-1, *[1] * (leaf.ndim - 1)))
        result.also.append(also)
        result.size.append(size)
    if slopes is not None:
        by_oracle["differences"] = slopes
    return result


def patterns_of_noise() -> np.ndarray:
    """None, and pairs of opposites."""
    half = np.random.default_rng(0).uniform(-1, 1, (PATTERNS, NOISE))
    return np.concatenate([np.zeros((1, NOISE)), half, -half])


def _leaves(results: Any) -> list[np.ndarray]:
    return [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(results)]


def _spread(patterns: np.ndarray) -> np.ndarray:
    """How far noise moves each entry; of those patterns that are finite."""
    centre = np.where(np.isfinite(patterns[:, :1]), patterns[:, :1], np.nan)
    with np.errstate(invalid="ignore"):
        centre = np.where(np.isnan(centre), patterns[:, 1:2], centre)
        moved = np.abs(patterns - centre)
    return np.max(np.where(np.isfinite(moved), moved, 0), axis=1)


def _differences(found: Oracles, points: list[Any], claimed: list[np.ndarray], inside: Any, values: list[Any]) -> Any:
    """Slopes by differences and their estimated errors, at some points (NaN elsewhere): the best of several steps."""
    if found.stepped is None:
        return None, None
    n = len(inside)
    bad = [i for i in range(n) if inside[i] and not all(np.isfinite(leaf[i]).all() for leaf in claimed)]
    entries = sum(x[0].size for x in points)
    most = int(np.clip(SLOPES // entries, 4, POINTS_DIFFERENCED))
    spaced = [i for i in np.linspace(0, n - 1, most - most // 3).astype(int) if i not in bad]
    at = np.array((bad[: most // 3] + spaced + bad[most // 3 :])[:most])
    steps = [_leaves(found.stepped(h, *(x[at] for x in points))) for h in STEPS]
    # Values that are equal to the last bit have no gaps; the slope is still no better than their rounding lets it be.
    sizes = [np.abs(v).reshape(n, -1).max(-1) for v in values]
    rounding = 1e-10 * np.nan_to_num(np.max(sizes, axis=0), posinf=0.0) if sizes else np.zeros(n)
    slopes, errors = [], []
    for i, leaf in enumerate(claimed):
        of = np.stack([step[i] for step in steps])
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
        slope_ok = np.zeros(claimed.shape, bool) if slope is None else error <= 1e-5 * np.maximum(np.abs(slope), scale) + 1e-12
        off = np.zeros(claimed.shape, bool)
        if slope is not None:
            near = 30 * error + close
            off = slope_ok & rows & ~(np.abs(claimed - slope) <= near)
            backed = slope_ok & (np.abs(other - slope) <= near) if other is not None else slope_ok & nan
            want = np.where(apart & backed & (other is not None), slope if other is None else other, want)
            want = np.where(nan & slope_ok, slope, want)
            alone = off & ~apart
            if found.custom or other is None:
                also = np.where(alone & ~nan, slope, also)
    if nan.any():
        also = np.where(nan, np.nan, also)
        notes.append(
            f"the forward's own autodiff is not finite at {_points(nan)} where its value is (jnp.where's unchosen branch?):"
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
    doubt = np.where(np.isfinite(also) | (want != claimed), 30 * np.nan_to_num(error, posinf=0) + 1e-7 * scale_of(slope), 0.0) if slope is not None else np.zeros(claimed.shape)
    return want, trusted, also, doubt


def scale_of(leaf: np.ndarray) -> np.ndarray:
    """The largest entry at each point."""
    finite = np.where(np.isfinite(leaf), np.abs(leaf), 0)
    return np.max(finite, tuple(range(1, leaf.ndim)), keepdims=True, initial=0)


def _points(where: np.ndarray) -> str:
    count = int(where.reshape(len(where), -1).any(-1).sum())
    return f"{count} point{'s' if count > 1 else ''}"
