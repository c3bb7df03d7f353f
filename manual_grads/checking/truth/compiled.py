"""The oracles of a claim as compiled functions: each by its own way to differentiate, and one that measures noise."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.arrays import Leaf, computing_in, eps_of, leaves_of
from manual_grads.checking.claim import Claim
from manual_grads.checking.compiling import Compiled, Job, compiled, in_turn, points_at_once, traces
from manual_grads.checking.truth.gradients import Gradient, gradients_in
from manual_grads.checking.truth.noise import noisy, noisy_inputs
from manual_grads.checking.truth.oracles import ENTRIES_AT_ONCE, differences, forward, reverse, slopes_along
from manual_grads.checking.truth.own_rules import rules_in, value_when_differentiated, without_rules
from manual_grads.checking.truth.primitives import coarsest_eps, opaque
from manual_grads.checking.truth.spread import Patterns, patterns_of_noise
from manual_grads.checking.truth.widened import in_float64

# The worst of five random patterns is a part of the worst there is: 1.6σ on average by a Gaussian law of many
# roundings, 5/6 of its bound for a single one. Eight times that is hardly ever exceeded.
SAFETY = 8.0
# A quick check measures no noise of operations, only of inputs: eight times as much is allowed for that.
QUICK_SAFETY = 8 * SAFETY
# Of arrays of very many entries fewer patterns are made; the worst of two is two thirds of that of five.
MANY_ENTRIES, FEWER_PATTERNS, FEWER_SAFETY = 2**14, 2, 1.5
BY_DIFFERENCES = 1e-6  # likewise, if the oracle is differences alone
# Of the steadiest differences: far out, where their steps are as much longer, the largest error found (of sin 3x at a
# scale of 100) is 2·10⁻¹⁰, and 10⁻⁹ of sin x at 1000; near the example 10⁻¹¹.
TRUNCATED = 1e-9
QUICK_UNMEASURED = 1e-10  # and this part of a result's size, for what its oracle itself may lose in float64
MAX_DIFFERENCED = 2048  # entries: more than these are too many to difference one by one
DIRECTIONS = 4  # in which they are differenced instead
MAX_POINTS_DIFFERENCED = 24  # at once, and so many that this many slopes are taken:
SLOPES_AT_ONCE = 2000
TRACING_STEP = np.float64(0.01)  # any number would do to see whether differences can be traced


class CompiledOracles(NamedTuple):
    """The compiled functions; each takes arrays that are stacked over the points."""

    claimed: Compiled  # (u, patterns, *arrays) -> the claimed derivative under each pattern of noise
    manual: Compiled  # (u, patterns, *arrays) -> the manual derivative, likewise
    resteps: Compiled | None  # (factor, *arrays) -> the claimed derivative, where it is by differences, by other steps
    measured: Compiled | None  # as `claimed`, with noise on operations too, where that has it on arguments alone
    value: Compiled  # the forward's
    patterns: np.ndarray  # of noise
    products_u: float  # half of ε of the format that operands of products may be rounded to; 0 if that isn't granted
    claimed_mode: str  # the mode of autodiff that `by` itself uses
    gradients: tuple[Gradient, ...]  # which of the results are such
    moved: Compiled | None  # as `claimed`, with noise on arguments alone, if there are any; where kinks are shared
    modes: dict[str, Compiled]  # the same derivative by the other mode of autodiff
    stepped: Compiled | None  # (step, *arrays) -> by central differences; for some of the points
    in_doubt_alone: bool  # whether these are taken only where autodiff fails or is odd
    directed: Compiled | None  # (step, *arrays) -> slopes of the forward along random directions, both ways
    rules: list[str]  # the functions in the forward that have derivative rules of their own
    without_rules: Compiled | None  # the claimed derivative, of the forward without them
    value_by_rules: Compiled | None  # the forward's, as its rules return it when it is differentiated
    confirming: Compiled | None  # (step, *arrays) -> by central differences, if they are to be asked about rules
    own_rules: bool  # whether there are rules, and no stop_gradient: that the slope is meant
    safety: float  # times the spread that noise shows is allowed
    unmeasured: float  # relative to a result's size: what the oracle itself may lose, if its operations get no noise
    example_eps: float  # ε of the example's own format
    forward_eps: float  # the largest ε of the formats that the forward itself converts to
    format_name: str  # what they are computed in
    notes: list[str]

    def jobs(self, arrays: list[Leaf]) -> Iterator[Job]:
        """What is to be compiled, to be called with stacked arrays of these shapes."""
        some = [x[: differenced_at_once(arrays)] for x in arrays]
        yield self.claimed, [np.ones(2) if self.products_u else 1.0, self.patterns, *arrays]
        if self.stepped and not self.in_doubt_alone:
            yield self.stepped, [1.0, *some]
        if self.directed:
            yield self.directed, [1.0, *arrays]
        yield from ((function, arrays) for function in (self.without_rules, self.value_by_rules) if function)
        yield from ((mode, arrays) for mode in self.modes.values())
        yield self.value, arrays

    def grants_products(self, u: float) -> bool:
        """Whether products may be of lower precision than operations of this u: those of float32 and narrower may."""
        return eps_of("float32") / 2 <= u < self.products_u

    def under_noise(self, side: Compiled, u: float, points: list[Leaf], products: bool = False) -> list[Patterns]:
        """What `claimed` or `manual` returns under each pattern of noise of u; of `products`, too, where granted."""
        if self.products_u:
            of_operands = self.products_u if products and self.grants_products(u) else 0.0
            return leaves_of(side(np.array([u, of_operands]), self.patterns, *points))
        return leaves_of(side(u, self.patterns, *points))

    def in_float32(self) -> "CompiledOracles":
        """The same in float32, which is too coarse for differences: without these."""
        return self._replace(
            claimed=self.claimed.for_format("float32"),
            manual=self.manual.for_format("float32"),
            resteps=None,
            measured=None,
            moved=self.moved and self.moved.for_format("float32"),
            value=self.value.for_format("float32"),
            modes={name: mode.for_format("float32") for name, mode in self.modes.items()},
            stepped=None,
            directed=None,
            without_rules=None,
            value_by_rules=None,
            format_name="float32",
        )


def compiled_oracles(
    claim: Claim,
    example: list[Any],
    example_eps: float,
    thorough: bool,
    widest: int = 1,
    own: str = "float32",
    products_u: float = 0.0,
) -> CompiledOracles:
    """The oracles of a claim, for arrays like the example's; its notes name those that can't be had.

    `own` is the format that is tried first, in which the forward runs; `widest` is the number of entries of the largest
    array that either side makes at a point.
    """
    with computing_in("float64"):
        claim, notes = _in_float64(claim, example, own)
        value = jax.make_jaxpr(claim.value)(*example).jaxpr
        text, rules = str(value), rules_in(value)
        points, gradients = _points_like(claim, example, text, widest), gradients_in(claim, example)
        measured = (thorough or products_u > 0) and not claim.by_differences
        with_noise = partial(noisy, products=products_u > 0) if measured else noisy_inputs
        oracles = CompiledOracles(
            claimed=points.under_patterns(with_noise(claim.claimed, claim.differentiated)),
            # At exact inputs: beside x == 0 it may be another function.
            manual=points.under_patterns(noisy(claim.manual_of, None, products=products_u > 0)),
            resteps=_resteps(claim, points),
            measured=None,
            value=points.compiled(claim.value),
            patterns=points.patterns,
            products_u=products_u,
            claimed_mode=_claimed_mode(claim),
            gradients=gradients,
            moved=points.under_patterns(noisy_inputs(claim.claimed, claim.differentiated)) if gradients else None,
            modes={},
            stepped=None,
            in_doubt_alone=not thorough,
            directed=None,
            rules=rules,
            without_rules=None,
            value_by_rules=None,
            confirming=None,
            # A stop_gradient says that the slope isn't meant; a rule alone may be wrong.
            own_rules=bool(rules) and "stop_gradient" not in text,
            safety=(SAFETY if measured or thorough else QUICK_SAFETY) * (FEWER_SAFETY if points.fewer_patterns else 1),
            unmeasured=_unmeasured_part(claim, measured or thorough),
            example_eps=example_eps,
            forward_eps=coarsest_eps(claim.claimed, *example),
            format_name="float64",
            notes=notes,
        )
        # The other oracles are rules, and JAX (0.8 to 0.12) loses or refuses one of a function that writes into a Ref.
        by_rules = "Ref{" not in text
        # Where a rule is what is checked, those in the forward are the reference's, or an oracle's.
        refutable = rules and by_rules and claim.ruled is None
        oracles = _with_rules_refuted(oracles, claim, example, points) if refutable else oracles
        if claim.by_differences:
            return oracles
        if not thorough:
            stepped, plain = _stepped(claim), points.under_patterns(noisy(claim.claimed, claim.differentiated))
            doubted = by_rules and _few_enough_to_step(example, points)  # whether it can be, is seen when it is
            return oracles._replace(
                measured=None if products_u else plain, stepped=_compiled_steps(stepped, points) if doubted else None
            )
        oracles.notes.extend(_unmeasured(claim, example))
        if not by_rules:
            oracles.notes.append("other modes and differences: not to be had, for the forward writes into a jax.Ref")
            return oracles
        return _with_differences(_with_other_mode(oracles, claim, example, points), claim, example, points)


def _in_float64(claim: Claim, example: list[Any], own: str) -> tuple[Claim, list[str]]:
    """The claim with a forward that can be evaluated in float64, and what is to be said of that."""
    if claim.note:
        return claim, [claim.note]
    if traces(claim.claimed, example):
        return claim, []
    forward = jax.tree.map(lambda f: in_float64(f, jnp.dtype(own)), claim.forward)
    wide = claim._replace(forward=forward)
    if not traces(wide.claimed, example):
        return claim, []
    return wide, [f"the forward runs in {own} only: the oracles do its operations in float64"]


class _PointsLike(NamedTuple):
    """How a function of one point becomes a compiled one of many."""

    batch: Callable[..., Any]  # `jax.vmap`, or what does the same for a function that has no batching rule
    arrays: int  # of a point
    widest: int  # the entries of the largest array that is made of a point
    optimised: bool
    slow: bool  # whether each is differenced, so that a function is called hundreds of times for it

    def fits(self, copies: int) -> bool:
        """Whether so many copies of what one point needs fit into memory."""
        return points_at_once(self.widest, copies) > 1

    @property
    def fewer_patterns(self) -> bool:
        """Whether all patterns would take too long: so many entries are there that few show enough, or it is slow."""
        return self.slow or self.widest > MANY_ENTRIES

    @property
    def patterns(self) -> np.ndarray:
        """The noise to measure by."""
        return patterns_of_noise(FEWER_PATTERNS) if self.fewer_patterns else patterns_of_noise()

    def compiled(self, f: Callable[..., Any], parameters: int = 0, copies: int = 1) -> Compiled:
        """`f(*parameters, *arrays)`, for arrays that are stacked over the points."""
        batched = self.batch(f, (None,) * parameters + (0,) * self.arrays)
        at_once = points_at_once(self.widest, copies)
        return compiled(batched, "float64", optimised=self.optimised, parameters=parameters, at_once=at_once)

    def under_patterns(self, f: Callable[..., Any]) -> Compiled:
        """`f(u, noise, *arrays)`, for each pattern of noise."""
        count = len(self.patterns)
        batch = self.batch if self.fits(count) else in_turn
        each = batch(f, (None, 0, *(None,) * self.arrays))
        return self.compiled(each, parameters=2, copies=count if self.fits(count) else 1)


def _points_like(claim: Claim, example: list[Any], text: str, widest: int) -> _PointsLike:
    """How to batch the claim's functions, given the forward's jaxpr as text."""
    one_point = [np.asarray(x)[None] for x in example]
    return _PointsLike(
        batch=jax.vmap if traces(jax.vmap(claim.claimed), one_point) else in_turn,
        arrays=len(example),
        widest=widest,
        # A convolution that isn't optimised takes longer to run than it takes to optimise.
        optimised="conv_general_dilated" in text,
        slow=claim.by_differences or claim.differenced,
    )


def _unmeasured_part(claim: Claim, measured: bool) -> float:
    """What the oracle itself may lose, relative to a result's size, that noise doesn't show."""
    if claim.by_differences:
        return BY_DIFFERENCES
    if claim.differenced:
        return TRUNCATED
    return 0.0 if measured else QUICK_UNMEASURED


def _claimed_mode(claim: Claim) -> str:
    """The mode of autodiff that `by` itself uses."""
    by = getattr(claim.by, "func", claim.by)
    return "forward" if getattr(by, "__name__", "") in ("jacfwd", "jvp") else "reverse"


def _unmeasured(claim: Claim, example: list[Any]) -> list[str]:
    """A note that names what can't be looked into."""
    tried = [jax.make_jaxpr(f)(*example) for f in (claim.claimed, claim.manual_of) if traces(f, example)]
    names = dict.fromkeys(name for closed in tried for name in opaque(closed.jaxpr))
    return [f"rounding inside {', '.join(names)} isn't measured: each counts as one operation"] if names else []


