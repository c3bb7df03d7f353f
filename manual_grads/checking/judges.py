"""The oracles of a claim, compiled: each by its own way to differentiate, and the noise that measures conditioning."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.arguments import Claim, is_float, traces
from manual_grads.checking.compiling import QUICK
from manual_grads.checking.oracles import differences, forward, reverse
from manual_grads.checking.rounding import NOISE, noisy, noisy_inputs

PATTERNS = 5  # of noise, each with its opposite, so that a kink is seen from both sides
# The worst of five random patterns is a part of the worst there is: 1.6σ on average by a Gaussian law of many
# roundings, 5/6 of its bound for a single one. Eight times that is hardly ever exceeded.
SAFETY = 8.0
DIFFERENCED = 2048  # entries: more than these are too many to difference one by one
DIRECTIONS = 4  # in which they are differenced instead
POINTS_DIFFERENCED = 24  # at once, at most, and so many that this many slopes are taken:
SLOPES = 2000


class Oracles(NamedTuple):
    """The compiled functions; each takes stacked arrays."""

    noisy: Callable[..., Any]  # (u, noise, *arrays) -> the claimed derivative for each pattern of noise
    manual: Callable[..., Any]  # the same for the manual derivative
    value: Callable[..., Any]  # the forward's
    modes: dict[str, Callable[..., Any]]  # the same derivative by the other mode of autodiff
    stepped: Callable[..., Any] | None  # (step, *arrays) -> by central differences; for some of the points
    directed: Callable[..., Any] | None  # (step, *arrays) -> slopes of the forward along random directions, both ways
    claimed: str  # the name of the mode that `by` itself uses
    own_rules: bool  # whether the forward has derivative rules of its own
    safety: float
    unmeasured: float  # relative to a result's size: what the oracle itself may lose, if its operations get no noise
    own: float  # ε of the example's own format
    notes: list[str]

    def jobs(self, arrays: list[Any]) -> Iterator[tuple[Callable[..., Any], list[Any]]]:
        """What is to be compiled, to be called with stacked arrays of these shapes."""
        some = [x[: differenced_at_once(arrays)] for x in arrays]
        yield self.noisy, [1.0, patterns_of_noise(), *arrays]
        if self.stepped:
            yield self.stepped, [1.0, *some]
        if self.directed:
            yield self.directed, [1.0, *arrays]
        yield from ((mode, arrays) for mode in self.modes.values())
        yield self.value, arrays


def oracles(claim: Claim, arrays: list[Any], own: float, thorough: bool) -> Oracles:
    """The oracles of a claim, of which those that can't be had are named; to be called where float64 is enabled."""
    name = getattr(claim.by, "func", claim.by)
    name = getattr(name, "__name__", "")
    claimed = "forward" if name in ("jacfwd", "jvp") else "reverse"
    over = (0,) * len(arrays)
    text = str(jax.make_jaxpr(claim.value)(*arrays))
    # A convolution that isn't optimised takes longer to run than it takes to optimise.
    compiled = jax.jit if "conv_general_dilated" in text else partial(jax.jit, compiler_options=QUICK)

    def patterns(f: Callable[..., Any]) -> Callable[..., Any]:
        apart = jax.vmap(f, (None, 0, *(None,) * len(arrays)))
        return compiled(jax.vmap(apart, (None, None, *over)))

    found = Oracles(
        noisy=patterns((noisy if thorough else noisy_inputs)(claim.claimed, claim.moved)),
        manual=patterns(noisy(claim.manual_of, None)),  # at exact inputs: beside x == 0 it may be another function
        value=compiled(jax.vmap(claim.value)),
        modes={},
        stepped=None,
        directed=None,
        claimed=claimed,
        # A stop_gradient says that the slope isn't meant; a rule alone may be wrong.
        own_rules=("custom_jvp_call" in text or "custom_vjp_call" in text) and "stop_gradient" not in text,
        safety=SAFETY if thorough else 8 * SAFETY,
        unmeasured=0.0 if thorough else 1e-10,
        own=own,
        notes=[],
    )
    if not thorough:
        return found
    modes = {"reverse": reverse, "forward": forward}
    del modes[claimed]
    for mode, oracle in modes.items():
        of = claim._replace(forward=jax.tree.map(oracle, claim.forward)).claimed
        if traces(of, arrays):
            found.modes[mode] = compiled(jax.vmap(of))
        else:
            found.notes.append(f"{mode} mode: not to be had (as forward mode of a custom_vjp)")

    def stepped(step: Any, *leaves: Any) -> Any:
        of = jax.tree.map(lambda f: differences(f, step), claim.forward)
        return claim._replace(forward=of).claimed(*leaves)

    entries = sum(np.size(x) for x in arrays)
    if entries <= DIFFERENCED and traces(stepped, [np.float64(0.01), *arrays]):
        return found._replace(stepped=compiled(jax.vmap(stepped, (None, *over))))
    along = directions(claim, arrays)
    if traces(along, [np.float64(0.01), *arrays]):
        found.notes.append(f"differences: along {DIRECTIONS} random directions in all {entries} entries, not in each")
        return found._replace(directed=compiled(jax.vmap(along, (None, *over))))
    found.notes.append("differences: not to be had")
    return found


def directions(claim: Claim, arrays: list[Any]) -> Callable[..., Any]:
    """The forward's slopes along random directions of length one, by autodiff and by differences: (2, directions)."""
    random = np.random.default_rng(2)
    drawn = [random.normal(size=(DIRECTIONS, *np.shape(x))) if is_float(x) else None for x in arrays]
    length = np.sqrt(sum((d * d).sum() / DIRECTIONS for d in drawn if d is not None))

    def along(step: Any, *leaves: Any) -> Any:
        def moved(t: Any) -> Any:
            at = [x if d is None else x + jnp.tensordot(t, d / length, 1) for x, d in zip(leaves, drawn, strict=True)]
            weights = np.random.default_rng(3)
            return sum(
                (v * weights.normal(size=v.shape)).sum() for v in jax.tree.leaves(claim.value(*at)) if is_float(v)
            )

        zero = jnp.zeros(DIRECTIONS)
        return jnp.stack([jax.grad(moved)(zero), jax.grad(differences(moved, step))(zero)])

    return along


def differenced_at_once(points: list[Any]) -> int:
    """How many points `stepped` is called with."""
    return int(np.clip(SLOPES // sum(x[0].size for x in points), 4, min(POINTS_DIFFERENCED, len(points[0]))))


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


def jumps(patterns: np.ndarray) -> np.ndarray:
    """Where noise changes the derivative altogether, as at a kink: nothing can be said there."""
    largest = np.max(np.nan_to_num(np.abs(patterns), nan=0), tuple(range(1, patterns.ndim)))
    return spread_of(patterns) > 0.05 * largest.reshape(-1, *[1] * (patterns.ndim - 2))


def scaled_spread(patterns: np.ndarray, larger: float) -> np.ndarray:
    """The spread under noise that was so many times larger than it should be; a jump's doesn't depend on that."""
    spread = spread_of(patterns)
    return spread if larger == 1 else np.where(jumps(patterns), spread, spread / larger)
