r"""Task 19.3 with derivative rules, for rows of logits: $R = -\sum_k y_k \ln g_k$ and its gradient, $(\sum y) g - y$.

The gradient with respect to the logits is computed together with the loss, when there is to be one, and kept.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Bool, Float, Int

from manual_grads.formulas.inputs import widen
from manual_grads.formulas.stable import cross_entropy as forms
from manual_grads.formulas.stable.classes import entry, is_class
from manual_grads.formulas.stable.row_sums import total
from manual_grads.formulas.stable.sums import rate_of_weight
from manual_grads.nn.axes import only, without_masked
from manual_grads.nn.softmax import log_probability_rows, log_probability_tangent, probability_rows, probability_tangent

Rows = Float[Array, "*batch classes"]
PerExample = Float[Array, "*batch"]
Indices = Int[Array, "*batch"]
Mask = Bool[Array, "*batch classes"] | None


@jax.custom_jvp
def index_loss(s: Rows, i: Indices, mask: Mask) -> PerExample:
    r"""$R = -\ln g_i$; NaN for an index that no class has, 0 for an example of which nothing is included."""
    if mask is None:
        return forms.index_loss(s, i)
    j = _included_label(i, mask)
    return _of_included(s, i, j, mask, forms.index_loss(widen(without_masked(mask, s)), j))


@index_loss.defjvp
def index_loss_jvp(primals: tuple[Rows, Indices, Mask], tangents: tuple) -> tuple[PerExample, PerExample]:
    r"""R, and how fast it changes along t: $\sum_l (g_l - I(i=l))\, t_l$."""
    (s, i, mask), t = primals, tangents[0]
    value, gradient = index_loss_and_gradient(s, i, mask)
    return value, inner(gradient, only(_that_count(s, i, mask), t))


@jax.custom_jvp
def index_loss_and_gradient(s: Rows, i: Indices, mask: Mask) -> tuple[PerExample, Rows]:
    r"""$R = -\ln g_i$ and $\partial R / \partial s_l = g_l - I(i=l)$, which have their exponentials in common."""
    if mask is None:
        return forms.index_loss_and_gradient(s, i)
    gradient = forms.loss_gradient(without_masked(mask, s), i)
    return index_loss(s, i, mask), only(mask.any(-1)[..., None], gradient)


@index_loss_and_gradient.defjvp
def index_loss_and_gradient_jvp(
    primals: tuple[Rows, Indices, Mask], tangents: tuple
) -> tuple[tuple[PerExample, Rows], tuple[PerExample, Rows]]:
    r"""R and ∂R/∂s, and how fast they change along t: $\sum_l (\partial R / \partial s_l) t_l$, and $J t$.

    J is the softmax's Jacobian, $g_k (I(k=l) - g_l)$; both are NaN for an index that no class has.
    """
    (s, i, mask), t = primals, tangents[0]
    value, gradient = index_loss_and_gradient(s, i, mask)
    weight = forms.total_weight(i, s.shape[-1]).astype(s.dtype)[..., None]
    by_logits = weight * probability_tangent(probability_rows(s, mask), mask, t)
    return (value, gradient), (inner(gradient, only(_that_count(s, i, mask), t)), by_logits)


def _included_label(i: Indices, mask: Bool[Array, "*batch classes"]) -> Indices:
    """The label, or some included class if the label's isn't."""
    return jnp.where(entry(mask, i), i, mask.argmax(-1))


def _that_count(s: Rows, i: Indices, mask: Mask) -> Mask:
    """The classes that the loss depends on: those included, and the label's, of examples that have an included one."""
    return None if mask is None else (mask | is_class(i, s)) & mask.any(-1)[..., None]


def _of_included(s: Rows, i: Indices, j: Indices, mask: Bool[Array, "*batch classes"], loss: PerExample) -> PerExample:
    r"""$\ln \sum_l e^{s_l} - s_i$ over the included classes, given that for j."""
    difference = widen(entry(s, j)) - widen(entry(s, i))
    return only(mask.any(-1), loss + jnp.where(i == j, 0, difference)).astype(s.dtype)


