r"""Task 19.3: log-loss of softmax, $R(s) = -\sum_k y_k \ln g_k(s)$, and its derivatives with respect to the logits."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from manual_grads.formulas import examples, plain
from manual_grads.formulas.inputs import ArrayLike, Labels, as_classes, as_labels, as_shaped, widen
from manual_grads.formulas.stable.cross_entropy import loss, loss_gradient, loss_jvp, loss_vjp, total_weight
from manual_grads.formulas.stable.softmax import jacobian_product, weighted_jacobian
from manual_grads.rules import Sizes, derivative_of, hvp, jvp, value, vjp


def logits_and_labels(key: Array, dtype: jnp.dtype, sizes: Sizes) -> tuple[Array, Array]:
    """The logits of each example and its label."""
    random = examples.generator(key)
    logits = examples.normal(random, dtype, *sizes.batch, sizes.classes)
    return logits, examples.labels(random, dtype, sizes)


def logits_labels_and_tangent(key: Array, dtype: jnp.dtype, sizes: Sizes) -> tuple[Array, Array, Array]:
    """The logits of each example, its label, and a tangent of the logits."""
    random, logits_shape = examples.generator(key), (*sizes.batch, sizes.classes)
    logits, tangent = examples.normal(random, dtype, *logits_shape), examples.normal(random, dtype, *logits_shape)
    return logits, examples.labels(random, dtype, sizes), tangent


def logits_labels_and_cotangent(key: Array, dtype: jnp.dtype, sizes: Sizes) -> tuple[Array, Array, Array]:
    """The logits of each example, its label, and a cotangent of its loss."""
    random = examples.generator(key)
    logits, cotangent = (
        examples.normal(random, dtype, *shape) for shape in ((*sizes.batch, sizes.classes), sizes.batch)
    )
    return logits, examples.labels(random, dtype, sizes), cotangent


@derivative_of(plain.softmax_cross_entropy, by=value, equation="19.3", example=logits_and_labels)
def softmax_cross_entropy(logits: Float[ArrayLike, "*batch classes"], labels: Labels) -> Float[Array, "*batch"]:
    r"""$R = -\sum_k I(y=k) (s_k - \ln \sum_l e^{s_l})$, for a distribution $-\sum_k y_k \ln g_k$; one per example.

    Args:
        logits: s, floating, with any number of leading batch axes. A logit of −inf masks its class.
        labels: class indices, of shape `logits.shape[:-1]`, or a floating distribution y of the logits' shape, which
            need not sum to one.

    Returns:
        R, of shape `logits.shape[:-1]` and the logits' dtype.

    Raises:
        TypeError: if `logits` isn't floating, or `labels` neither integer nor floating.
        ValueError: if `logits` is a scalar or has no classes, `labels` doesn't fit it, or an index whose value is known
            is outside [0, classes) (where it is traced, R is NaN).

    From: Task 19.3, second line.
    """
    logits = as_classes("logits", logits)
    return loss(logits, as_labels(labels, logits))


@derivative_of(plain.softmax_cross_entropy, by=jax.grad, equation="19.3", example=logits_and_labels)
def softmax_cross_entropy_grad(
    logits: Float[ArrayLike, "*batch classes"], labels: Labels
) -> Float[Array, "*batch classes"]:
    r"""$\partial R / \partial s_l = g_l - I(y=l)$, for a distribution $(\sum_k y_k) g_l - y_l$.

    Args:
        logits: s, floating, with any number of leading batch axes.
        labels: class indices, of shape `logits.shape[:-1]`, or a floating distribution y of the logits' shape.

    Returns:
        ∂R/∂s, of the logits' shape and dtype.

    Raises:
        TypeError, ValueError: as `softmax_cross_entropy`; the gradient for a traced label outside [0, classes) is NaN.

    From: Task 19.3, last line.
    """
    logits = as_classes("logits", logits)
    return loss_gradient(logits, as_labels(labels, logits))


@derivative_of(plain.softmax_cross_entropy, by=jvp, equation="19.3", example=logits_labels_and_tangent)
def softmax_cross_entropy_jvp(
    logits: Float[ArrayLike, "*batch classes"], labels: Labels, tangent: Float[ArrayLike, "*batch classes"]
) -> Float[Array, "*batch"]:
    r"""$\sum_l (\partial R / \partial s_l)\, t_l$: how fast the loss changes as the logits move along t.

    Args:
        logits: s, floating, with any number of leading batch axes.
        labels: class indices, of shape `logits.shape[:-1]`, or a floating distribution y of the logits' shape.
        tangent: t, floating, of the logits' shape.

    Returns:
        The derivative of R along t, of shape `logits.shape[:-1]` and the logits' dtype.

    Raises:
        TypeError, ValueError: as `softmax_cross_entropy`, and if `tangent` isn't floating or of another shape.

    From: Task 19.3, last line, times t.
    """
    logits = as_classes("logits", logits)
    y = as_labels(labels, logits)
    t = widen(as_shaped("tangent", tangent, logits.shape, "logits.shape"))
    return loss_jvp(widen(logits), y, t).astype(logits.dtype)


@derivative_of(plain.softmax_cross_entropy, by=vjp, equation="19.3", example=logits_labels_and_cotangent)
def softmax_cross_entropy_vjp(
    logits: Float[ArrayLike, "*batch classes"], labels: Labels, cotangent: Float[ArrayLike, "*batch"]
) -> Float[Array, "*batch classes"]:
    r"""$c\, \partial R / \partial s_l$: each example's gradient, weighted by its cotangent c.

    Args:
        logits: s, floating, with any number of leading batch axes.
        labels: class indices, of shape `logits.shape[:-1]`, or a floating distribution y of the logits' shape.
        cotangent: c, floating, of shape `logits.shape[:-1]`.

    Returns:
        c ∂R/∂s, of the logits' shape and dtype.

    Raises:
        TypeError, ValueError: as `softmax_cross_entropy`, and if `cotangent` isn't floating or of another shape.

    From: Task 19.3, last line, times c.
    """
    logits = as_classes("logits", logits)
    y = as_labels(labels, logits)
    c = as_shaped("cotangent", cotangent, logits.shape[:-1], "logits.shape[:-1]")
    return loss_vjp(logits, y, c)


@derivative_of(plain.softmax_cross_entropy, by=jax.hessian, equation="19.3", example=logits_and_labels)
def softmax_cross_entropy_hessian(
    logits: Float[ArrayLike, "*batch classes"], labels: Labels
) -> Float[Array, "*batch classes classes"]:
    r"""$\partial^2 R / \partial s \partial s^T = (\sum_k y_k) (\mathrm{diag}(g) - g g^T)$.

    Args:
        logits: s, floating, with any number of leading batch axes.
        labels: class indices, of shape `logits.shape[:-1]`, or a floating distribution y of the logits' shape.

    Returns:
        A symmetric classes × classes matrix for each example, of the logits' dtype. For a class index, Σy = 1.

    Raises:
        TypeError, ValueError: as `softmax_cross_entropy`; the Hessian for a traced label outside [0, classes) is NaN.

    From: Task 19.3, last line, differentiated by 19.1.
    """
    logits = as_classes("logits", logits)
    weight = total_weight(as_labels(labels, logits), logits.shape[-1])
    return weighted_jacobian(weight, widen(logits)).astype(logits.dtype)


@derivative_of(plain.softmax_cross_entropy, by=hvp, equation="19.3", example=logits_labels_and_tangent)
def softmax_cross_entropy_hvp(
    logits: Float[ArrayLike, "*batch classes"], labels: Labels, tangent: Float[ArrayLike, "*batch classes"]
) -> Float[Array, "*batch classes"]:
    r"""$(\sum_k y_k)\, g \circ (t - g^T t)$: the Hessian times t, without forming it.

    Args:
        logits: s, floating, with any number of leading batch axes.
        labels: class indices, of shape `logits.shape[:-1]`, or a floating distribution y of the logits' shape.
        tangent: t, floating, of the logits' shape.

    Returns:
        H·t, of the logits' shape and dtype.

    Raises:
        TypeError, ValueError: as `softmax_cross_entropy`, and if `tangent` isn't floating or of another shape.

    From: Task 19.3, last line, differentiated by 19.1, times t.
    """
    logits = as_classes("logits", logits)
    weight = total_weight(as_labels(labels, logits), logits.shape[-1])
    t = as_shaped("tangent", tangent, logits.shape, "logits.shape")
    return jacobian_product(logits, t, weight)
