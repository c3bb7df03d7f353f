r"""The registry of claims: which hand-written derivative equals which JAX transform of which function.

A rule is one decorator at the function it is about:

    @derivative_of(plain.softmax, by=jax.jacobian, equation="19.1", example=one_logits)
    def softmax_jacobian(logits): ...

claims ``softmax_jacobian == jax.jacobian(plain.softmax)``. Tests, command line and benchmarks read `RULES` alone.
"""

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array

Function = TypeVar("Function", bound=Callable[..., Any])

FLOATS = ("float16", "bfloat16", "float32", "float64")


class Sizes(NamedTuple):
    """How large an example is to be. All unequal, so that a missing transpose is a shape error."""

    batch: tuple[int, ...] = ()
    inputs: int = 5
    hidden: int = 4
    classes: int = 3
    soft_labels: bool = False  # labels as distributions over the classes, rather than class indices


class Rule(NamedTuple):
    """The claim `manual == by(forward)` for one example; native batch axes equal `vmap`, but for `summed`."""

    name: str
    manual: Callable[..., Any]
    forward: Any  # a function, or a tuple of the links of a chain of functions
    by: Callable[..., Any]
    equation: str
    example: Callable[..., tuple[Array, ...]]  # (key, dtype, sizes) -> arguments
    summed: tuple[int, ...]  # the outputs that are summed over native batch axes, as those of shared parameters are

    @property
    def claim(self) -> str:
        """What `manual` is said to equal, such as "jacobian(softmax)"."""
        by = getattr(self.by, "func", self.by)
        return f"{getattr(by, '__name__', type(by).__name__)}({getattr(self.forward, '__name__', 'LINKS')})"

    @property
    def label_kinds(self) -> tuple[bool, ...]:
        """The values of `Sizes.soft_labels` that make a difference to its arguments."""
        if "labels" not in signature(self.manual).parameters:
            return (False,)
        indices, soft = (
            self.example(jax.random.key(0), jnp.dtype("float32"), Sizes(soft_labels=s)) for s in (False, True)
        )
        return (False, True) if [x.dtype for x in indices] != [x.dtype for x in soft] else (False,)


RULES: dict[str, Rule] = {}


def derivative_of(
    forward: Any,
    *,
    by: Callable[..., Any],
    example: Callable[..., tuple[Array, ...]],
    equation: str = "",
    summed: tuple[int, ...] = (),
) -> Callable[[Function], Function]:
    """Records the claim `manual == by(forward)` in `RULES` and returns `manual` as it was.

    Args:
        forward: the function whose derivative is claimed.
        by: the JAX transform that is reproduced (`jax.grad`, `jax.jacobian`, `vjp`, `jvp`, …).
        example: draws arguments: `example(key, dtype, sizes)`, with `sizes.batch` leading axes on those that have them.
        equation: where it is derived, such as the document's task "19.1".
        summed: positions of the outputs that native batch axes sum over the examples.

    Raises:
        ValueError: if a rule of this name exists.
    """

    def register(manual: Function) -> Function:
        name = manual.__name__
        if name in RULES:
            raise ValueError(f"a rule named {name!r} is registered already")
        RULES[name] = Rule(name, manual, forward, by, equation, example, summed)
        return manual

    return register


def value(f: Callable[..., Any]) -> Callable[..., Any]:
    """`value(f)(*args) = f(*args)`: the claim of a function to equal another one."""
    return f


def vjp(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """`vjp(f)(*args, cotangent) = Jᵀ·cotangent`: `jax.vjp` as one function, in the style of `jax.grad`."""

    @wraps(f)
    def pulled_back(*args_and_cotangent: Any) -> Any:
        *args, cotangent = args_and_cotangent
        f_of, at = _only(f, argnums, args)
        cotangents = jax.vjp(f_of, *at)[1](cotangent)
        return cotangents[0] if isinstance(argnums, int) else cotangents

    return pulled_back


def value_and_vjp(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """`value_and_vjp(f)(*args, cotangent) = (f(*args), Jᵀ·cotangent)`: the value as it is when f is differentiated."""

    @wraps(f)
    def pulled_back(*args_and_cotangent: Any) -> Any:
        *args, cotangent = args_and_cotangent
        f_of, at = _only(f, argnums, args)
        value, pull_back = jax.vjp(f_of, *at)
        cotangents = pull_back(cotangent)
        return value, cotangents[0] if isinstance(argnums, int) else cotangents

    return pulled_back


def jvp(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """`jvp(f)(*args, *tangents) = J·tangents`: one tangent for each of `argnums`, as `jax.jvp` without the value."""
    count = 1 if isinstance(argnums, int) else len(argnums)

    @wraps(f)
    def pushed_forward(*args_and_tangents: Any) -> Any:
        args, tangents = args_and_tangents[:-count], args_and_tangents[-count:]
        f_of, at = _only(f, argnums, args)
        return jax.jvp(f_of, at, tangents)[1]

    return pushed_forward


def hvp(f: Callable[..., Any]) -> Callable[..., Any]:
    """`hvp(f)(*args, tangent) = H·tangent`, the Hessian of a scalar `f` in its first argument."""
    return jvp(jax.grad(f))


def batched(
    f: Any, by: Callable[..., Any], batch_axes: tuple[int, ...], summed: tuple[int, ...] = ()
) -> Callable[..., Any]:
    """`by(f)` of each example of a batch: what a function with native batch axes is claimed to equal.

    Args:
        f: a function of one example.
        by: the transform that is reproduced for one example.
        batch_axes: how many leading batch axes each argument has.
        summed: positions of the outputs that are summed over the batch.
    """
    depth, each = max(batch_axes), by(f)
    for level in reversed(range(depth)):  # outermost last
        each = jax.vmap(each, tuple(0 if n > level else None for n in batch_axes))

    def of_batch(*args: Any) -> Any:
        results = each(*args)
        if not summed:
            return results
        return tuple(r.sum(tuple(range(depth))) if i in summed else r for i, r in enumerate(results))

    return of_batch


def link_jacobians(links: tuple[Callable[..., Any], ...]) -> Callable[..., Any]:
    """The factors of the chain rule, outermost first: each link's Jacobian at the value that reaches it.

    A link is `link(value, *parameters)`; the result is `factors(value, *parameters)`.
    """

    def factors(value: Any, *parameters: Any) -> tuple[Any, ...]:
        jacobians = []
        for link in links:
            jacobians.append(jax.jacobian(link)(value, *parameters))
            value = link(value, *parameters)
        return tuple(reversed(jacobians))

    return factors


def _only(f: Callable[..., Any], argnums: int | tuple[int, ...], args: Any) -> tuple[Callable[..., Any], tuple]:
    """`f` as a function of the arguments `argnums` alone, and their values."""
    positions = (argnums,) if isinstance(argnums, int) else argnums

    def f_of(*some: Any) -> Any:
        given = dict(zip(positions, some, strict=True))
        return f(*(given.get(i, arg) for i, arg in enumerate(args)))

    return f_of, tuple(args[i] for i in positions)
