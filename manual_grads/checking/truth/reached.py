"""Which of a function's derivative rules its derivative depends on, at some arguments."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.arrays import Leaf, is_float
from manual_grads.checking.claim import Claim
from manual_grads.checking.compiling import compiled, in_turn
from manual_grads.checking.truth.own_rules import RuleInterpreter, name_of_rule, over_arrays
from manual_grads.checking.truth.primitives import bind

MAX_POINTS_FOLLOWED = 32


def reached(claim: Claim, names: list[str], points: list[Leaf], format_name: str) -> list[str]:
    """Of the rules of these names, those that have a part in the claimed derivative at any of the points.

    A rule has none in a branch that isn't taken, behind a `stop_gradient`, where its arguments aren't differentiated or
    its results aren't used, or inside of a function that has another rule.
    """

    def derivative(marks: Any, *arrays: Any) -> Any:
        return claim._replace(forward=_with_detours(claim.forward, names, marks)).claimed(*arrays)

    followed = compiled(in_turn(derivative, (None, *(0 for _ in points))), format_name, optimised=False)
    some = [x[:MAX_POINTS_FOLLOWED] for x in points]
    without = jax.device_get(jax.tree.leaves(followed(np.zeros(len(names)), *some)))
    found = []
    for name, marks in zip(names, np.eye(len(names)), strict=True):
        marked = jax.device_get(jax.tree.leaves(followed(marks, *some)))
        if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(marked, without, strict=True)):
            found.append(name)
    return found


def _with_detours(f: Callable[..., Any], names: list[str], marks: Any) -> Callable[..., Any]:
    """`f`, with a slope of its mark added to every rule, from each of its arguments to each of its results."""

    def detoured(*args: Any) -> Any:
        of_arrays, arrays = over_arrays(f, args)
        return _Detours(dict(zip(names, marks, strict=True))).of(of_arrays)(*arrays)

    return detoured


class _Detours(RuleInterpreter):
    """Evaluates what has a rule with it, and with a slope beside it."""

    def __init__(self, marks: dict[str, Any]) -> None:
        self.marks = marks

    def rule(self, eqn: Any, values: list[Any]) -> list[Any]:
        """The rule's outputs."""
        # A rule may save what it is given, and expects arrays of JAX: literals are NumPy's.
        values = [x if isinstance(x, jax.Array) else jnp.asarray(x) for x in values]
        detour = _no_value(self.marks[name_of_rule(eqn)], *filter(is_float, values))
        return [out + detour.astype(out.dtype) if is_float(out) else out for out in bind(eqn, values)]


@jax.custom_jvp
def _no_value(mark: Any, *xs: Any) -> Any:
    """0, whose slope in every entry of the xs is said to be `mark`; on the devices of a mesh where any of the xs is."""
    return sum((0 * jnp.isnan(x).sum().astype(mark.dtype) for x in xs), jnp.zeros_like(mark))


@_no_value.defjvp
def _no_value_jvp(primals: Any, tangents: Any) -> Any:
    """`mark * Σ tangents`."""
    mark, *xs = primals
    return _no_value(mark, *xs), sum((mark * t.astype(mark.dtype).sum() for t in tangents[1:]), jnp.zeros_like(mark))
