r"""The softmax and log-softmax of `jax.nn`, with the derivative of Task 19.1."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from manual_grads.formulas.inputs import ArrayLike, as_array, as_floats, widen
from manual_grads.formulas.stable.classes import dominant_class, is_class, selected
from manual_grads.formulas.stable.row_sums import entry_or_zero, total
from manual_grads.formulas.stable.softmax import both_probabilities, log_probabilities, probabilities
from manual_grads.formulas.stable.sums import is_sharded
from manual_grads.nn.axes import Axis, as_axes, as_mask, as_rows, broadcast, from_rows, only, without_masked

Rows = Float[Array, "*batch classes"]
Mask = Bool[Array, "*batch classes"] | None


def softmax(x: ArrayLike, axis: Axis = -1, where: ArrayLike | None = None) -> Float[Array, "..."]:
    r"""$g_k = e^{x_k} / \sum_l e^{x_l}$ along `axis`: in place of `jax.nn.softmax`.

    Args:
        x: floats, or integers, which become floats.
        axis: the axis, or axes, of the classes; None for all.
        where: booleans that broadcast with x: the classes to include. The others get 0.

    Returns:
        g, of x's shape and dtype.

    Derivatives: J·t = g ∘ (t − gᵀt), and its transpose. Where one class has nearly everything, its entry is made of the
    others', so that it keeps its digits. What is kept for the backward pass is g alone (and the mask, if there is one).

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


def _over_rows(rule: Callable[[Rows, Mask], Rows], x: Any, axis: Axis, where: Any) -> Float[Array, "..."]:
    """A function of rows and their mask, applied along any axes: of x, checked, and of `where`, broadcast."""
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
def probability_rows(s: Rows, mask: Mask) -> Rows:
    r"""$g_k = e^{s_k} / \sum_l e^{s_l}$ of each row, and 0 for the masked classes."""
    return only(mask, probabilities(without_masked(mask, s)))


@probability_rows.defjvp
def probability_rows_jvp(primals: tuple[Rows, Mask], tangents: tuple) -> tuple[Rows, Rows]:
    r"""g, and how fast it changes along t: $g_k (t_k - \sum_l g_l t_l)$."""
    (s, mask), (t, _) = primals, tangents
    g = probability_rows(s, mask)
    return g, probability_tangent(g, mask, t)


@jax.custom_jvp
def log_probability_rows(s: Rows, mask: Mask) -> Rows:
    r"""$\ln g_k = s_k - \ln \sum_l e^{s_l}$ of each row, and −∞ for the masked classes."""
    return only(mask, log_probabilities(without_masked(mask, s)), -jnp.inf)


@log_probability_rows.defjvp
def log_probability_rows_jvp(primals: tuple[Rows, Mask], tangents: tuple) -> tuple[Rows, Rows]:
    r"""The logarithm ln g, and how fast it changes along t: $t_k - \sum_l g_l t_l$."""
    (s, mask), (t, _) = primals, tangents
    log_g, g = log_probabilities_and_probabilities(s, mask)
    return log_g, log_probability_tangent(g, mask, t)


@jax.custom_jvp
def log_probabilities_and_probabilities(s: Rows, mask: Mask) -> tuple[Rows, Rows]:
    """The logarithms ln g and the probabilities g themselves: they have their exponentials in common."""
    log_g, g = both_probabilities(without_masked(mask, s))
    return only(mask, log_g, -jnp.inf), only(mask, g)


@log_probabilities_and_probabilities.defjvp
def log_probabilities_and_probabilities_jvp(
    primals: tuple[Rows, Mask], tangents: tuple
) -> tuple[tuple[Rows, Rows], tuple[Rows, Rows]]:
    r"""Both ln g and g, and how fast they change along t: $t_k - \sum_l g_l t_l$, and $g_k$ times that."""
    (s, mask), (t, _) = primals, tangents
    log_g, g = log_probabilities_and_probabilities(s, mask)
    return (log_g, g), (log_probability_tangent(g, mask, t), probability_tangent(g, mask, t))


# Recomputed in the backward pass, so that g is all that is kept for it.
@partial(jax.checkpoint, prevent_cse=False)
def probability_tangent(g: Rows, mask: Mask, t: Rows) -> Rows:
    r"""$g_k (t_k - \sum_l g_l t_l)$, linear in t, and 0 for a class of which g is 0.

    The entry of a class that has more than half of g is minus the sum of the others: alone, it would be the difference
    of two nearly equal numbers. In the transpose, which is the same matrix, $c_i$ is taken off every $c_k$ instead.

    The transpose takes no part of the cotangent where g is 0: an infinite one, as −ln g is, would make NaN of the
    others'.
    """
    wide = widen(g)
    i = dominant_class(wide)
    t = widen(only(mask, t))
    tangent = selected(wide * (t - total(wide * t)[..., None]), i, 0)
    return only(mask, only(g != 0, minus_sum_at(i, tangent)).astype(g.dtype))


# Recomputed in the backward pass, so that g is all that is kept for it.
@partial(jax.checkpoint, prevent_cse=False)
def log_probability_tangent(g: Rows, mask: Mask, t: Rows) -> Rows:
    r"""$(t_k - t_i) - \sum_l g_l (t_l - t_i)$, linear in t, i being the class that has more than half of g, if one has.

    As g sums to one, all of t may be shifted. The transpose is $c_k - g_k \sum_l c_l$, and for i minus the others' sum.

    Textbook: $t_k - \sum_l g_l t_l$, Task 19.1's line "g_k (I(k=l) − g_l)" times t, divided by $g_k$.
    """
    wide = widen(g)
    i = dominant_class(wide)
    t = widen(only(mask, t))
    shifted = selected(t - entry_or_zero(t, i)[..., None], i, 0)
    return only(mask, (shifted - total(wide * shifted)[..., None]).astype(g.dtype))


def minus_sum_at(i: Int[Array, "*batch"], x: Rows) -> Rows:
    """`x`, which is 0 for class i, with minus its sum there; as it is for an index that no class has."""
    if is_sharded(x):
        return x - jnp.where(is_class(i, x), total(x)[..., None], 0)
    at_i = (*jnp.indices(i.shape, sparse=True), i)
    return x.at[at_i].add(-total(x), mode="drop", unique_indices=True)
