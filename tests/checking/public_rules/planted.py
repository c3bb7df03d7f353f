"""Public rules with a mistake in each: the public function, and as its rule the public one's, changed."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from tests.checking.public_rules.functions import RULES, PublicRule

Vjp = Callable[..., tuple[Any, ...]]
Mistake = Callable[[Vjp, tuple[Any, ...], Any], tuple[Any, ...]]  # (public vjp, arguments, cotangents) -> cotangents


def _changed(change: Callable[[Any], Any]) -> Mistake:
    """A mistake in what the rule returns."""
    return lambda vjp, args, c: tuple(map(change, vjp(args, c)))


def _of_other_cotangents(change: Callable[[Any], Any]) -> Mistake:
    """A mistake in what is done with the cotangents."""
    return lambda vjp, args, c: vjp(args, jax.tree.map(change, c))


def _at_other_arguments(change: Callable[[Any], Any]) -> Mistake:
    """The derivative somewhere else."""
    return lambda vjp, args, c: vjp(tuple(map(change, args)), c)


def _swapped(vjp: Vjp, args: tuple[Any, ...], c: Any) -> tuple[Any, ...]:
    first, second, *others = vjp(args, c)
    return (second, first, *others)


def _second_forgotten(vjp: Vjp, args: tuple[Any, ...], c: Any) -> tuple[Any, ...]:
    first, *_ = vjp(args, c)
    return (first, *(None for _ in args[1:]))


def _with_a_term(vjp: Vjp, args: tuple[Any, ...], c: Any) -> tuple[Any, ...]:
    return tuple(g + 0.01 * x for g, x in zip(vjp(args, c), args, strict=True))


def _cut(vjp: Vjp, args: tuple[Any, ...], c: Any) -> tuple[Any, ...]:
    return tuple(jnp.where(jnp.abs(x) < 3, g, 0) for g, x in zip(vjp(args, c), args, strict=True))


MISTAKES: dict[str, Mistake] = {
    "1 % too large": _changed(lambda g: 1.01 * g),
    "the sign": _changed(lambda g: -g),
    "twice": _changed(lambda g: 2 * g),
    "rounded to bfloat16": _changed(lambda g: g.astype(jnp.bfloat16).astype(g.dtype)),
    "the first entry": _changed(lambda g: g.ravel().at[0].set(0).reshape(g.shape)),
    "the mean subtracted": _changed(lambda g: g - g.mean(-1, keepdims=True)),
    "transposed": _changed(lambda g: jnp.swapaxes(g, -1, -2)),
    "the sum over entries": _changed(lambda g: jnp.full_like(g, g.sum())),
    "the cotangent dropped": _of_other_cotangents(jnp.ones_like),
    "the cotangent squared": _of_other_cotangents(jnp.square),
    "the cotangent's absolute value": _of_other_cotangents(jnp.abs),
    "the cotangent's mean": _of_other_cotangents(lambda c: jnp.full_like(c, c.mean())),
    "at half the argument": _at_other_arguments(lambda x: x / 2),
    "in other order": _at_other_arguments(lambda x: x[::-1]),
    "the arguments' swapped": _swapped,
    "None for the second": _second_forgotten,
    "a term too many": _with_a_term,
    "zero beyond 3": _cut,
}

_PLANTED: dict[str, tuple[str, str]] = {
    "relu": ("the cotangent dropped", "a term too many"),
    "relu6": ("1 % too large", "zero beyond 3"),
    "log1mexp": ("the sign", "rounded to bfloat16"),
    "softmax": ("the cotangent's mean", "1 % too large"),
    "softmax, where": ("the cotangent squared", "the first entry"),
    "softplus": ("zero beyond 3", "in other order"),
    "log sigmoid": ("at half the argument", "the cotangent's absolute value"),
    "mish": ("1 % too large", "the cotangent's mean"),
    "logaddexp": ("None for the second", "the arguments' swapped"),
    "logaddexp2": ("the arguments' swapped", "rounded to bfloat16"),
    "i0": ("twice", "zero beyond 3"),
    "sinc": ("the sign", "1 % too large"),
    "det, 4 by 4": ("transposed", "the first entry"),
    "slogdet": ("transposed", "the cotangent dropped"),
    "slogdet by QR": ("1 % too large", "twice"),
    "pinv": ("1 % too large", "the cotangent's mean"),
    "dawsn": ("at half the argument", "the first entry"),
    "erfcx": ("1 % too large", "the sum over entries"),
    "owens_t": ("None for the second", "1 % too large"),
    "xlogx": ("a term too many", "the cotangent dropped"),
    "relative entropy": ("the arguments' swapped", "1 % too large"),
    "log_ndtr": ("zero beyond 3", "rounded to bfloat16"),
    "logit": ("at half the argument", "twice"),
    "poch": ("1 % too large", "the sign"),
    "xlogy": ("None for the second", "the cotangent squared"),
    "xlog1py": ("at half the argument", "the arguments' swapped"),
    "zeta, q": ("1 % too large", "the cotangent dropped"),
    "fresnel": ("the first entry", "twice"),
    "weighted log-softmax": ("None for the second", "the mean subtracted"),
    "safe softmax cross-entropy": ("1 % too large", "the cotangent dropped"),
    "projection to the simplex": ("1 % too large", "in other order"),
    "sigmoid cross-entropy": ("None for the second", "1 % too large"),
}
PLANTED = {name: pair for name, pair in _PLANTED.items() if name in RULES}  # of those that this JAX has


def with_mistake(name: str, mistake: str) -> PublicRule:
    """The public function with a rule that is wrong."""
    public = RULES[name]

    @jax.custom_vjp
    def f(*args: Any) -> Any:
        return public.f(*args)

    def public_vjp(args: tuple[Any, ...], c: Any) -> tuple[Any, ...]:
        return jax.vjp(public.f, *args)[1](c)

    f.defvjp(lambda *args: (f(*args), args), lambda args, c: MISTAKES[mistake](public_vjp, args, c))
    return public._replace(f=f)
