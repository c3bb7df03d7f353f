"""Networks of two layers, a solve by Cholesky's factors, a convolution by hand."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_factor, cho_solve
from jax.scipy.special import logsumexp

random = np.random.default_rng(6)


def normal(*shape):
    return random.normal(size=shape).astype(np.float32)


def network(x, A, a, B, b, y):
    v = jnp.tanh(x @ A.T + a) @ B.T + b
    return (logsumexp(v, axis=-1) - jnp.take_along_axis(v, y[:, None], 1)[:, 0]).sum()


@jax.jit
def network_grads(x, A, a, B, b, y):
    w = x @ A.T + a
    h = jnp.tanh(w)
    p = jax.nn.softmax(h @ B.T + b)
    dv = p - jax.nn.one_hot(y, p.shape[-1], dtype=p.dtype)
    dh = dv @ B
    dw = dh * (1 - h**2)
    dA = dw.T @ x
    da = dw.sum(0)
    dB = dv.T @ h
    db = dv.sum(0)
    return dw @ A, dA, da, dB, db


def relu_network(x, A, B):
    return (jnp.maximum(x @ A, 0) @ B).sum()


def relu_network_grads(x, A, B):
    w = x @ A
    h = jnp.maximum(w, 0)
    dv = jnp.ones((len(x), B.shape[1]), x.dtype)
    dh = dv @ B.T
    dw = jnp.where(w > 0, dh, 0)
    return dw @ A.T, x.T @ dw, h.T @ dv


def quadratic(L, b):
    """bᵀ(L Lᵀ + I)⁻¹b."""
    A = L @ L.T + jnp.eye(len(b), dtype=b.dtype)
    return b @ jnp.linalg.solve(A, b)


def quadratic_grads(L, b):
    A = L @ L.T + jnp.eye(len(b), dtype=b.dtype)
    u = cho_solve(cho_factor(A), b)
    dA = -jnp.outer(u, u)
    dL = 2 * dA @ L
    return dL, 2 * u


def convolution(x, k, c):
    n = len(x) - len(k) + 1
    return sum(c[i] * (x[i : i + len(k)] @ k) for i in range(n))


def convolution_grads(x, k, c):
    m = len(k)
    rows = jnp.arange(len(c))[:, None] + jnp.arange(m)
    windows = x[rows]
    dk = windows.T @ c
    spread = c[:, None] * k
    dx = jnp.zeros_like(x).at[rows].add(spread)
    return dx, dk


PASSES = {
    "network": (
        network,
        network_grads,
        (normal(4, 6), normal(3, 6), normal(3), normal(5, 3), normal(5), np.array([3, 0, 4, 1])),
        partial(jax.grad, argnums=(0, 1, 2, 3, 4)),
    ),
    "ReLU network": (
        relu_network,
        relu_network_grads,
        (normal(4, 3), normal(3, 5), normal(5, 2)),
        partial(jax.grad, argnums=(0, 1, 2)),
    ),
    "Cholesky solve": (quadratic, quadratic_grads, (normal(4, 4), normal(4)), partial(jax.grad, argnums=(0, 1))),
    "convolution": (
        convolution,
        convolution_grads,
        (normal(7), normal(3), normal(5)),
        partial(jax.grad, argnums=(0, 1)),
    ),
}
