"""What can be asked of a format: where the forward itself is good in it, and what a formula's own rounding takes."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.arrays import (
    Leaf,
    along_leaf,
    computing_in,
    eps_of,
    is_float,
    leaves_of,
    quiet,
    scale_of,
    usual_size,
)
from manual_grads.checking.claim import Claim
from manual_grads.checking.judging.measure import worst_entry
from manual_grads.checking.trials.calls import Outcome
from manual_grads.checking.trials.trial import Trial
from manual_grads.checking.truth.compiled import CompiledOracles
from manual_grads.checking.truth.expected import MAGNIFICATION, Expected
from manual_grads.checking.truth.spread import patterns_of_noise, scaled_spread

# A part of the forward's usual size: a value that changes by so much where float64 is enabled is another function's.
ANOTHER_FUNCTION = 0.05
# ε of the format: and by at least so many roundings, which matters for bfloat16 (0.23).
ANOTHER_FUNCTION_ROUNDINGS = 30
# Times u and the result's size: a formula that rounding moves further than this at the median point isn't one of whose
# rounding an allowance can be made; it is wrong everywhere, or noise is no measure for it.
MAX_TYPICAL_SPREAD = 1e4


def values_in_format(oracles: CompiledOracles, trial: Trial) -> list[Leaf]:
    """The forward's values in a format other than float64."""
    with computing_in(trial.format.name):
        return leaves_of(oracles.value.for_format(trial.format.name)(*trial.format.cast(trial.arrays)))


def depends_on_x64(values: list[Leaf], expected: Expected, trial: Trial) -> bool:
    """Whether the forward is another function where float64 is enabled, as one that draws random numbers is."""
    rows = trial.usual & expected.inside
    if not rows.any():
        return False
    gross = max(ANOTHER_FUNCTION, ANOTHER_FUNCTION_ROUNDINGS * eps_of(trial.format.name))
    with quiet():
        return any(
            usual_size(mine - exact, rows) > gross * usual_size(exact, rows)
            for mine, exact in zip(values, expected.value, strict=True)
        )


def within_format(values: list[Leaf], expected: Expected, trial: Trial) -> Expected:
    """Leaves out points where the forward itself, in this format, keeps less than half its digits: they overflow."""
    info, rows, inside = jnp.finfo(trial.format.name), trial.usual & expected.inside, expected.inside.copy()
    with quiet():
        for mine, exact in zip(values, expected.value, strict=True):
            size = np.maximum(scale_of(exact).ravel(), usual_size(exact, rows))
            error = np.max(np.nan_to_num(np.abs(mine - exact), nan=np.inf), tuple(range(1, exact.ndim)), initial=0)
            inside &= error <= float(info.eps) ** 0.5 * size + float(info.smallest_normal)
    leaves = [leaf._replace(decided=leaf.decided & along_leaf(inside, leaf.decided)) for leaf in expected.leaves]
    return expected._replace(inside=inside, leaves=leaves)


def with_formula_allowance(
    claim: Claim, oracles: CompiledOracles, expected: Expected, trial: Trial, outcomes: list[Outcome]
) -> Expected:
    """Allows for what rounding does to the manual gradient's own formula, as it does to σ(1 − σ) in the tails.

    Only if it is needed, and at most once. A formula that corrects its own rounding errors can't be measured by noise;
    then it gets no allowance.
    """
    name = trial.format.name
    worst = [worst_entry(o.leaves, expected, o.points, name).ratio for o in outcomes if o.leaves]
    if expected.for_formula or not any(1 < ratio for ratio in worst):
        return expected
    eps = eps_of(name)
    try:
        with computing_in("float64"):
            one_point = [np.asarray(x[0], np.float64) if is_float(x) else x[0] for x in trial.arrays]
            converted = coarsest_eps(claim.manual_of, *one_point)
        # One that computes in float32 whatever it is given is right, where no more is asked of it than bfloat16.
        u = max(eps, min(converted, oracles.example_eps)) / 2
        # What is of the size of the computation's own roundings would be rounded off again.
        magnification = MAGNIFICATION if u <= max(converted, eps_of("float64")) / 2 else 1.0
        patterns = leaves_of(oracles.manual(magnification * u, patterns_of_noise(), *trial.arrays))
    except Exception:  # not a formula that can be run with noise
        return expected
    leaves, rows = [], trial.usual & expected.inside
    for leaf, under_noise in zip(expected.leaves, patterns, strict=True):
        spread = oracles.safety * scaled_spread(under_noise, magnification)
        typical = np.median(np.max(spread, tuple(range(1, spread.ndim)), initial=0)[rows])
        extra = spread + oracles.safety * u * leaf.size * (u > eps)
        if typical <= MAX_TYPICAL_SPREAD * u * leaf.size:
            leaf = leaf._replace(allowance=leaf.allowance + extra)
        leaves.append(leaf)
    return expected._replace(leaves=leaves, for_formula=True)


def coarsest_eps(f: Callable[..., Any], *args: Any) -> float:
    """The largest ε of the formats that f itself converts to, as one that computes in float32 whatever it is given."""
    closed = jax.make_jaxpr(f)(*args)
    return max([0.0, *(eps_of(dtype) for dtype in _converted_to(closed.jaxpr))])


def _converted_to(jaxpr: Any) -> list[Any]:
    found = []
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "convert_element_type" and is_float(eqn.invars[0].aval):
            found += [out.aval.dtype for out in eqn.outvars if is_float(out.aval)]
        for inner in jax.tree.leaves(
            list(eqn.params.values()), is_leaf=lambda p: hasattr(p, "eqns") or hasattr(p, "jaxpr")
        ):
            inner = getattr(inner, "jaxpr", inner)
            found += _converted_to(inner) if hasattr(inner, "eqns") else []
    return found
