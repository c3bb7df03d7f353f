"""Elementwise functions, and gated ones."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf

random = np.random.default_rng(2)
ROOT = (2 / np.pi) ** 0.5


def normal(*shape):
    return random.normal(size=shape).astype(np.float32)


def gelu(x, c):
    return (c * 0.5 * x * (1 + erf(x / 2**0.5))).sum()


def gelu_grads(x, c):
    cdf = 0.5 * (1 + erf(x / 2**0.5))
    pdf = jnp.exp(-(x**2) / 2) / (2 * np.pi) ** 0.5
    return c * (cdf + x * pdf), x * cdf


def tanh_gelu(x):
    return (0.5 * x * (1 + jnp.tanh(ROOT * (x + 0.044715 * x**3)))).sum()


def tanh_gelu_grad(x):
    inner = ROOT * (x + 0.044715 * x**3)
    t = jnp.tanh(inner)
    sech2 = 1 - t**2
    slope = ROOT * (1 + 3 * 0.044715 * x**2)
    return 0.5 * (1 + t) + 0.5 * x * sech2 * slope


def swiglu(x, W, V, U, c):
    a, b = x @ W, x @ V
    return (c * ((a / (1 + jnp.exp(-a)) * b) @ U)).sum()


def silu_slope(a):
    s = jax.nn.sigmoid(a)
    return s * (1 + a * (1 - s))


def swiglu_grads(x, W, V, U, c):
    a = x @ W
    b = x @ V
    g = a * jax.nn.sigmoid(a)
    dh = c @ U.T
    da = dh * b * silu_slope(a)
    db = dh * g
    dU = (g * b).T @ c
    return da @ W.T + db @ V.T, x.T @ da, x.T @ db, dU


sigmoid_grad = lambda z, c: c * jax.nn.sigmoid(z) * (1 - jax.nn.sigmoid(z))  # noqa: E731


def softplus(z, c):
    return (c * jnp.log(1 + jnp.exp(-jnp.abs(z))) + c * jnp.maximum(z, 0)).sum()


PASSES = {
    "GELU": (gelu, gelu_grads, (normal(6), normal(6)), partial(jax.grad, argnums=(0, 1))),
    "GELU by tanh": (tanh_gelu, tanh_gelu_grad, (normal(6),), jax.grad),
    "SwiGLU": (
        swiglu,
        swiglu_grads,
        (normal(3, 4), normal(4, 5), normal(4, 5), normal(5, 2), normal(3, 2)),
        partial(jax.grad, argnums=(0, 1, 2, 3)),
    ),
    "softplus": (softplus, lambda z, c: c * jax.nn.sigmoid(z), (normal(5), normal(5)), jax.grad),
    "sigmoid": (lambda z, c: (c / (1 + jnp.exp(-z))).sum(), sigmoid_grad, (normal(5), normal(5)), jax.grad),
}
