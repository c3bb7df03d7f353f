"""What is allowed for the manual gradient's own formula, beside what the truth and the format allow."""

import jax
import numpy as np

from manual_grads.checking.arrays import computing_in, eps_of, rows_of, scale_of
from manual_grads.checking.claim import Claim
from manual_grads.checking.compiling import traces
from manual_grads.checking.judging.measure import ratios, ulps
from manual_grads.checking.trials.calls import Outcome
from manual_grads.checking.trials.trial import Trial
from manual_grads.checking.truth.compiled import SAFETY, CompiledOracles
from manual_grads.checking.truth.evaluated import MAGNIFICATION
from manual_grads.checking.truth.expected import NAMED_POINTS, Expected
from manual_grads.checking.truth.kinks import COARSER, switches
from manual_grads.checking.truth.primitives import coarsest_eps, opaque
from manual_grads.checking.truth.spread import jumps, scaled_spread

# Times the error of the forward's own autodiff in the format: as much again for each of what a formula is made of.
FORMAT_SAFETY = 4.0
# How often the inputs of what can't be looked into are moved, and how many times the largest effect is allowed.
OFF_BY_AN_ULP, OPAQUE_SAFETY = 5, 8.0
# Errors in ULP that a reader is told of, though they are what a formula's own rounding does.
MANY_ULP = 4000
NEXT_TO_NOTHING = 1e-3  # of a point's largest entry: the digits of what is smaller aren't missed
# Times u and the result's size: a formula that rounding moves further than this at the median point isn't one of whose
# rounding an allowance can be made; it is wrong everywhere, or noise is no measure for it.
MAX_TYPICAL_SPREAD = 1e4


def with_formula_allowance(claim: Claim, oracles: CompiledOracles, expected: Expected, trial: Trial) -> Expected:
    """Allows for what rounding does to the manual gradient's own formula, as it does to σ(1 − σ) in the tails.

    A formula that corrects its own rounding errors can't be measured by noise; then it gets no allowance.
    """
    eps = eps_of(trial.format.name)
    try:
        with computing_in("float64"):
            converted = coarsest_eps(claim.manual_of, *(x[0] for x in trial.arrays))
        # One that computes in float32 whatever it is given is right, where no more is asked of it than bfloat16.
        u = max(eps, min(converted, oracles.example_eps)) / 2
        # What is of the size of the computation's own roundings would be rounded off again.
        rounded_off = u <= max(converted, eps_of("float64")) / 2 and not oracles.grants_products(u)
        magnification = MAGNIFICATION if rounded_off else 1.0
        patterns = oracles.under_noise(oracles.manual, magnification * u, trial.arrays, products=True)
        chosen = [np.zeros(leaf[:, 0].shape, bool) for leaf in patterns]  # by which branch a formula takes
        # Where products are rounded by more than u, there is no more of that noise to tell a branch by.
        if any(jumps(leaf).any() for leaf in patterns) and not oracles.grants_products(u):
            coarser = oracles.under_noise(oracles.manual, COARSER * magnification * u, trial.arrays)
            chosen = [switches(*both) for both in zip(patterns, coarser, strict=True)]
    except Exception:  # not a formula that can be run with noise
        return expected
    leaves, rows = [], trial.usual & expected.inside
    for leaf, under_noise, by_branch in zip(expected.leaves, patterns, chosen, strict=True):
        spread = np.where(by_branch, 0.0, scaled_spread(under_noise, magnification))
        spread = oracles.safety * spread
        typical = np.median(np.max(spread, tuple(range(1, spread.ndim)), initial=0)[rows])
        extra = spread + oracles.safety * u * leaf.size * (u > eps)
        largest_u = oracles.products_u if oracles.grants_products(u) else u
        if typical <= MAX_TYPICAL_SPREAD * largest_u * leaf.size:
            leaf = leaf._replace(allowance=leaf.allowance + extra)
        leaves.append(leaf)
    return expected._replace(leaves=leaves, for_formula=True)


