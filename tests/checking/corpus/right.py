"""Right gradients, plain and unusual, in every format; none may be rejected."""

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.rules import hvp, jvp, vjp
from tests.checking.corpus import functions as f


def in_float32(gradient):
    """As kernels do: computed in float32, rounded once."""

    def manual(*args):
        wide = [a.astype(jnp.float32) if jnp.issubdtype(a.dtype, jnp.floating) else a for a in args]
        dtype = args[0].dtype
        return jax.tree.map(lambda r: r.astype(dtype), gradient(*wide))

    return manual


def as_dtype(args, dtype):
    return tuple(a.astype(dtype) if np.issubdtype(a.dtype, np.floating) else a for a in args)


def trapped_sinc(x):
    """Whose own autodiff is NaN at zero: jnp.where's trap."""
    return jnp.where(x == 0, 1.0, jnp.sin(x) / x).sum()


def sinc_grad(x):
    small = jnp.abs(x) < 1e-2
    safe = jnp.where(small, 1, x)
    series = -x / 3 + x**3 / 30 - x**5 / 840
    return jnp.where(small, series, (safe * jnp.cos(safe) - jnp.sin(safe)) / safe**2)


@jax.custom_jvp
def clipped_log(p):
    return jnp.log(p).sum()


clipped_log.defjvp(lambda args, tangents: (clipped_log(*args), (tangents[0] / args[0]).sum()))


@jax.custom_vjp
def opaque(x):
    return (x**3).sum()


opaque.defvjp(lambda x: (opaque(x), x), lambda x, c: (3 * x * x * c,))


def simplex(key):
    p = jax.nn.softmax(jax.random.normal(key, (5,)))
    return (p, jnp.int32(1))


def logloss(p, y):
    return -jnp.log(p[y])


def one_by_one(s):
    """The softmax's Jacobian by a loop over its columns."""
    g = f.softmax(s)
    _, columns = jax.lax.scan(lambda c, i: (c, g * ((jnp.arange(len(g)) == i) - g[i])), 0, jnp.arange(len(g)))
    return columns.T


def by_logits(s, y):
    """A right cross-entropy gradient whose label's entry doesn't cancel."""
    g = f.softmax(s)
    others = jnp.where(jnp.arange(len(s)) == y, 0, g)
    return jnp.where(jnp.arange(len(s)) == y, -others.sum(), others)


def trees(params, x):
    return ((params["w"] @ x + params["b"]) ** 2).sum()


def trees_grad(params, x):
    r = 2 * (params["w"] @ x + params["b"])
    return {"w": jnp.outer(r, x), "b": r}


def relu_sum(x):
    return jnp.maximum(x, 0).sum()


def even(z):
    """σ' without overflow: 1/(2 + e^|z| + e^−|z|)."""
    e = jnp.exp(-jnp.abs(z))
    return e / (1 + e) ** 2


def from_lists(x, A, B, y):
    """The network's gradients by a sum over the examples."""
    one = jax.vmap(lambda a, b: f.network_grads(a[None], A, B, b[None]))(x, y)
    return one[0][:, 0], one[1].sum(0), one[2].sum(0)