def _with_rules_refuted(
    oracles: CompiledOracles, claim: Claim, example: list[Any], points: _PointsLike
) -> CompiledOracles:
    """With what may refute the forward's own rules: its derivative without them, and slopes to confirm that."""
    plain = claim._replace(forward=jax.tree.map(without_rules, claim.forward)).claimed
    value_by_rules, stepped = value_when_differentiated(claim.value), _stepped(claim)
    return oracles._replace(
        without_rules=points.compiled(plain) if traces(plain, example) else None,
        value_by_rules=points.compiled(value_by_rules) if traces(value_by_rules, example) else None,
        confirming=_compiled_steps(stepped, points) if _can_be_stepped(stepped, example, points) else None,
    )


def _with_other_mode(
    oracles: CompiledOracles, claim: Claim, example: list[Any], points: _PointsLike
) -> CompiledOracles:
    """With the mode of autodiff that the claim itself doesn't use, if it is to be had."""
    name, oracle = ("reverse", reverse) if oracles.claimed_mode == "forward" else ("forward", forward)
    of = claim._replace(forward=jax.tree.map(oracle, claim.forward)).claimed
    entries = sum(np.size(x) for x in example)
    if not points.fits(entries):
        note = f"{name} mode: not asked, as its Jacobians of all {entries} entries don't fit into memory"
        return oracles._replace(notes=[*oracles.notes, note])
    if traces(of, example):
        return oracles._replace(modes={name: points.compiled(of, copies=entries)})
    note = f"{name} mode: not to be had (as forward mode of a custom_vjp)"
    return oracles._replace(notes=[*oracles.notes, note])


