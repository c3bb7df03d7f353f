"""The same forward functions by other authors: `jax.nn` and optax."""

import jax
import jax.numpy as jnp
import optax

import manual_grads as mg


def cross_entropy(logits, labels):
    if jnp.issubdtype(labels.dtype, jnp.integer):
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return optax.softmax_cross_entropy(logits, labels)


def logloss(probs, labels):
    y = labels if jnp.issubdtype(labels.dtype, jnp.floating) else jax.nn.one_hot(labels, probs.shape[-1])
    return -(y * jnp.log(probs)).sum(-1)


def two_layer(x, A, B, labels):
    return cross_entropy(jax.nn.sigmoid(x @ A.T) @ B.T, labels)


PEERS = {
    mg.sigmoid: jax.nn.sigmoid,
    mg.softmax: jax.nn.softmax,
    mg.log_softmax: jax.nn.log_softmax,
    mg.logloss: logloss,
    mg.softmax_cross_entropy: cross_entropy,
    mg.two_layer_loss: two_layer,
}