@jax.custom_jvp
def distribution_loss(s: Rows, y: Rows, mask: Mask) -> PerExample:
    r"""$R = -\sum_k y_k \ln g_k$; 0 for an example of which nothing is included."""
    return forms.distribution_loss(without_masked(mask, s), only(mask, y))


@partial(distribution_loss.defjvp, symbolic_zeros=True)
def distribution_loss_jvp(primals: tuple[Rows, Rows, Mask], tangents: tuple) -> tuple[PerExample, PerExample]:
    r"""R, and how fast it changes: $\sum_l ((\sum_k y_k) g_l - y_l)\, \dot s_l - \sum_k \dot y_k \ln g_k$."""
    (s, y, mask), (s_dot, y_dot, _) = primals, tangents
    if isinstance(s_dot, SymbolicZero):
        return distribution_loss(s, y, mask), label_rate(costs(s, mask), only(mask, y_dot)).astype(s.dtype)
    value, gradient = distribution_loss_and_gradient(s, y, mask)
    tangent = inner(gradient, only(mask, s_dot))
    if not isinstance(y_dot, SymbolicZero):
        tangent += label_rate(costs(s, mask), only(mask, y_dot)).astype(s.dtype)
    return value, tangent


@jax.custom_jvp
def distribution_loss_and_gradient(s: Rows, y: Rows, mask: Mask) -> tuple[PerExample, Rows]:
    r"""$R = -\sum_k y_k \ln g_k$ and $\partial R / \partial s_l = (\sum_k y_k) g_l - y_l$: of the same exponentials."""
    return forms.distribution_loss_and_gradient(without_masked(mask, s), only(mask, y))


@partial(distribution_loss_and_gradient.defjvp, symbolic_zeros=True)
def distribution_loss_and_gradient_jvp(
    primals: tuple[Rows, Rows, Mask], tangents: tuple
) -> tuple[tuple[PerExample, Rows], tuple[PerExample, Rows]]:
    r"""R and ∂R/∂s, and how fast they change, ∂R/∂s by $(\sum_k y_k) J \dot s + (\sum_k \dot y_k) g - \dot y$.

    How fast R changes is what `distribution_loss_jvp` says. J is the softmax's Jacobian, $g_k (I(k=l) - g_l)$.
    """
    (s, y, mask), (s_dot, y_dot, _) = primals, tangents
    value, gradient = distribution_loss_and_gradient(s, y, mask)
    g = probability_rows(s, mask)
    value_dot, gradient_dot = jnp.zeros_like(value), jnp.zeros_like(gradient)
    if not isinstance(s_dot, SymbolicZero):
        weight = widen(only(mask, y)).sum(-1, keepdims=True).astype(s.dtype)
        value_dot += inner(gradient, only(mask, s_dot))
        gradient_dot += weight * probability_tangent(g, mask, s_dot)
    if not isinstance(y_dot, SymbolicZero):
        # ∂R/∂s is linear in y: minus the transpose of log-softmax's Jacobian, times y.
        (by_labels,) = jax.linear_transpose(partial(log_probability_tangent, g, mask), y_dot)(y_dot)
        value_dot += label_rate(costs(s, mask), only(mask, y_dot)).astype(s.dtype)
        gradient_dot -= by_labels
    return (value, gradient), (value_dot, gradient_dot)


def costs(s: Rows, mask: Mask) -> Rows:
    r"""$\partial R / \partial y_k = -\ln g_k$, and 0 for the classes that aren't included."""
    return only(mask, -log_probability_rows(s, mask))


# Recomputed in the backward pass, so that the gradient is kept in its own dtype.
@partial(jax.checkpoint, prevent_cse=False)
def inner(gradient: Rows, t: Rows) -> PerExample:
    r"""$\sum_l (\partial R / \partial s_l) t_l$, linear in t."""
    return total(widen(gradient) * widen(t)).astype(gradient.dtype)


# Recomputed in the backward pass, so that what labels cost is kept in its own dtype.
@partial(jax.checkpoint, prevent_cse=False)
def label_rate(cost: Rows, t: Rows) -> PerExample:
    r"""$\sum_k (\partial R / \partial y_k) t_k$, linear in t, with $0 \cdot \infty = 0$."""
    return rate_of_weight(widen(t), widen(cost)).sum(-1)