def _with_differences(
    oracles: CompiledOracles, claim: Claim, example: list[Any], points: _PointsLike
) -> CompiledOracles:
    """With central differences: of every entry, or along some directions if there are too many."""
    if oracles.confirming is not None:  # the same function, to be compiled once
        return oracles._replace(stepped=oracles.confirming)
    stepped, entries = _stepped(claim), sum(np.size(x) for x in example)
    if _can_be_stepped(stepped, example, points):
        return oracles._replace(stepped=_compiled_steps(stepped, points))
    along = slopes_along(claim.value, example, DIRECTIONS)
    if traces(along, [TRACING_STEP, *example]):
        note = f"differences: along {DIRECTIONS} random directions in all {entries} entries, not in each"
        directed = points.compiled(along, parameters=1, copies=6 * DIRECTIONS)
        return oracles._replace(directed=directed, notes=[*oracles.notes, note])
    return oracles._replace(notes=[*oracles.notes, "differences: not to be had"])


def _stepped(claim: Claim) -> Callable[..., Any]:
    """`(step, *arrays)` -> the claimed derivative by central differences of every entry."""

    def stepped(step: Any, *leaves: Any) -> Any:
        of = jax.tree.map(lambda f: differences(f, step), claim.forward)
        return claim._replace(forward=of).claimed(*leaves)

    return stepped


