r"""Task 19: softmax, $g_k(s) = e^{s_k} / \sum_l e^{s_l}$, and its Jacobian (19.1)."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from manual_grads.formulas import examples, plain
from manual_grads.formulas.exponentials import scaled_exp
from manual_grads.formulas.inputs import as_classes, as_shaped, widen
from manual_grads.formulas.sums import row_sum
from manual_grads.rules import Sizes, derivative_of, jvp, value, vjp


def probabilities(s: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
    """The softmax g of logits that are checked and widened already."""
    scaled, unit = scaled_exp(s)
    e = scaled / unit
    return e / row_sum(e)[..., None]


def sums_of_exponentials(
    s: Float[Array, "*batch classes"],
) -> tuple[Float[Array, "*batch classes"], Float[Array, "*batch 1"], Float[Array, "*batch 1"]]:
    r"""$e_k = e^{s_k - \max s}$, their sum, and the sum of those that don't dominate it.

    At most one class can hold more than half of the total: then that sum is small, and the digits that it has on its
    own would be lost in a difference from the total.
    """
    scaled, unit = scaled_exp(s)
    e = scaled / unit
    total = row_sum(e)[..., None]
    others = row_sum(jnp.where(e > total / 2, 0, scaled))[..., None] / unit  # unscaled, small terms would underflow
    return e, total, others


def probabilities_and_complements(
    s: Float[Array, "*batch classes"],
) -> tuple[Float[Array, "*batch classes"], Float[Array, "*batch classes"]]:
    r"""The softmax g and $1 - g_k = \sum_{l \neq k} g_l$, to the same relative accuracy.

    Only for a dominant class does the subtraction cancel (it would be 0 for every saturated one); there the others are
    summed instead.
    """
    e, total, others = sums_of_exponentials(s)
    return e / total, jnp.where(e > total / 2, others, total - e) / total


def log_probabilities(s: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
    r"""$\ln g_k = (s_k - \max s) - \ln \sum_l e^{s_l - \max s}$, in the dtype of computation.

    Where one class dominates, that sum is 1 plus the small sum of the others, and its logarithm is log1p of the latter.
    """
    _, total, others = sums_of_exponentials(s)
    log_sum = jnp.where(total < 2, jnp.log1p(others), jnp.log(total))
    return (s - s.max(-1, keepdims=True)) - log_sum


def one_logits(key: Array, dtype: jnp.dtype, sizes: Sizes) -> tuple[Array]:
    """The logits of each example."""
    return (examples.normal(examples.generator(key), dtype, *sizes.batch, sizes.classes),)


def logits_and_direction(key: Array, dtype: jnp.dtype, sizes: Sizes) -> tuple[Array, Array]:
    """The logits of each example and a tangent or cotangent of their shape."""
    random, shape = examples.generator(key), (*sizes.batch, sizes.classes)
    return examples.normal(random, dtype, *shape), examples.normal(random, dtype, *shape)


@derivative_of(plain.softmax, by=value, equation="19", example=one_logits)
def softmax(logits: Float[ArrayLike, "*batch classes"]) -> Float[Array, "*batch classes"]:
    r"""$g_k = e^{s_k} / \sum_l e^{s_l}$.

    Args:
        logits: s, floating, with any number of leading batch axes. A logit of −inf masks its class: its g is 0.

    Returns:
        g, of the logits' shape and dtype. float16 and bfloat16 are computed in float32 and rounded once.

    Raises:
        TypeError: if `logits` isn't floating.
        ValueError: if `logits` is a scalar or has no classes.

    From: Task 19, first line.
    """
    logits = as_classes("logits", logits)
    return probabilities(widen(logits)).astype(logits.dtype)


@derivative_of(plain.log_softmax, by=value, equation="19.3", example=one_logits)
def log_softmax(logits: Float[ArrayLike, "*batch classes"]) -> Float[Array, "*batch classes"]:
    r"""$\ln g_k = s_k - \ln \sum_l e^{s_l}$.

    Args:
        logits: s, floating, with any number of leading batch axes. A logit of −inf masks its class: its ln g is −inf.

    Returns:
        ln g, of the logits' shape and dtype. float16 and bfloat16 are computed in float32 and rounded once.

    Raises:
        TypeError: if `logits` isn't floating.
        ValueError: if `logits` is a scalar or has no classes.

    From: Task 19.3, second line.
    """
    logits = as_classes("logits", logits)
    return log_probabilities(widen(logits)).astype(logits.dtype)


@derivative_of(plain.softmax, by=jax.jacobian, equation="19.1", example=one_logits)
def softmax_jacobian(logits: Float[ArrayLike, "*batch classes"]) -> Float[Array, "*batch classes classes"]:
    r"""$\partial g_k / \partial s_l = g_k (I(k=l) - g_l)$.

    Args:
        logits: s, floating, with any number of leading batch axes.

    Returns:
        A symmetric classes × classes matrix for each example, of the logits' dtype.

    Raises:
        TypeError: if `logits` isn't floating.
        ValueError: if `logits` is a scalar or has no classes.

    From: Task 19.1, last line.
    """
    logits = as_classes("logits", logits)
    g, complement = probabilities_and_complements(widen(logits))
    diagonal = jnp.eye(g.shape[-1], dtype=bool)
    factor = jnp.where(diagonal, complement[..., None, :], -g[..., None, :])  # I(k=l) - g_l
    return (g[..., :, None] * factor).astype(logits.dtype)


@derivative_of(plain.softmax, by=jvp, equation="19.1", example=logits_and_direction)
def softmax_jvp(
    logits: Float[ArrayLike, "*batch classes"], tangent: Float[ArrayLike, "*batch classes"]
) -> Float[Array, "*batch classes"]:
    r"""$(Jt)_k = g_k (t_k - \sum_l g_l t_l)$, without forming the Jacobian J.

    Args:
        logits: s, floating, with any number of leading batch axes.
        tangent: t, floating, of the logits' shape.

    Returns:
        J·t, of the logits' shape and dtype.

    Raises:
        TypeError: if an argument isn't floating.
        ValueError: if `logits` is a scalar or has no classes, or `tangent` is of another shape.

    From: Task 19.1, last line, times t.
    """
    logits = as_classes("logits", logits)
    t = widen(as_shaped("tangent", tangent, logits.shape, "logits.shape"))
    return jacobian_product(widen(logits), t).astype(logits.dtype)


@derivative_of(plain.softmax, by=vjp, equation="19.1", example=logits_and_direction)
def softmax_vjp(
    logits: Float[ArrayLike, "*batch classes"], cotangent: Float[ArrayLike, "*batch classes"]
) -> Float[Array, "*batch classes"]:
    r"""$(J^T c)_l = g_l (c_l - \sum_k g_k c_k)$, without forming the Jacobian J, which is symmetric.

    Args:
        logits: s, floating, with any number of leading batch axes.
        cotangent: c, floating, of the logits' shape.

    Returns:
        Jᵀ·c, of the logits' shape and dtype.

    Raises:
        TypeError: if an argument isn't floating.
        ValueError: if `logits` is a scalar or has no classes, or `cotangent` is of another shape.

    From: Task 19.1, last line, times c.
    """
    logits = as_classes("logits", logits)
    c = widen(as_shaped("cotangent", cotangent, logits.shape, "logits.shape"))
    return jacobian_product(widen(logits), c).astype(logits.dtype)


def jacobian_product(
    s: Float[Array, "*batch classes"], t: Float[Array, "*batch classes"]
) -> Float[Array, "*batch classes"]:
    r"""$g \circ (t - \sum_l g_l t_l)$, in the dtype of computation.

    J annihilates constants, so t may be shifted: where one class dominates, by its own $t_k$, so that its entry becomes
    a sum over the others instead of the difference of two nearly equal numbers.
    """
    g = probabilities(s)
    t = t - jnp.where(g > 0.5, t, 0).sum(-1, keepdims=True)
    return g * (t - row_sum(g * t)[..., None])
