r"""Task 19.3 with derivative rules, for rows of logits: $R = -\sum_k y_k \ln g_k$ and its gradient, $(\sum y) g - y$.

The gradient with respect to the logits is computed together with the loss, when there is to be one, and kept.
"""

from functools import partial
from inspect import unwrap

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array

from manual_grads.formulas.inputs import widen
from manual_grads.formulas.stable import cross_entropy as forms
from manual_grads.formulas.stable.classes import entry
from manual_grads.formulas.stable.exponentials import Exponential, with_exponential
from manual_grads.nn.axes import only, without_masked
from manual_grads.nn.softmax import log_probability_rows, log_probability_tangent, probability_rows, probability_tangent


@jax.custom_jvp
def index_loss(s: Array, i: Array, mask: Array | None) -> Array:
    """R for class indices; NaN for one that no class has, 0 for an example of which nothing is included."""
    j = _included_label(i, mask)
    return _of_included(s, i, j, mask, forms.index_loss(widen(without_masked(mask, s)), j))


@index_loss.defjvp
def _(primals, tangents):
    value, gradient = index_loss_and_gradient(*primals)
    return value, inner(gradient, tangents[0], primals[-1] is not None)


@jax.custom_jvp
def index_loss_and_gradient(s: Array, i: Array, mask: Array | None) -> tuple[Array, Array]:
    """R and ∂R/∂s for class indices."""
    j = _included_label(i, mask)
    value, gradient = _of_index(widen(without_masked(mask, s)), i, *(() if mask is None else (j,)))
    gradient = gradient.astype(s.dtype)
    return _of_included(s, i, j, mask, value), gradient if mask is None else only(mask.any(-1)[..., None], gradient)


@index_loss_and_gradient.defjvp
def _(primals, tangents):
    (s, i, mask), t = primals, tangents[0]
    value, gradient = index_loss_and_gradient(s, i, mask)
    weight = forms.total_weight(i, s.shape[-1]).astype(s.dtype)[..., None]
    by_logits = weight * probability_tangent(probability_rows(s, mask), mask, t)
    return (value, gradient), (inner(gradient, t, mask is not None), by_logits)


@with_exponential
def _of_index(exp: Exponential, s: Array, m: Array, i: Array, j: Array | None = None) -> tuple[Array, Array]:
    j = i if j is None else j  # one array, so that XLA can see that they are the same
    return unwrap(forms.index_loss)(exp, s, m, j), unwrap(forms.index_vjp)(exp, s, m, i, jnp.ones_like(m))


def _included_label(i: Array, mask: Array | None) -> Array:
    """The label, or some included class if the label's isn't."""
    return i if mask is None else jnp.where(entry(mask, i), i, mask.argmax(-1))


def _of_included(s: Array, i: Array, j: Array, mask: Array | None, loss: Array) -> Array:
    r"""$\ln \sum_l e^{s_l} - s_i$ over the included classes, given that for j."""
    if mask is not None:
        difference = widen(entry(s, j)) - widen(entry(s, i))
        loss = only(mask.any(-1), loss + jnp.where(i == j, 0, difference))
    return loss.astype(s.dtype)


@jax.custom_jvp
def distribution_loss(s: Array, y: Array, mask: Array | None) -> Array:
    """R for distributions; 0 for an example of which nothing is included."""
    return forms.distribution_loss(widen(without_masked(mask, s)), widen(only(mask, y))).astype(s.dtype)


@partial(distribution_loss.defjvp, symbolic_zeros=True)
def _(primals, tangents):
    (s, y, mask), (s_dot, y_dot, _) = primals, tangents
    if isinstance(s_dot, SymbolicZero):
        return distribution_loss(s, y, mask), inner(costs(s, mask), y_dot, mask is not None)
    value, gradient = distribution_loss_and_gradient(s, y, mask)
    tangent = inner(gradient, s_dot, mask is not None)
    if not isinstance(y_dot, SymbolicZero):
        tangent += inner(costs(s, mask), y_dot, mask is not None)
    return value, tangent


@jax.custom_jvp
def distribution_loss_and_gradient(s: Array, y: Array, mask: Array | None) -> tuple[Array, Array]:
    """R and ∂R/∂s for distributions."""
    value, gradient = _of_distribution(widen(without_masked(mask, s)), widen(only(mask, y)))
    return value.astype(s.dtype), gradient.astype(s.dtype)


@partial(distribution_loss_and_gradient.defjvp, symbolic_zeros=True)
def _(primals, tangents):
    (s, y, mask), (s_dot, y_dot, _) = primals, tangents
    value, gradient = distribution_loss_and_gradient(s, y, mask)
    g = probability_rows(s, mask)
    value_dot, gradient_dot = jnp.zeros_like(value), jnp.zeros_like(gradient)
    if not isinstance(s_dot, SymbolicZero):
        weight = widen(only(mask, y)).sum(-1, keepdims=True).astype(s.dtype)
        value_dot += inner(gradient, s_dot, mask is not None)
        gradient_dot += weight * probability_tangent(g, mask, s_dot)
    if not isinstance(y_dot, SymbolicZero):
        # ∂R/∂s is linear in y: minus the transpose of log-softmax's Jacobian, times y.
        (by_labels,) = jax.linear_transpose(partial(log_probability_tangent, g, mask), y_dot)(y_dot)
        value_dot += inner(costs(s, mask), y_dot, mask is not None)
        gradient_dot -= by_labels
    return (value, gradient), (value_dot, gradient_dot)


@with_exponential
def _of_distribution(exp: Exponential, s: Array, m: Array, y: Array) -> tuple[Array, Array]:
    one = jnp.ones_like(m)
    return unwrap(forms.distribution_loss)(exp, s, m, y), unwrap(forms.distribution_vjp)(exp, s, m, y, one)


def costs(s: Array, mask: Array | None) -> Array:
    """∂R/∂y = −ln g, and 0 for the classes that aren't included."""
    return only(mask, -log_probability_rows(s, mask))


# Recomputed in the backward pass, so that the gradient is kept in its own dtype.
@partial(jax.checkpoint, prevent_cse=False, static_argnums=2)
def inner(gradient: Array, t: Array, masked: bool) -> Array:
    r"""$\sum_l (\partial R / \partial s_l) t_l$, linear in t; if some are masked, $0 \cdot \infty$ is 0."""
    t = jnp.where(gradient == 0, 0, t) if masked else t
    return (widen(gradient) * widen(t)).sum(-1).astype(gradient.dtype)
