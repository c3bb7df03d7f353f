"""What moves, chooses or adds up entries: a look-up, running sums, pooling; and rules for JAX."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

random = np.random.default_rng(7)


def normal(*shape):
    return random.normal(size=shape).astype(np.float32)


def embedding(table, ids, c):
    return (c * table[ids]).sum()


def embedding_grad(table, ids, c):
    zeros = jnp.zeros_like(table)
    return zeros.at[ids].add(c)


def running_sum(x, c):
    return (c * jnp.cumsum(x)).sum()


def running_sum_grads(x, c):
    total = jnp.cumsum(x)
    dx = jax.lax.cumsum(c, reverse=True)
    return dx, total


def weighted_running_sum(x, w, c):
    return (c * jnp.cumsum(w * x)).sum()


def weighted_running_sum_grads(x, w, c):
    back = jnp.flip(jnp.cumsum(jnp.flip(c, 0)), 0)
    dx = back * w
    dw = back * x
    return dx, dw


def pooling(x, c):
    return (c * x.reshape(-1, 3).max(-1)).sum()


def pooling_grads(x, c):
    windows = x.reshape(-1, 3)
    best = windows.argmax(-1)
    hot = jax.nn.one_hot(best, 3, dtype=x.dtype)
    dx = c[:, None] * hot
    return dx.reshape(x.shape), windows.max(-1)


def log_sum_exp(x, c):
    m = jax.lax.stop_gradient(x.max())
    return c * (m + jnp.log(jnp.exp(x - m).sum()))


def log_sum_exp_grads(x, c):
    m = x.max()
    e = jnp.exp(x - m)
    total = e.sum()
    return c * e / total, m + jnp.log(total)


PASSES = {
    "embedding look-up": (embedding, embedding_grad, (normal(5, 3), np.array([1, 4, 1, 0]), normal(4, 3)), jax.grad),
    "cumulative sum": (running_sum, running_sum_grads, (normal(5), normal(5)), partial(jax.grad, argnums=(0, 1))),
    "weighted cumulative sum": (
        weighted_running_sum,
        weighted_running_sum_grads,
        (normal(5), normal(5), normal(5)),
        partial(jax.grad, argnums=(0, 1)),
    ),
    "max pooling": (pooling, pooling_grads, (normal(9), normal(3)), partial(jax.grad, argnums=(0, 1))),
    "log-sum-exp": (log_sum_exp, log_sum_exp_grads, (normal(5), np.float32(0.6)), partial(jax.grad, argnums=(0, 1))),
}
