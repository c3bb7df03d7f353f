r"""Task 19: softmax, $g_k(s) = e^{s_k} / \sum_l e^{s_l}$, and its Jacobian (19.1)."""

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from manual_grads.formulas import examples, plain
from manual_grads.formulas.classes import entry, mean_class
from manual_grads.formulas.exponentials import (
    Exponential,
    largest_of,
    normalizer,
    small_sum,
    stored_exp,
    with_exponential,
)
from manual_grads.formulas.inputs import as_classes, as_shaped, widen, widened
from manual_grads.formulas.sums import row_sum
from manual_grads.rules import Sizes, derivative_of, jvp, value, vjp


@with_exponential
def probabilities(
    exp: Exponential, s: Float[Array, "*batch classes"], m: Float[Array, "*batch"]
) -> Float[Array, "*batch classes"]:
    """The softmax g of logits that are checked and widened already."""
    e, p = exp(s, m), normalizer(exp, m)
    return e * (p / (row_sum(e) * p))[..., None]


def weighted_jacobian(
    weight: Float[Array, "*batch"], s: Float[Array, "*batch classes"]
) -> Float[Array, "*batch classes classes"]:
    r"""$w g_k (I(k=l) - g_l)$, in the dtype of computation, where $1 - g_k = \sum_{l \neq k} g_l$.

    Only for a dominant class does that subtraction cancel (it would be 0 for every saturated one); there the others
    are summed instead. The products are scaled last, by $w / (\sum_l e_l)^2$: symmetric to the last bit, and not
    underflown where $w g_k g_l$ isn't.
    """
    e = stored_exp(s)
    total, others = row_sum(e)[..., None], sum_of_others(e)[..., None]
    diagonal = jnp.eye(e.shape[-1], dtype=bool)
    complement = jnp.where(e > total / 2, others, total - e)
    factor = jnp.where(diagonal, complement[..., None, :], -e[..., None, :])  # I(k=l) - g_l
    return e[..., :, None] * factor * (weight[..., None] / total**2)[..., None]


@with_exponential
def jacobian_product(
    exp: Exponential, s: Float[Array, "*batch classes"], m: Float[Array, "*batch"], t: Float[Array, "*batch classes"]
) -> Float[Array, "*batch classes"]:
    r"""$g \circ (t - \sum_l g_l t_l)$, in the dtype of computation.

    J annihilates constants, so t may be shifted: where one class has nearly everything, by its own $t_i$, so that its
    entry becomes a sum over the others instead of the difference of two nearly equal numbers.
    """
    e, p = exp(s, m), normalizer(exp, m)
    total = row_sum(e)
    scale = 1 / (total * p)
    t_i, minus_t_i = dominant_entry(e, total, t)
    mean = row_sum(e * p[..., None] * (t - t_i[..., None])) * scale
    return e * (p * scale)[..., None] * ((t + minus_t_i[..., None]) - mean[..., None])


def dominant_entry(
    e: Float[Array, "*batch classes"], total: Float[Array, "*batch"], t: Float[Array, "*batch classes"]
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """The entry of t for the class that has nearly all of the row's total, or 0 if none has; and minus that.

    Both, as XLA would write down, class by class, what is used twice; and as results of a conditional, so that they are
    computed once a row.
    """
    i = mean_class(e, total)
    dominant, candidate = entry(e, i) > total / 2, entry(t, i)

    def chosen() -> tuple[Array, Array]:
        t_i = jnp.where(dominant, candidate, 0)
        return t_i, -t_i

    return lax.cond(dominant.any(), chosen, lambda: (jnp.zeros_like(total), jnp.zeros_like(total)))


@with_exponential
def log_probabilities(
    exp: Exponential, s: Float[Array, "*batch classes"], m: Float[Array, "*batch"]
) -> Float[Array, "*batch classes"]:
    r"""$\ln g_k = (s_k - m) - \ln \sum_l e^{s_l - m}$, in the dtype of computation; m is the largest logit.

    Where one class dominates, that sum is 1 plus the small sum of the others, and its logarithm is log1p of the latter.
    """
    e, p = exp(s, m), normalizer(exp, m)
    total, largest, others = row_sum(e) * p, largest_of(exp, m), small_sum(sum_of_others, e, exp, s, m)
    log_sum = jnp.where(total < 2 * largest, jnp.log1p(others / largest), jnp.log(total / largest))
    return (s - m[..., None]) - log_sum[..., None]


def sum_of_others(e: Float[Array, "*batch classes"]) -> Float[Array, "*batch"]:
    """The sum of those that don't dominate their row.

    At most one class can hold more than half of the total: then this sum is small, and the digits that it has on its
    own would be lost in a difference from the total.
    """
    return row_sum(jnp.where(e > (row_sum(e) / 2)[..., None], 0, e))


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
    one = jnp.ones(logits.shape[:-1], widened(logits.dtype))
    return weighted_jacobian(one, widen(logits)).astype(logits.dtype)


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
