"""Passes whose mistakes were written when the search was, to see what it makes of those it wasn't made for."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

random = np.random.default_rng(8)


def normal(*shape):
    return random.normal(size=shape).astype(np.float32)


def dice(z, y):
    """One minus the overlap of a mask with a soft one."""
    p = 1 / (1 + jnp.exp(-z))
    return 1 - 2 * (p * y).sum() / (p.sum() + y.sum())


def dice_grad(z, y):
    p = jax.nn.sigmoid(z)
    both = (p * y).sum()
    total = p.sum() + y.sum()
    dp = 2 * both / total**2 - 2 * y / total
    slope = p * jax.nn.sigmoid(-z)
    return dp * slope


def huber(x, t):
    r = x - t
    a = jnp.abs(r)
    return jnp.where(a < 1, 0.5 * r**2, a - 0.5).mean()


def huber_grads(x, t):
    r = x - t
    inside = jnp.abs(r) < 1
    dr = jnp.where(inside, r, jnp.sign(r)) / x.size
    return dr, -dr


def bilinear(x, W, y, b):
    return jnp.tanh(jnp.einsum("ni,ij,nj->n", x, W, y) + b).sum()


def bilinear_grads(x, W, y, b):
    left = x @ W
    score = (left * y).sum(-1) + b
    t = jnp.tanh(score)
    ds = 1 - t**2
    dx = ds[:, None] * (y @ W.T)
    dy = ds[:, None] * left
    dW = (ds[:, None] * x).T @ y
    return dx, dW, dy, ds.sum()


def gru(x, h, W, U, c):
    n = len(h)
    a, u = W @ x, U @ h
    r = 1 / (1 + jnp.exp(-(a[:n] + u[:n])))
    z = 1 / (1 + jnp.exp(-(a[n : 2 * n] + u[n : 2 * n])))
    g = jnp.tanh(a[2 * n :] + r * u[2 * n :])
    return (c * ((1 - z) * g + z * h)).sum()


def gru_grads(x, h, W, U, c):
    n = len(h)
    a = W @ x
    u = U @ h
    r = jax.nn.sigmoid(a[:n] + u[:n])
    z = jax.nn.sigmoid(a[n : 2 * n] + u[n : 2 * n])
    v = u[2 * n :]
    g = jnp.tanh(a[2 * n :] + r * v)
    dz = c * (h - g) * z * (1 - z)
    dg = c * (1 - z) * (1 - g**2)
    dr = dg * v * r * (1 - r)
    da = jnp.concatenate([dr, dz, dg])
    du = jnp.concatenate([dr, dz, dg * r])
    dh = U.T @ du + c * z
    return W.T @ da, dh, jnp.outer(da, x), jnp.outer(du, h)


def group_norm(x, gain, c):
    """Of two groups of channels."""
    g = x.reshape(2, -1)
    centred = g - g.mean(-1, keepdims=True)
    hat = (centred / jnp.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)).reshape(x.shape)
    return (c * gain[:, None] * hat).sum()


def group_norm_grads(x, gain, c):
    g = x.reshape(2, -1)
    centred = g - g.mean(-1, keepdims=True)
    rstd = jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    hat = centred * rstd
    dgain = (c * hat.reshape(x.shape)).sum(-1)
    dhat = (c * gain[:, None]).reshape(2, -1)
    mean = dhat.mean(-1, keepdims=True)
    cov = (dhat * hat).mean(-1, keepdims=True)
    dg = rstd * (dhat - mean - hat * cov)
    return dg.reshape(x.shape), dgain


def mixture(logits, mu, x):
    """The negative log-likelihood of a mixture of unit Gaussians."""
    logp = jax.nn.log_softmax(logits) - (x[:, None] - mu) ** 2 / 2
    m = logp.max(-1, keepdims=True)
    return -(m[:, 0] + jnp.log(jnp.exp(logp - m).sum(-1))).sum()


def mixture_grads(logits, mu, x):
    prior = jax.nn.softmax(logits)
    diff = x[:, None] - mu
    post = jax.nn.softmax(jax.nn.log_softmax(logits) - diff**2 / 2)
    dlogits = len(x) * prior - post.sum(0)
    weighted = post * diff
    dmu = -weighted.sum(0)
    dx = weighted.sum(1)
    return dlogits, dmu, dx


def leaky(x, W, c):
    w = x @ W
    return (c * jnp.where(w > 0, w, 0.1 * w)).sum()


@jax.jit
def leaky_grads(x, W, c):
    w = x @ W
    gate = jnp.where(w > 0, 1.0, 0.1)
    dw = c * gate
    dx = dw @ W.T
    dW = x.T @ dw
    dc = w * gate
    return dx, dW, dc


PASSES = {
    "dice loss": (dice, dice_grad, (normal(5), np.array([1, 0, 0, 1, 1], np.float32)), jax.grad),
    "Huber loss": (huber, huber_grads, (normal(6), normal(6)), partial(jax.grad, argnums=(0, 1))),
    "bilinear": (
        bilinear,
        bilinear_grads,
        (normal(4, 3), normal(3, 2), normal(4, 2), normal()),
        partial(jax.grad, argnums=(0, 1, 2, 3)),
    ),
    "GRU step": (
        gru,
        gru_grads,
        (normal(2), normal(3), normal(9, 2), normal(9, 3), normal(3)),
        partial(jax.grad, argnums=(0, 1, 2, 3)),
    ),
    "group norm": (
        group_norm,
        group_norm_grads,
        (normal(4, 3), normal(4), normal(4, 3)),
        partial(jax.grad, argnums=(0, 1)),
    ),
    "mixture": (mixture, mixture_grads, (normal(3), normal(3), normal(5)), partial(jax.grad, argnums=(0, 1, 2))),
    "leaky ReLU layer": (
        leaky,
        leaky_grads,
        (normal(4, 3), normal(3, 5), normal(4, 5)),
        partial(jax.grad, argnums=(0, 1, 2)),
    ),
}
