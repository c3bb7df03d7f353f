"""Derivative rules that a function brings along (`jax.custom_jvp`, `jax.custom_vjp`), and the function without them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from manual_grads.checking.compiling import inner_jaxprs
from manual_grads.checking.truth.interpreter import Interpreter
from manual_grads.checking.truth.primitives import Kind, bind, body_of, is_rule


def rules_of(f: Callable[..., Any], *args: Any) -> list[str]:
    """The functions with a rule of their own that f calls, at any depth, as "log_cosh at losses.py:12"."""
    return _rules_in(jax.make_jaxpr(f)(*args).jaxpr)


def has_forward_mode(f: Callable[..., Any], *args: Any) -> bool:
    """Whether all of f's rules are for tangents (`jax.custom_jvp`), so that JAX can push these forward through it."""
    return not _any_vjp(jax.make_jaxpr(f)(*args).jaxpr)


def without_rules(f: Callable[..., Any], but: str = "") -> Callable[..., Any]:
    """`f` with its rules taken away, but for that of one function: JAX differentiates what they stand for itself.

    What a rule calls is looked into through `jit`, loops, branches and `remat`; not inside a kernel or a `shard_map`.
    """
    return _WithoutRules(but).of(f)


def value_when_differentiated(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`'s value as its rules return it, which may be another than where it isn't differentiated."""

    def value(*args: Any) -> Any:
        floats = [i for i, x in enumerate(args) if jnp.issubdtype(jnp.result_type(x), jnp.floating)]

        def of_floats(*some: Any) -> Any:
            given = dict(zip(floats, some, strict=True))
            return f(*(given.get(i, x) for i, x in enumerate(args)))

        return jax.vjp(of_floats, *(args[i] for i in floats))[0]

    return value


class _WithoutRules(Interpreter):
    """Evaluates what has a rule by its body, and all else as it is."""

    def __init__(self, but: str) -> None:
        self.but = but

    def equation(self, eqn: Any, values: list[Any]) -> list[Any]:
        """One equation's outputs; those of a rule that is kept with it."""
        if is_rule(eqn) and self.but and _name(eqn) == self.but:
            return bind(eqn, values)
        return super().equation(eqn, values)

    def operation(self, eqn: Any, kind: Kind, values: list[Any]) -> list[Any]:
        """The equation's own outputs."""
        return bind(eqn, values)


def _rules_in(jaxpr: Any) -> list[str]:
    found = []
    for eqn in jaxpr.eqns:
        found += [_name(eqn)] if is_rule(eqn) else []
        found += [name for inner in inner_jaxprs(eqn) for name in _rules_in(inner)]
    return list(dict.fromkeys(found))


def _any_vjp(jaxpr: Any) -> bool:
    return any(
        (is_rule(eqn) and "vjp" in eqn.primitive.name) or any(map(_any_vjp, inner_jaxprs(eqn))) for eqn in jaxpr.eqns
    )


def _name(eqn: Any) -> str:
    """The function that the rule belongs to, and where that is defined."""
    body = body_of(eqn)
    about = getattr(getattr(body, "jaxpr", body), "debug_info", None)
    return getattr(about, "func_src_info", None) or eqn.primitive.name
