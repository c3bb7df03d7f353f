"""A forward that JAX can't differentiate as it is asked to, in a way in which it can."""

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from manual_grads.checking.compiling import traces
from manual_grads.checking.numpy_functions import refuses_tracers
from manual_grads.checking.truth.numpy_forward import as_jax
from manual_grads.checking.truth.oracles import FEWER_STEPS, Bounds, forward, steadiest_differences


class Differentiable(NamedTuple):
    """A forward, and how it is differentiated."""

    forward: Any
    by_differences: bool = False
    note: str = ""


def differentiable(
    f: Any, by: Callable[..., Any], args: tuple[Any, ...], bounds: Bounds | None = None
) -> Differentiable:
    """`f`, of which `by(f)` can't be traced, in forward mode or by differences; as it is, if nothing helps.

    Differences stay within the `bounds` of the arguments.
    """
    if not callable(f):
        return Differentiable(f)
    given = list(args)
    if refuses_tracers(lambda *a: by(f)(*a), given):
        return Differentiable(wraps(f)(as_jax(f, bounds)), True, "the forward is written in NumPy: " + _ROUGH)
    if traces(lambda *a: by(forward(f))(*a), given):
        return Differentiable(
            wraps(f)(forward(f)), note="JAX can't differentiate the forward backwards: it is judged by forward mode"
        )
    by_differences = steadiest_differences(f, FEWER_STEPS, bounds)
    if traces(lambda *a: by(by_differences)(*a), given):
        return Differentiable(wraps(f)(by_differences), True, "JAX can't differentiate the forward: " + _ROUGH)
    return Differentiable(f)


_ROUGH = "its derivative is by central differences in float64, good to about 10⁻⁷"
