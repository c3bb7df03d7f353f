r"""Task 19: softmax, $g_k(s) = e^{s_k} / \sum_l e^{s_l}$, and its Jacobian (19.1)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from manual_grads.formulas import examples, plain
from manual_grads.formulas.inputs import ArrayLike, as_classes, as_shaped, widen, widened
from manual_grads.formulas.stable.softmax import jacobian_product, log_probabilities, probabilities, weighted_jacobian
from manual_grads.rules import Sizes, derivative_of, jvp, value, vjp


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
    return probabilities(logits)


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
    return log_probabilities(logits)


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
    t = as_shaped("tangent", tangent, logits.shape, "logits.shape")
    return jacobian_product(logits, t, jnp.ones(logits.shape[:-1], logits.dtype))


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
    c = as_shaped("cotangent", cotangent, logits.shape, "logits.shape")
    return jacobian_product(logits, c, jnp.ones(logits.shape[:-1], logits.dtype))
