"""An LSTM's step; a recurrent network over time, backwards by a scan."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

random = np.random.default_rng(4)


def normal(*shape):
    return random.normal(size=shape).astype(np.float32)


def sigmoid(z):
    return 1 / (1 + jnp.exp(-z))


def lstm(x, h, c, W, U, b, dh, dc):
    i, f, o, g = jnp.split(W @ x + U @ h + b, 4)
    new = sigmoid(f) * c + sigmoid(i) * jnp.tanh(g)
    return (dh * sigmoid(o) * jnp.tanh(new)).sum() + (dc * new).sum()


def gates(x, h, W, U, b):
    i, f, o, g = jnp.split(W @ x + U @ h + b, 4)
    return jax.nn.sigmoid(i), jax.nn.sigmoid(f), jax.nn.sigmoid(o), jnp.tanh(g)


def sigmoid_vjp(s, c):
    return c * s * (1 - s)


def lstm_grads(x, h, c, W, U, b, dh, dc):
    i, f, o, g = gates(x, h, W, U, b)
    new = f * c + i * g
    t = jnp.tanh(new)
    dnew = dc + dh * o * (1 - t**2)
    do = sigmoid_vjp(o, dh * t)
    di = sigmoid_vjp(i, dnew * g)
    df = sigmoid_vjp(f, dnew * c)
    dg = dnew * i * (1 - g**2)
    dz = jnp.concatenate([di, df, do, dg])
    dW = jnp.outer(dz, x)
    dU = jnp.outer(dz, h)
    return W.T @ dz, U.T @ dz, dnew * f, dW, dU, dz


def rnn(xs, W, U):
    """The sum of squares of the last state."""

    def step(h, x):
        return jnp.tanh(W @ x + U @ h), None

    last, _ = jax.lax.scan(step, jnp.zeros(U.shape[0], U.dtype), xs)
    return (last**2).sum()


def rnn_grads(xs, W, U):
    def forward(h, x):
        new = jnp.tanh(W @ x + U @ h)
        return new, (h, new)

    last, (before, after) = jax.lax.scan(forward, jnp.zeros(U.shape[0], U.dtype), xs)

    def backward(carry, kept):
        dh, dW, dU = carry
        x, h, new = kept
        dz = dh * (1 - new**2)
        dW = dW + jnp.outer(dz, x)
        dU = dU + jnp.outer(dz, h)
        return (U.T @ dz, dW, dU), W.T @ dz

    start = (2 * last, jnp.zeros_like(W), jnp.zeros_like(U))
    (_, dW, dU), dxs = jax.lax.scan(backward, start, (xs, before, after), reverse=True)
    return dxs, dW, dU


PASSES = {
    "LSTM step": (
        lstm,
        lstm_grads,
        (normal(2), normal(3), normal(3), normal(12, 2), normal(12, 3), normal(12), normal(3), normal(3)),
        partial(jax.grad, argnums=(0, 1, 2, 3, 4, 5)),
    ),
    "recurrent network": (
        rnn,
        rnn_grads,
        (normal(4, 2), normal(3, 2), normal(3, 3)),
        partial(jax.grad, argnums=(0, 1, 2)),
    ),
}
