"""The same forward functions by other authors, `jax.nn` and optax: what most people differentiate."""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from manual_grads.formulas import plain
from manual_grads.formulas.inputs import Labels


def cross_entropy(logits: Array, labels: Labels) -> Array:
    r"""$-\sum_k y_k \ln g_k$, by optax."""
    labels = jnp.asarray(labels)
    if jnp.issubdtype(labels.dtype, jnp.integer):
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return optax.softmax_cross_entropy(logits, labels)


def logloss(probs: Array, labels: Labels) -> Array:
    r"""$-\sum_k y_k \ln g_k$, which neither has: with the labels of `jax.nn.one_hot`."""
    labels = jnp.asarray(labels)
    y = labels if jnp.issubdtype(labels.dtype, jnp.floating) else jax.nn.one_hot(labels, probs.shape[-1])
    return -(y * jnp.log(probs)).sum(-1)


def two_layer(x: Array, A: Array, B: Array, labels: Labels) -> Array:
    r"""$L(g(B\,\sigma(Ax)))$, by `jax.nn` and optax."""
    return cross_entropy(jax.nn.sigmoid(x @ A.T) @ B.T, labels)


def linear(
    hidden: Array,
    weights: Array,
    labels: Array,
    bias: Array,
    logit_scale: Array,
    class_weights: Array,
    soft_cap: Array,
    label_smoothing: Array,
    z_loss: Array,
) -> Array:
    r"""$-w_y \sum_k y'_k \ln g_k + \lambda\,(\ln Z)^2$ of capped logits, by `jax.nn` and optax."""
    s = soft_cap * jnp.tanh((logit_scale * (hidden @ weights.T) + bias) / soft_cap)
    y = optax.smooth_labels(jax.nn.one_hot(labels, s.shape[-1], dtype=s.dtype), label_smoothing)  # pyright: ignore[reportArgumentType] - an array
    log_z = jax.nn.logsumexp(s, -1)
    return class_weights[labels] * optax.softmax_cross_entropy(s, y) + z_loss * log_z**2


PEERS = {
    plain.sigmoid: jax.nn.sigmoid,
    plain.softmax: jax.nn.softmax,
    plain.log_softmax: jax.nn.log_softmax,
    plain.logloss: logloss,
    plain.softmax_cross_entropy: cross_entropy,
    plain.two_layer_loss: two_layer,
    plain.linear_softmax_cross_entropy: linear,
    plain.TWO_LAYER_LINKS: (
        lambda x, A, B, labels: A @ x,
        lambda w, A, B, labels: jax.nn.sigmoid(w),
        lambda h, A, B, labels: B @ h,
        lambda v, A, B, labels: cross_entropy(v, labels),
    ),
}
