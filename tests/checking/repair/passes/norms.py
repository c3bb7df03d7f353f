"""Normalisations: of a batch, of a layer, by the root mean square, of a vector and of the angle between two."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

random = np.random.default_rng(1)


def normal(*shape):
    return random.normal(size=shape).astype(np.float32)


def batch_norm(x, gamma, beta, c):
    centred = x - x.mean(0)
    hat = centred / jnp.sqrt((centred**2).mean(0) + 1e-5)
    return (c * (gamma * hat + beta)).sum()


def batch_norm_grads(x, gamma, beta, c):
    mean = x.mean(0)
    centred = x - mean
    var = (centred**2).mean(0)
    inv = 1 / jnp.sqrt(var + 1e-5)
    hat = centred * inv
    dgamma = (c * hat).sum(0)
    dbeta = c.sum(0)
    dhat = c * gamma
    dx = inv * (dhat - dhat.mean(0) - hat * (dhat * hat).mean(0))
    return dx, dgamma, dbeta


def layer_norm(x, gamma, beta, c):
    centred = x - x.mean(-1, keepdims=True)
    hat = centred / jnp.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    return (c * (gamma * hat + beta)).sum()


def layer_norm_grads(x, gamma, beta, c):
    centred = x - x.mean(-1, keepdims=True)
    std = jnp.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    hat = centred / std
    dhat = c * gamma
    mean_dhat = dhat.mean(-1, keepdims=True)
    projection = (dhat * hat).mean(-1, keepdims=True)
    dx = (dhat - mean_dhat - hat * projection) / std
    return dx, (c * hat).sum(0), c.sum(0)


def rms_norm(x, gain, c):
    return (c * gain * x / jnp.sqrt((x**2).mean(-1, keepdims=True) + 1e-6)).sum()


class RMSNorm:
    """As a layer that keeps what its backward pass needs."""

    def scale(self, x):
        return jax.lax.rsqrt((x**2).mean(-1, keepdims=True) + 1e-6)

    def backward(self, x, gain, c):
        r = self.scale(x)
        dy = c * gain
        dgain = (c * x * r).sum(0)
        inner = (dy * x).mean(-1, keepdims=True)
        dx = r * dy - x * r**3 * inner
        return dx, dgain


def cosine(a, b):
    return (a @ b) / (jnp.sqrt(a @ a) * jnp.sqrt(b @ b))


def cosine_grads(a, b):
    na = jnp.sqrt(a @ a)
    nb = jnp.sqrt(b @ b)
    cos = (a @ b) / (na * nb)
    da = b / (na * nb) - cos * a / na**2
    db = a / (na * nb) - cos * b / nb**2
    return da, db


GRADS_3, GRADS_2 = partial(jax.grad, argnums=(0, 1, 2)), partial(jax.grad, argnums=(0, 1))
PASSES = {
    "batch norm": (batch_norm, batch_norm_grads, (normal(6, 4), normal(4), normal(4), normal(6, 4)), GRADS_3),
    "layer norm": (layer_norm, layer_norm_grads, (normal(3, 5), normal(5), normal(5), normal(3, 5)), GRADS_3),
    "RMS norm": (rms_norm, RMSNorm().backward, (normal(3, 5), normal(5), normal(3, 5)), GRADS_2),
    "cosine similarity": (cosine, cosine_grads, (normal(5), normal(5)), GRADS_2),
}
