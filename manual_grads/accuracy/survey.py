"""The survey: every rule's worst error over the hard inputs, beside that of autodiff on the same inputs."""

from collections.abc import Callable, Iterable
from functools import wraps
from inspect import signature
from typing import Any, NamedTuple

import jax
import numpy as np

from manual_grads.accuracy.inputs import Cases
from manual_grads.accuracy.peers import PEERS
from manual_grads.accuracy.promises import PROMISES, bound, derived, truth
from manual_grads.accuracy.ulp import TrueValues, errors_of_all
from manual_grads.rules import Rule


class Worst(NamedTuple):
    """The largest error of a function, relative to what is promised there, and where it was found."""

    ulp: float
    bound: float
    false_zeros: int
    family: str = ""
    entry: int = 0  # of all the outputs' entries in a row
    args: tuple[Any, ...] = ()

    @property
    def within(self) -> bool:
        """Whether the promise is kept."""
        return self.ulp <= self.bound


class Known(NamedTuple):
    """Cases and their true values: what results are measured by."""

    cases: Cases
    truths: list[TrueValues]  # of each output, for all the cases
    bounds: np.ndarray  # per case


def known(rule: Rule, dtype: Any, cases: Cases) -> Known:
    """Cases with their true values and the bounds of a rule."""
    n = len(cases.families)
    per_case = [truth(rule, cases.exact(i), dtype) for i in range(n)]
    truths = [
        TrueValues(*(np.stack([getattr(one, part) for one in leaf]) for part in ("high", "low", "unit")), dtype=dtype)
        for leaf in zip(*per_case, strict=True)
    ]
    return Known(cases, truths, np.array([bound(rule, cases.exact(i), dtype) for i in range(n)]))


def for_each_example(rule: Rule) -> Callable[..., Any]:
    """A rule's function for arguments with one leading axis: itself, unless each example has weights of its own."""
    shared = {"A", "weights"} & set(signature(rule.manual).parameters)
    return jax.vmap(rule.manual) if shared else rule.manual


def autodiff(rule: Rule, dtype: Any) -> Callable[..., dict[str, Any]]:
    """Autodiff of the plain forward and of other authors', for arguments with one leading axis.

    Some forwards return float32 for narrower logits and a distribution of labels: their values are rounded.
    """

    def rounded(forward: Callable[..., Any]) -> Callable[..., Any]:
        return wraps(forward)(lambda *args: forward(*args).astype(dtype))

    forwards = {"plain": rule.forward, "jax.nn": PEERS[rule.forward]}
    by = {name: jax.vmap(rule.by(jax.tree.map(rounded, forward))) for name, forward in forwards.items()}
    return lambda *args: {name: function(*args) for name, function in by.items()}


def run(function: Callable[..., Any], dtype: Any, args: Iterable[np.ndarray]) -> Any:
    """A function's results, jitted."""
    with jax.enable_x64(np.dtype(dtype) == np.float64):
        return jax.tree.map(np.asarray, jax.jit(function)(*args))


def worst(got: Any, by: Known) -> Worst:
    """The largest error of results, relative to the bound of each case."""
    found = errors_of_all(got, by.truths)
    if not found.ulp.size:
        return Worst(0.0, float(by.bounds.max(initial=0)), 0)
    case, entry = np.unravel_index(np.argmax(found.ulp / by.bounds[:, None]), found.ulp.shape)
    return Worst(
        ulp=float(found.ulp[case, entry]),
        bound=float(by.bounds[case]),
        false_zeros=int((found.zero & (found.ulp > by.bounds[:, None])).sum()),
        family=by.cases.families[case],
        entry=int(entry),
        args=tuple(arg[case] for arg in by.cases.args),
    )


def worse(a: Worst, b: Worst) -> Worst:
    """The worse of two, with the false zeros of both."""
    return max(a, b, key=lambda w: w.ulp / w.bound)._replace(false_zeros=a.false_zeros + b.false_zeros)


class Measured(NamedTuple):
    """What was found for a rule in a dtype: by hand, and by autodiff of two forwards, on the same inputs."""

    rule: Rule
    dtype: str
    inputs: int
    derived: float  # the bound for any input of the shape at which the worst was found
    by_hand: Worst
    autodiff: dict[str, Worst]

    @property
    def in_ulp_of_the_value(self) -> bool:
        """Whether the bound is in ULP of the true value, rather than of a sum with absolute values."""
        return PROMISES[self.rule.name].ulp is not None

    @property
    def passed(self) -> bool:
        """Whether the promise is kept, and so is the bound that is derived."""
        return self.by_hand.within and self.by_hand.ulp <= self.derived


def measured(rule: Rule, dtype: str, results: Iterable[tuple[dict[str, Any], Known]]) -> Measured:
    """The verdict on a rule, from results by hand and by autodiff for some cases, and what is known of those."""
    totals: dict[str, Worst] = {}
    inputs = 0
    for got, by in results:
        inputs += len(by.cases.families)
        for name, result in got.items():
            found = worst(result, by)
            totals[name] = worse(totals[name], found) if name in totals else found
    by_hand = totals.pop("by hand")
    at_most = derived(rule, by_hand.args, dtype)
    return Measured(rule=rule, dtype=dtype, inputs=inputs, derived=at_most, by_hand=by_hand, autodiff=totals)
