"""The oracles of a claim, compiled: each by its own way to differentiate, and the noise that measures conditioning."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
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


class Oracles(NamedTuple):
    """The compiled functions; each takes stacked arrays."""

    noisy: Callable[..., Any]  # (u, noise, *arrays) -> the claimed derivative for each pattern, and the forward's value
    manual: Callable[..., Any]  # the same for the manual derivative
    value: Callable[..., Any]  # the forward's
    modes: dict[str, Callable[..., Any]]  # the same derivative by the other mode of autodiff
    stepped: Callable[..., Any] | None  # (step, *arrays) -> by central differences
    claimed: str  # the name of the mode that `by` itself uses
    own_rules: bool  # whether the forward has derivative rules of its own
    safety: float
    own: float  # ε of the example's own format
    unavailable: list[str]


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
        0.0,
        [],
    )
    text = str(jax.make_jaxpr(claim.value)(*arrays))
    found = found._replace(own_rules="custom_jvp_call" in text or "custom_vjp_call" in text)
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


def patterns_of_noise() -> np.ndarray:
    """None, and pairs of opposites."""
    half = np.random.default_rng(0).uniform(-1, 1, (PATTERNS, NOISE))
    return np.concatenate([np.zeros((1, NOISE)), half, -half])


def leaves_of(results: Any) -> list[np.ndarray]:
    """A tree of results as a list, in float64."""
    return [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(results)]


def spread_of(patterns: np.ndarray) -> np.ndarray:
    """How far noise moves each entry; of those patterns that are finite."""
    centre = np.where(np.isfinite(patterns[:, :1]), patterns[:, :1], np.nan)
    with np.errstate(invalid="ignore"):
        centre = np.where(np.isnan(centre), patterns[:, 1:2], centre)
        moved = np.abs(patterns - centre)
    return np.max(np.where(np.isfinite(moved), moved, 0), axis=1)
