r"""Task 19.2: log-loss, $R = -\sum_k y_k \ln g_k$, and its gradient with respect to the probabilities."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from manual_grads.formulas import examples, plain
from manual_grads.formulas.inputs import ArrayLike, Labels, as_classes, as_distribution, widen
from manual_grads.formulas.stable.sums import finite_product, weighted_sum
from manual_grads.rules import Sizes, derivative_of, value


def probs_and_labels(key: Array, dtype: jnp.dtype, sizes: Sizes) -> tuple[Array, Array]:
    """The probabilities of each example and its label."""
    random = examples.generator(key)
    return examples.probabilities(random, dtype, sizes), examples.labels(random, dtype, sizes)


@derivative_of(plain.logloss, by=value, equation="19", example=probs_and_labels)
def logloss(probs: Float[ArrayLike, "*batch classes"], labels: Labels) -> Float[Array, "*batch"]:
    r"""$R = -\sum_k I(y=k) \ln g_k$, for a distribution of labels $-\sum_k y_k \ln g_k$; one per example.

    Args:
        probs: g, floating, with any number of leading batch axes.
        labels: class indices, of shape `probs.shape[:-1]`, or a floating distribution y of the shape of `probs`.

    Returns:
        R, of shape `probs.shape[:-1]` and the dtype of `probs`.

    Raises:
        TypeError: if `probs` isn't floating, or `labels` neither integer nor floating.
        ValueError: if `probs` is a scalar or has no classes, `labels` doesn't fit it, or an index whose value is known
            is outside [0, classes) (where it is traced, R is NaN).

    From: Task 19, second line.
    """
    probs = as_classes("probs", probs)
    y = as_distribution(labels, probs, "probs")
    return -weighted_sum(y, jnp.log(widen(probs))).astype(probs.dtype)


@derivative_of(plain.logloss, by=jax.grad, equation="19.2", example=probs_and_labels)
def logloss_grad(probs: Float[ArrayLike, "*batch classes"], labels: Labels) -> Float[Array, "*batch classes"]:
    r"""$\partial R / \partial g_k = -I(y=k) / g_k$, for a distribution of labels $-y_k / g_k$.

    Args:
        probs: g, floating, with any number of leading batch axes.
        labels: class indices, of shape `probs.shape[:-1]`, or a floating distribution y of the shape of `probs`.

    Returns:
        ∂R/∂g, of the shape and dtype of `probs`: 0 for a class without weight, even if its g is 0.

    Raises:
        TypeError: if `probs` isn't floating, or `labels` neither integer nor floating.
        ValueError: if `probs` is a scalar or has no classes, `labels` doesn't fit it, or an index whose value is known
            is outside [0, classes) (where it is traced, the gradient is NaN).

    From: Task 19.2, last line (which lacks the "= k").
    """
    probs = as_classes("probs", probs)
    y = as_distribution(labels, probs, "probs")
    g, is_none = widen(probs), y == 0
    none = finite_product(-y, 1 / jnp.where(is_none, g, 1))  # 0, but for its derivative by y
    return jnp.where(is_none, none, -y / jnp.where(is_none, 1, g)).astype(probs.dtype)
