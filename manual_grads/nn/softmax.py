r"""The softmax and log-softmax of `jax.nn`, with the derivative of Task 19.1."""

from collections.abc import Callable
from functools import partial
from inspect import unwrap
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from manual_grads.formulas.inputs import as_array, as_floats, widen
from manual_grads.formulas.stable.exponentials import Exponential, with_exponential
from manual_grads.formulas.stable.softmax import log_probabilities, probabilities
from manual_grads.nn.axes import Axis, as_axes, as_mask, as_rows, broadcast, from_rows, only, without_masked


def softmax(x: ArrayLike, axis: Axis = -1, where: ArrayLike | None = None) -> Float[Array, "..."]:
    r"""$g_k = e^{x_k} / \sum_l e^{x_l}$ along `axis`: in place of `jax.nn.softmax`.

    Args:
        x: floats, or integers, which become floats.
        axis: the axis, or axes, of the classes; None for all.
        where: booleans that broadcast with x: the classes to include. The others get 0.

    Returns:
        g, of x's shape and dtype.

    Derivatives: J·t = g ∘ (t − gᵀt), in a form that doesn't cancel where one class has nearly everything. What is
    kept for the backward pass is g alone (and the mask, if there is one).

    Raises:
        TypeError: if `x` isn't real numbers, of float16, bfloat16, float32 or float64 if floating.
        ValueError: for an `axis` that isn't there, or a `where` that isn't boolean or doesn't broadcast.

    From: Task 19.1.
    """
    return _over_rows(probability_rows, x, axis, where)


def log_softmax(x: ArrayLike, axis: Axis = -1, where: ArrayLike | None = None) -> Float[Array, "..."]:
    r"""$\ln g_k = x_k - \ln \sum_l e^{x_l}$ along `axis`: in place of `jax.nn.log_softmax`.

    Args:
        x: floats, or integers, which become floats.
        axis: the axis, or axes, of the classes; None for all.
        where: booleans that broadcast with x: the classes to include. The others get −inf.

    Returns:
        ln g, of x's shape and dtype.

    Derivatives: t − gᵀt, in a form that doesn't cancel where one class has nearly everything. What is kept for the
    backward pass is g alone (and the mask, if there is one).

    Raises:
        TypeError: if `x` isn't real numbers, of float16, bfloat16, float32 or float64 if floating.
        ValueError: for an `axis` that isn't there, or a `where` that isn't boolean or doesn't broadcast.

    From: Task 19.1, divided by g.
    """
    return _over_rows(log_probability_rows, x, axis, where)


def _over_rows(rule: Callable[[Array, Array | None], Array], x: Any, axis: Axis, where: Any) -> Array:
    x = as_array("x", x, "numbers", jnp.asarray)
    if jnp.issubdtype(x.dtype, jnp.integer):
        x = x.astype(float)
    x = as_floats("x", x)
    axes = as_axes(axis, x.ndim)
    if where is not None:
        x, where = broadcast("x", x, "where", as_mask(where))
    if x.size == 0:
        return x
    return from_rows(rule(as_rows(x, axes), None if where is None else as_rows(where, axes)), x.shape, axes)


@jax.custom_jvp
def probability_rows(s: Float[Array, "*batch classes"], mask: Array | None) -> Float[Array, "*batch classes"]:
    """Softmax, g, of each row."""
    return only(mask, probabilities(widen(without_masked(mask, s))).astype(s.dtype))


@probability_rows.defjvp
def _(primals, tangents):
    (s, mask), (t, _) = primals, tangents
    g = probability_rows(s, mask)
    return g, probability_tangent(g, mask, t)


@jax.custom_jvp
def log_probability_rows(s: Float[Array, "*batch classes"], mask: Array | None) -> Float[Array, "*batch classes"]:
    """Log-softmax, ln g, of each row."""
    return only(mask, log_probabilities(widen(without_masked(mask, s))).astype(s.dtype), -jnp.inf)


@log_probability_rows.defjvp
def _(primals, tangents):
    (s, mask), (t, _) = primals, tangents
    log_g, g = log_probabilities_and_probabilities(s, mask)
    return log_g, log_probability_tangent(g, mask, t)


@jax.custom_jvp
def log_probabilities_and_probabilities(s: Array, mask: Array | None) -> tuple[Array, Array]:
    """Both of them: they have their exponentials in common."""
    log_g, g = _both(widen(without_masked(mask, s)))
    return only(mask, log_g.astype(s.dtype), -jnp.inf), only(mask, g.astype(s.dtype))


@log_probabilities_and_probabilities.defjvp
def _(primals, tangents):
    (s, mask), (t, _) = primals, tangents
    log_g, g = log_probabilities_and_probabilities(s, mask)
    return (log_g, g), (log_probability_tangent(g, mask, t), probability_tangent(g, mask, t))


@with_exponential
def _both(exp: Exponential, s: Array, m: Array) -> tuple[Array, Array]:
    return unwrap(log_probabilities)(exp, s, m), unwrap(probabilities)(exp, s, m)


# Recomputed in the backward pass, so that g is all that is kept for it.
@partial(jax.checkpoint, prevent_cse=False)
def probability_tangent(g: Array, mask: Array | None, t: Array) -> Array:
    r"""$g \circ (t - \sum_l g_l t_l)$, linear in t."""
    return only(mask, (widen(g) * _centred(widen(g), widen(only(mask, t)))).astype(g.dtype))


@partial(jax.checkpoint, prevent_cse=False)
def log_probability_tangent(g: Array, mask: Array | None, t: Array) -> Array:
    r"""$t - \sum_l g_l t_l$, linear in t."""
    return only(mask, _centred(widen(g), widen(only(mask, t))).astype(g.dtype))


def _centred(g: Array, t: Array) -> Array:
    r"""$t - \sum_l g_l t_l$; and its transpose, $c - g \sum_k c_k$, too, without cancellation.

    As g sums to one, t may be shifted: by the entry $t_i$ of the class that has more than half of g, if there is one.
    Its own entry is then exactly 0, and $1 - g_i$ the sum of the others.
    """
    dominant = g > 0.5
    shifted = jnp.where(dominant, 0, t - jnp.where(dominant, t, 0).sum(-1, keepdims=True))
    return shifted - (g * shifted).sum(-1, keepdims=True)
