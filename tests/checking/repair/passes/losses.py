"""Losses: of classes, of distributions, of a density, of a regression."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

random = np.random.default_rng(5)


def normal(*shape):
    return random.normal(size=shape).astype(np.float32)


def cross_entropy(s, y):
    return (logsumexp(s, axis=-1) - jnp.take_along_axis(s, y[:, None], 1)[:, 0]).mean()


def cross_entropy_grad(s, y):
    p = jax.nn.softmax(s)
    hot = jax.nn.one_hot(y, s.shape[-1], dtype=s.dtype)
    return (p - hot) / len(y)


def kullback_leibler(a, b):
    """Of two softmaxes."""
    p, q = jax.nn.log_softmax(a), jax.nn.log_softmax(b)
    return (jnp.exp(p) * (p - q)).sum()


def kullback_leibler_grads(a, b):
    p = jax.nn.softmax(a)
    q = jax.nn.softmax(b)
    ratio = jax.nn.log_softmax(a) - jax.nn.log_softmax(b)
    kl = (p * ratio).sum()
    da = p * (ratio - kl)
    db = q - p
    return da, db


def gaussian(x, mu, log_sigma):
    z = (x - mu) * jnp.exp(-log_sigma)
    return (-(z**2) / 2 - log_sigma - jnp.log(2 * jnp.pi) / 2).sum()


def gaussian_grads(x, mu, log_sigma):
    inv = jnp.exp(-log_sigma)
    z = (x - mu) * inv
    dx = -z * inv
    dmu = z * inv
    dlog_sigma = z**2 - 1
    return dx, dmu, dlog_sigma


def logistic(w, b, X, y):
    m = y * (X @ w + b)
    return (jnp.log1p(jnp.exp(-jnp.abs(m))) + jnp.maximum(-m, 0)).mean() + 0.05 * (w @ w)


def logistic_grads(w, b, X, y):
    m = y * (X @ w + b)
    dm = -jax.nn.sigmoid(-m) / len(y)
    dz = dm * y
    dw = X.T @ dz + 0.1 * w
    db = dz.sum()
    return dw, db


def ridge(w, X, y):
    r = X @ w - y
    return (r @ r) / (2 * len(y)) + 0.5 * 0.1 * (w @ w)


def ridge_grads(w, X, y):
    r = X @ w - y
    dr = r / len(y)
    dw = X.T @ dr + 0.1 * w
    dX = jnp.outer(dr, w)
    return dw, dX, -dr


GRADS_2, GRADS_3 = partial(jax.grad, argnums=(0, 1)), partial(jax.grad, argnums=(0, 1, 2))
SIGNS = np.array([1, -1, -1, 1, 1, -1], np.float32)
PASSES = {
    "cross-entropy": (cross_entropy, cross_entropy_grad, (normal(4, 5), np.array([3, 0, 4, 1])), jax.grad),
    "Kullback–Leibler": (kullback_leibler, kullback_leibler_grads, (normal(5), normal(5)), GRADS_2),
    "Gaussian log-density": (gaussian, gaussian_grads, (normal(5), normal(5), normal(5)), GRADS_3),
    "logistic regression": (logistic, logistic_grads, (normal(3), np.float32(0.2), normal(6, 3), SIGNS), GRADS_2),
    "ridge regression": (ridge, ridge_grads, (normal(3), normal(6, 3), normal(6)), GRADS_3),
}