RIGHT = {
    "sigmoid, σ(1 − σ)": (f.sigmoid, f.sigmoid_grad, (f.Z,), jax.grad),
    "sigmoid, even": (f.sigmoid, even, (f.Z,), jax.grad),
    "sigmoid, by tanh": (f.sigmoid, lambda z: (1 - jnp.tanh(z / 2) ** 2) / 4, (f.Z,), jax.grad),
    "sigmoid, vector, Jacobian": (f.sigmoid, lambda z: jnp.diag(f.sigmoid_grad(z)), (f.VECTOR,), jax.jacobian),
    "sigmoid, float16": (f.sigmoid, f.sigmoid_grad, (np.float16(0.7),), jax.grad),
    "sigmoid, bfloat16": (f.sigmoid, f.sigmoid_grad, (jnp.bfloat16(0.7),), jax.grad),
    "sigmoid, bfloat16, in float32": (f.sigmoid, in_float32(even), (jnp.bfloat16(0.7),), jax.grad),
    "softmax, Jacobian": (f.softmax, f.softmax_jacobian, (f.LOGITS,), jax.jacobian),
    "softmax, column by column": (f.softmax, one_by_one, (f.LOGITS,), jax.jacobian),
    "softmax, vjp": (f.softmax, f.softmax_vjp, (f.LOGITS, f.normal(5)), vjp),
    "softmax, jvp": (f.softmax, f.softmax_jvp, (f.LOGITS, f.normal(5)), jvp),
    "softmax, float16, in float32": (
        f.softmax,
        in_float32(f.softmax_jacobian),
        as_dtype((f.LOGITS,), "f2"),
        jax.jacobian,
    ),
    "cross-entropy": (f.cross_entropy, f.cross_entropy_grad, (f.LOGITS, f.LABEL), jax.grad),
    "cross-entropy, no cancellation": (f.cross_entropy, by_logits, (f.LOGITS, f.LABEL), jax.grad),
    "cross-entropy, bfloat16": (
        f.cross_entropy,
        f.cross_entropy_grad,
        as_dtype((f.LOGITS, f.LABEL), jnp.bfloat16),
        jax.grad,
    ),
    "cross-entropy, float16": (f.cross_entropy, f.cross_entropy_grad, as_dtype((f.LOGITS, f.LABEL), "f2"), jax.grad),
    "cross-entropy, batch": (f.batch_cross_entropy, f.batch_cross_entropy_grad, f.BATCH, jax.grad),
    "cross-entropy, hvp": (
        f.cross_entropy,
        lambda s, y, t: f.softmax_jvp(s, t),
        (f.LOGITS, f.LABEL, f.normal(5)),
        lambda g: lambda s, y, t: hvp(lambda u: g(u, y))(s, t),
    ),
    "network": (f.network, f.network_grads, f.NETWORK, f.GRADS_3),
    "network, by examples": (f.network, from_lists, f.NETWORK, f.GRADS_3),
    "network, bfloat16": (f.network, in_float32(f.network_grads), as_dtype(f.NETWORK, jnp.bfloat16), f.GRADS_3),
    "layer norm": (f.layer_norm, f.layer_norm_grad, (f.VECTOR, f.normal(6)), jax.grad),
    "layer norm, float16, in float32": (
        f.layer_norm,
        in_float32(f.layer_norm_grad),
        as_dtype((f.VECTOR, f.normal(6)), "f2"),
        jax.grad,
    ),
    "GELU": (f.gelu, f.gelu_grad, (f.VECTOR,), jax.grad),
    "GELU, bfloat16": (f.gelu, f.gelu_grad, as_dtype((f.VECTOR,), jnp.bfloat16), jax.grad),
    "GELU, tanh": (f.tanh_gelu, f.tanh_gelu_grad, (f.VECTOR,), jax.grad),
    "log-sum-exp": (f.log_sum_exp, f.log_sum_exp_grad, (f.VECTOR,), jax.grad),
    "log-sum-exp, softmax": (f.log_sum_exp, jax.nn.softmax, (f.VECTOR,), jax.grad),
    "norm": (f.norm, f.norm_grad, (f.VECTOR,), jax.grad),
    "norm, float16": (f.norm, f.norm_grad, as_dtype((f.VECTOR,), "f2"), jax.grad),
    "norm, Hessian": (f.norm, f.norm_hessian, (f.VECTOR,), jax.hessian),
    "attention": (f.attention, f.attention_grads, f.HEAD, f.GRADS_3),
    "linear solve": (f.linear_solve, f.linear_solve_grads, f.SYSTEM, f.GRADS_2),
    "the where trap": (trapped_sinc, sinc_grad, (f.VECTOR,), jax.grad),
    "a custom_vjp": (opaque, lambda x: 3 * x * x, (f.VECTOR,), jax.grad),
    "a custom_jvp, positive inputs": (clipped_log, lambda p: 1 / p, (abs(f.VECTOR) + 0.1,), jax.grad),
    "a sampler": (logloss, lambda p, y: jnp.zeros_like(p).at[y].set(-1 / p[y]), simplex, jax.grad),
    "a tree of parameters": (trees, trees_grad, ({"w": f.normal(3, 4), "b": f.normal(3)}, f.normal(4)), jax.grad),
    "a kink": (relu_sum, lambda x: (x > 0).astype(x.dtype), (f.VECTOR,), jax.grad),
}
