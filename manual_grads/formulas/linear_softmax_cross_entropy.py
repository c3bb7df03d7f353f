r"""Beyond the document: the loss of a linear layer with what language models put around it, and its gradients."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from manual_grads.formulas import examples, plain
from manual_grads.formulas.inputs import (
    ArrayLike,
    as_distribution,
    as_floats,
    as_indices,
    as_known,
    as_shaped,
    as_vectors,
    widen,
)
from manual_grads.formulas.stable.classes import entry, with_entry
from manual_grads.formulas.stable.softmax import probabilities
from manual_grads.formulas.stable.sums import row_sum
from manual_grads.formulas.two_layer import matmul, tensordot
from manual_grads.rules import Sizes, derivative_of


def layer_and_options(key: Array, dtype: jnp.dtype, sizes: Sizes) -> tuple[Array, ...]:
    """The features of each example and its label; a layer and every option, which all examples share."""
    random = examples.generator(key)

    def uniform(low: float, high: float, *shape: int) -> Array:
        return jnp.asarray(random.uniform(low, high, shape), dtype)

    return (
        examples.normal(random, dtype, *sizes.batch, sizes.hidden, scale=1),
        examples.normal(random, dtype, sizes.classes, sizes.hidden, scale=1),
        examples.labels(random, dtype, sizes._replace(soft_labels=False)),
        examples.normal(random, dtype, sizes.classes, scale=1),  # bias
        uniform(0.5, 1.5),  # logit_scale
        uniform(0.5, 1.5, sizes.classes),  # class_weights
        uniform(2, 4),  # soft_cap
        uniform(0.05, 0.3),  # label_smoothing
        uniform(0.01, 0.1),  # z_loss
    )


@derivative_of(
    plain.linear_softmax_cross_entropy,
    by=partial(jax.grad, argnums=(0, 1, 3, 4)),
    equation="beyond",
    example=layer_and_options,
    summed=(1, 2, 3),
)
def linear_softmax_cross_entropy_grads(
    hidden: Float[ArrayLike, "*batch hidden"],
    weights: Float[ArrayLike, "classes hidden"],
    labels: Int[ArrayLike, "*batch"],
    bias: Float[ArrayLike, "classes"] | None = None,
    logit_scale: Float[ArrayLike, ""] | float = 1.0,
    class_weights: Float[ArrayLike, "classes"] | None = None,
    soft_cap: Float[ArrayLike, ""] | float | None = None,
    label_smoothing: Float[ArrayLike, ""] | float = 0.0,
    z_loss: Float[ArrayLike, ""] | float = 0.0,
) -> tuple[Float[Array, "*batch hidden"], Float[Array, "classes hidden"], Float[Array, "classes"], Float[Array, ""]]:
    r"""$dh = \alpha\,G^T B$, $dB = \alpha\,G h^T$, $db = G$, $d\alpha = h^T (G^T B)$; G is the gradient by the logits.

    The loss is $w_y\,(-\sum_k y'_k \ln g_k) + \lambda\,(\ln Z)^2$, with g and Z of the logits $s' = c \tanh(s / c)$,
    $s = \alpha B h + b$ and $y'_k = (1 - \epsilon)\,I(k=y) + \epsilon / K$. Hence
    $G_l = (w_y\,(g_l - y'_l) + 2 \lambda \ln Z\,g_l)\,(1 - (s'_l / c)^2)$.

    It forms the logits of all classes: the textbook for `nn.linear_softmax_cross_entropy`, which doesn't.

    Args:
        hidden: h, floating, with any number of leading batch axes.
        weights: B, floating, classes × hidden.
        labels: class indices y, of shape `hidden.shape[:-1]`.
        bias: b, floating, one number for each class; None for zeros.
        logit_scale: α, a number.
        class_weights: w, floating, one number for each class; None for ones.
        soft_cap: c, a number other than 0; None for no cap.
        label_smoothing: ε, a number.
        z_loss: λ, a number.

    Returns:
        (dh, dB, db, dα), each of the shape and dtype of what it is the gradient of (of `weights`, for what isn't
        given as an array): dh one per example, the others summed over the batch.

    Raises:
        TypeError: if an argument has another dtype.
        ValueError: if a shape doesn't fit, there are no classes, or an index whose value is known is outside
            [0, classes) (where it is traced, the gradients that it takes part in are NaN).

    From: Task 21, ∂R/∂B and ∂R/∂σ, with the options of the lines beyond the document.
    """
    # The arguments, with what an option is when it is off.
    hidden, weights = as_linear_layer(hidden, weights)
    K, dtype = weights.shape[:1], weights.dtype
    y = as_indices(as_label_array(labels, hidden.shape[:-1]), *K)
    bias = as_shaped("bias", jnp.zeros(K, dtype) if bias is None else bias, K, "weights.shape[:1]")
    w = as_shaped(
        "class_weights", jnp.ones(K, dtype) if class_weights is None else class_weights, K, "weights.shape[:1]"
    )
    logit_scale = as_number("logit_scale", logit_scale, dtype)
    c = None if soft_cap is None else widen(as_number("soft_cap", soft_cap, dtype))
    eps, lam = as_number("label_smoothing", label_smoothing, dtype), as_number("z_loss", z_loss, dtype)
    h, B, alpha = widen(hidden), widen(weights), widen(logit_scale)
    # The logits, and the gradient with respect to them.
    products = matmul(h, B.T)
    s = alpha * products + jnp.broadcast_to(widen(bias), products.shape)
    G = logit_gradient(s, y, widen(w), c, widen(eps), widen(lam))
    # The chain rule.
    batch, dp = tuple(range(h.ndim - 1)), matmul(G, B)
    dh, dB, db, dalpha = alpha * dp, alpha * tensordot(G, h, axes=(batch, batch)), G.sum(batch), (h * dp).sum()
    return dh.astype(hidden.dtype), dB.astype(dtype), db.astype(bias.dtype), dalpha.astype(logit_scale.dtype)


@jax.jit
def logit_gradient(
    s: Float[Array, "*batch classes"],
    y: Int[Array, "*batch"],
    w: Float[Array, "classes"],
    c: Float[Array, ""] | None,
    eps: Float[Array, ""],
    lam: Float[Array, ""],
) -> Float[Array, "*batch classes"]:
    r"""$G_l = (w_y\,(g_l - y'_l) + 2 \lambda \ln Z\,g_l)\,(1 - (s'_l / c)^2)$, of logits that aren't capped yet.

    The label's entry of g − y is minus the sum of the others, $\ln Z$ is the largest logit and
    $\ln(1 + \sum_{l \neq k} g_l / g_k)$, k being its class, and $1 - (s'_l / c)^2 = 4e / (1 + e)^2$ with
    $e = e^{-2 |s_l / c|}$: all keep their digits where they are nearly nothing.

    Textbook: as it stands, the last of the lines beyond the document.
    """
    slope = 1.0
    if c is not None:
        e = jnp.exp(-2 * jnp.abs(s / c))
        s, slope = c * jnp.tanh(s / c), 4 * e / jnp.square(1 + e)
    g, largest = probabilities(s), s.argmax(-1)
    g_minus_y = with_entry(g, y, -sum_without(g, y))
    log_z = s.max(-1) + jnp.log1p(sum_without(g, largest) / entry(g, largest))
    w_y = jnp.take(w, y, mode="fill")[..., None]
    smoothing = eps * (as_distribution(y, s) - 1 / s.shape[-1])
    return (w_y * (g_minus_y + smoothing) + 2 * lam * log_z[..., None] * g) * slope


def sum_without(g: Float[Array, "*batch classes"], i: Int[Array, "*batch"]) -> Float[Array, "*batch"]:
    r"""$\sum_{k \neq i} g_k$."""
    return row_sum(with_entry(g, i, 0))


def as_linear_layer(hidden: Any, weights: Any) -> tuple[Array, Array]:
    """A linear layer's features and weights as arrays of floats that fit.

    Raises:
        TypeError: if one isn't floating.
        ValueError: if one's shape doesn't fit, or there are no classes.
    """
    hidden, weights = as_vectors("hidden", hidden), as_floats("weights", weights, ndim=2)
    if weights.shape[0] == 0:
        raise ValueError(f"weights has shape {weights.shape}, expected at least one class on the first axis")
    if weights.shape[1] != hidden.shape[-1]:
        raise ValueError(
            f"weights has shape {weights.shape}, expected classes × {hidden.shape[-1]}, "
            f"as hidden has shape {hidden.shape}"
        )
    return hidden, weights


def as_label_array(labels: Any, batch: tuple[int, ...]) -> Any:
    """`labels` as an array of integers, one for each example.

    Raises:
        TypeError: for any dtype but an integer one.
        ValueError: for another shape than the batch's.
    """
    labels = as_known("labels", labels, "integers")
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(
            f"labels has dtype {labels.dtype}, expected integers: class indices (for distributions over the classes, "
            "use softmax_cross_entropy(hidden @ weights.T, labels))"
        )
    if labels.shape != batch:
        raise ValueError(f"labels has shape {labels.shape}, expected hidden.shape[:-1] = {batch}")
    return labels


def as_number(name: str, value: Any, dtype: Any) -> Float[Array, ""]:
    """A number of Python's in a dtype, or a scalar array in its own.

    Raises:
        TypeError: for any dtype but a floating one.
        ValueError: for an array that isn't a scalar.
    """
    value = jnp.asarray(value, dtype) if isinstance(value, int | float) else value
    return as_shaped(name, value, (), "a number's shape")
