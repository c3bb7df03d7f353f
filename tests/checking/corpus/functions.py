"""The functions whose gradients are tried, each with a right gradient, and an example of its arguments."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve
from jax.scipy.special import erf, logsumexp

random = np.random.default_rng(21)


def normal(*shape, scale=1.0, dtype=np.float32):
    return (scale * random.normal(size=shape)).astype(dtype)


# Sigmoid: a number, or the sum over a vector.


def sigmoid(z):
    return 1 / (1 + jnp.exp(-z))


def sigmoid_grad(z):
    s = jax.nn.sigmoid(z)
    return s * (1 - s)


def softmax(s):
    e = jnp.exp(s - s.max())
    return e / e.sum()


def softmax_jacobian(s):
    g = softmax(s)
    return jnp.diag(g) - jnp.outer(g, g)


def softmax_vjp(s, c):
    g = softmax(s)
    return g * (c - (g * c).sum())


def softmax_jvp(s, t):
    g = softmax(s)
    return g * t - g * (g @ t)


def cross_entropy(s, y):
    return logsumexp(s) - s[y]


def cross_entropy_grad(s, y):
    return softmax(s) - jax.nn.one_hot(y, s.shape[-1], dtype=s.dtype)


def batch_cross_entropy(s, y):
    """The mean over a batch."""
    return (logsumexp(s, axis=-1) - jnp.take_along_axis(s, y[:, None], 1)[:, 0]).mean()


def batch_cross_entropy_grad(s, y):
    return (jax.nn.softmax(s) - jax.nn.one_hot(y, s.shape[-1], dtype=s.dtype)) / s.shape[0]


def network(x, A, B, y):
    """Task 21, summed over a batch."""
    v = sigmoid(x @ A.T) @ B.T
    return (logsumexp(v, axis=-1) - jnp.take_along_axis(v, y[:, None], 1)[:, 0]).sum()


def network_parts(x, A, B, y):
    h = jax.nn.sigmoid(x @ A.T)
    v = h @ B.T
    dv = jax.nn.softmax(v) - jax.nn.one_hot(y, B.shape[0], dtype=v.dtype)
    return h, dv, (dv @ B) * h * (1 - h)


def network_grads(x, A, B, y):
    h, dv, delta = network_parts(x, A, B, y)
    return delta @ A, delta.T @ x, dv.T @ h


def layer_norm(x, c):
    """Contracted with c."""
    centred = x - x.mean()
    return (c * centred / jnp.sqrt((centred**2).mean() + 1e-5)).sum()


def layer_norm_grad(x, c):
    centred = x - x.mean()
    r = 1 / jnp.sqrt((centred**2).mean() + 1e-5)
    hat = centred * r
    return r * (c - c.mean() - hat * (c * hat).mean())


def gelu(x):
    return (0.5 * x * (1 + erf(x / 2**0.5))).sum()


def gelu_grad(x):
    return 0.5 * (1 + erf(x / 2**0.5)) + x * jnp.exp(-x * x / 2) / (2 * np.pi) ** 0.5


def tanh_gelu(x):
    return (0.5 * x * (1 + jnp.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3)))).sum()


def tanh_gelu_grad(x):
    t = jnp.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * (2 / np.pi) ** 0.5 * (1 + 3 * 0.044715 * x * x)


def log_sum_exp(x):
    m = jax.lax.stop_gradient(x.max())
    return m + jnp.log(jnp.exp(x - m).sum())


def log_sum_exp_grad(x):
    return jnp.exp(x - log_sum_exp(x))


def norm(x):
    return jnp.sqrt((x * x).sum())


def norm_grad(x):
    n = norm(x)
    return x / jnp.where(n > 0, n, 1)  # at 0, where it has a kink, 0


def norm_hessian(x):
    n = norm(x)
    return jnp.eye(len(x), dtype=x.dtype) / n - jnp.outer(x, x) / n**3


def attention(q, k, v):
    s = q @ k.T / q.shape[-1] ** 0.5
    return ((jax.nn.softmax(s) @ v) ** 2).sum()


def attention_grads(q, k, v, scale=None):
    scale = 1 / q.shape[-1] ** 0.5 if scale is None else scale
    p = jax.nn.softmax(q @ k.T / q.shape[-1] ** 0.5)
    do = 2 * (p @ v)
    dp = do @ v.T
    ds = p * (dp - (p * dp).sum(-1, keepdims=True))
    return ds @ k * scale, ds.T @ q * scale, p.T @ do


def linear_solve(a, b):
    """Of a matrix that is well away from singular for inputs of ordinary size."""
    return (jnp.linalg.solve(a, b) ** 2).sum()


def linear_solve_grads(a, b):
    x = solve(a, b)
    u = solve(a.T, 2 * x)
    return -jnp.outer(u, x), u


GRADS_3, GRADS_2 = partial(jax.grad, argnums=(0, 1, 2)), partial(jax.grad, argnums=(0, 1))
Z, VECTOR, LOGITS = np.float32(0.7), normal(6), normal(5)
LABEL, BATCH = np.int32(2), (normal(4, 5), np.array([3, 0, 4, 1], np.int32))
NETWORK = (normal(4, 6), normal(3, 6), normal(5, 3), np.array([3, 0, 4, 1], np.int32))
HEAD = (normal(4, 3), normal(5, 3), normal(5, 2))
SYSTEM = (normal(4, 4) + 4 * np.eye(4, dtype=np.float32), normal(4))