def with_format_allowance(oracles: CompiledOracles, expected: Expected, trial: Trial) -> Expected:
    """Allows for the error that the forward's own autodiff has in the format, if it computes in another way there.

    As `expm` does, whose approximation is a coarser one in float32: noise on what float64 computes doesn't show that.
    """
    if trial.format.name == "float64":
        return expected
    with computing_in(trial.format.name):
        try:
            cast = trial.format.cast(trial.arrays)
            own = oracles.under_noise(oracles.claimed.for_format(trial.format.name), 0.0, cast)
        except Exception:  # not to be had in the format
            return expected
        errors = [
            # Of autodiff itself: that it isn't the derivative, where it isn't, has nothing to do with the format.
            np.where(leaf.decided, np.abs(patterns[:, 0] - leaf.by_oracle[oracles.claimed_mode]), 0.0)
            for leaf, patterns in zip(expected.leaves, own, strict=True)
        ]
    leaves = [
        leaf._replace(allowance=leaf.allowance + FORMAT_SAFETY * scale_of(error))
        for leaf, error in zip(expected.leaves, errors, strict=True)
    ]
    return expected._replace(leaves=leaves)


def with_oracle_allowance(oracles: CompiledOracles, expected: Expected, trial: Trial) -> Expected:
    """Allows for what rounding does to the oracle itself, of which a quick check measures less unless it has to."""
    if oracles.measured is None:
        return expected
    try:
        u = MAGNIFICATION * eps_of(oracles.format_name) / 2
        patterns = oracles.under_noise(oracles.measured, u, trial.arrays)
    except Exception:  # not a function that can be run with noise
        return expected
    leaves = [
        leaf._replace(
            allowance=leaf.allowance + np.where(jumps(under), 0.0, SAFETY * scaled_spread(under, MAGNIFICATION))
        )
        for leaf, under in zip(expected.leaves, patterns, strict=True)
    ]
    return expected._replace(leaves=leaves)


def with_own_spread(expected: Expected, trial: Trial) -> Expected:
    """Allows for the rounding of what can't be looked into: how far inputs that are off by an ULP move its results."""
    call, eps, random = trial.calls[0], eps_of(trial.format.name), np.random.default_rng(5)
    got = trial.outcome(call).leaves
    spreads = [np.zeros(leaf.shape) for leaf in got]
    for _ in range(OFF_BY_AN_ULP):
        off = [x * (1 + eps * random.uniform(-1, 1, x.shape)) if x.dtype == np.float64 else x for x in trial.arrays]
        moved = trial._replace(arrays=off).outcome(call).leaves
        if len(moved) != len(got):
            return expected
        with np.errstate(all="ignore"):
            spreads = [np.fmax(s, np.abs(m - g)) for s, m, g in zip(spreads, moved, got, strict=True)]
    leaves, usual = [], trial.usual[call.points] & expected.inside[call.points]
    for leaf, spread in zip(expected.leaves, spreads, strict=True):
        largest = scale_of(spread)
        if np.median(largest[usual]) <= MAX_TYPICAL_SPREAD * eps / 2 * leaf.size:
            allowance = leaf.allowance.copy()
            allowance[call.points] += OPAQUE_SAFETY * largest
            leaf = leaf._replace(allowance=allowance)
        leaves.append(leaf)
    return expected._replace(leaves=leaves)


def lost_digits(outcome: Outcome, without_formula: Expected, trial: Trial) -> list[str]:
    """A note of where results are right by their own formula's allowance alone, and off by thousands of ULP."""
    furthest, at, points = 0.0, [], outcome.points
    for got, leaf in zip(outcome.leaves, without_formula.leaves, strict=True):
        want, beyond = leaf.want[points], ratios(got, leaf, points) > 1
        beyond &= np.abs(want) > NEXT_TO_NOTHING * scale_of(want)
        off = np.where(beyond, ulps(np.abs(got - want), want, trial.format.name), 0)
        furthest = max(furthest, float(np.max(off, initial=0)))
        at += [trial.names[i] for i in points[rows_of(off > MANY_ULP)]]
    if not at:
        return []
    where = "; ".join(list(dict.fromkeys(at))[:NAMED_POINTS])
    points_of_it = f"{len(at)} point{'s' if len(at) > 1 else ''}"
    return [
        f"the manual formula loses digits at {points_of_it} ({where}), up to {furthest:.2g} ULP: allowed, as it is "
        "what its own roundings do"
    ]


def unmeasured(claim: Claim, trial: Trial) -> bool:
    """Whether the manual gradient calls what can't be looked into."""
    with computing_in(trial.format.name):
        example = trial.format.cast([x[0] for x in trial.arrays])
        return traces(claim.manual_of, example) and bool(opaque(jax.make_jaxpr(claim.manual_of)(*example).jaxpr))