def _resteps(claim: Claim, points: _PointsLike) -> Compiled | None:
    """`(factor, *arrays)` -> the claimed derivative by steps so many times as long, if it is by differences."""
    if not all(hasattr(f, "by_steps") for f in jax.tree.leaves(claim.forward)):
        return None

    def resteps(factor: Any, *leaves: Any) -> Any:
        return claim._replace(forward=jax.tree.map(lambda f: f.by_steps(factor), claim.forward)).claimed(*leaves)

    return points.compiled(resteps, parameters=1)


def _compiled_steps(stepped: Callable[..., Any], points: _PointsLike) -> Compiled:
    return points.compiled(stepped, parameters=1, copies=6 * ENTRIES_AT_ONCE)


def _can_be_stepped(stepped: Callable[..., Any], example: list[Any], points: _PointsLike) -> bool:
    return _few_enough_to_step(example, points) and traces(stepped, [TRACING_STEP, *example])


def _few_enough_to_step(example: list[Any], points: _PointsLike) -> bool:
    return sum(np.size(x) for x in example) <= MAX_DIFFERENCED and points.fits(6 * ENTRIES_AT_ONCE)


def differenced_at_once(points: list[Leaf]) -> int:
    """How many points `stepped` is called with."""
    return int(
        np.clip(SLOPES_AT_ONCE // sum(x[0].size for x in points), 4, min(MAX_POINTS_DIFFERENCED, len(points[0])))
    )
