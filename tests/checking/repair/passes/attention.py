"""Attention, of one head and of several."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

random = np.random.default_rng(3)


def normal(*shape):
    return random.normal(size=shape).astype(np.float32)


def attention(q, k, v, c):
    s = q @ k.T / q.shape[-1] ** 0.5
    e = jnp.exp(s - s.max(-1, keepdims=True))
    return (c * ((e / e.sum(-1, keepdims=True)) @ v)).sum()


def attention_grads(q, k, v, do):
    scale = 1 / q.shape[-1] ** 0.5
    p = jax.nn.softmax(q @ k.T * scale)
    dv = p.T @ do
    dp = do @ v.T
    delta = (p * dp).sum(-1, keepdims=True)
    ds = p * (dp - delta) * scale
    dq = ds @ k
    dk = ds.T @ q
    return dq, dk, dv


def multi_head(x, Wq, Wk, Wv, Wo, c):
    q, k, v = (jnp.einsum("td,hde->hte", x, W) for W in (Wq, Wk, Wv))
    s = jnp.einsum("hte,hue->htu", q, k) / q.shape[-1] ** 0.5
    s = jnp.where(jnp.tril(jnp.ones(s.shape[-2:], bool)), s, -jnp.inf)
    e = jnp.exp(s - s.max(-1, keepdims=True))
    o = jnp.einsum("htu,hue->hte", e / e.sum(-1, keepdims=True), v)
    return (c * jnp.einsum("hte,hed->td", o, Wo)).sum()


def softmax_vjp(p, dp):
    inner = (p * dp).sum(-1, keepdims=True)
    return p * (dp - inner)


def multi_head_grads(x, Wq, Wk, Wv, Wo, c):
    q, k, v = (jnp.einsum("td,hde->hte", x, W) for W in (Wq, Wk, Wv))
    root = q.shape[-1] ** 0.5
    s = jnp.einsum("hte,hue->htu", q, k) / root
    p = jax.nn.softmax(jnp.where(jnp.tril(jnp.ones(s.shape[-2:], bool)), s, -jnp.inf))
    o = jnp.einsum("htu,hue->hte", p, v)
    dWo = jnp.einsum("hte,td->hed", o, c)
    do = jnp.einsum("td,hed->hte", c, Wo)
    dv = jnp.einsum("htu,hte->hue", p, do)
    dp = jnp.einsum("hte,hue->htu", do, v)
    ds = softmax_vjp(p, dp) / root
    dq = jnp.einsum("htu,hue->hte", ds, k)
    dk = jnp.einsum("htu,hte->hue", ds, q)
    dx_q = jnp.einsum("hte,hde->td", dq, Wq)
    dx_k = jnp.einsum("hte,hde->td", dk, Wk)
    dx_v = jnp.einsum("hte,hde->td", dv, Wv)
    dx = dx_q + dx_k + dx_v
    dWq, dWk, dWv = (jnp.einsum("td,hte->hde", x, d) for d in (dq, dk, dv))
    return dx, dWq, dWk, dWv, dWo


PASSES = {
    "attention": (
        attention,
        attention_grads,
        (normal(4, 3), normal(5, 3), normal(5, 2), normal(4, 2)),
        partial(jax.grad, argnums=(0, 1, 2)),
    ),
    "multi-head attention": (
        multi_head,
        multi_head_grads,
        (normal(4, 5), *(normal(2, 5, 3) for _ in range(3)), normal(2, 3, 5), normal(4, 5)),
        partial(jax.grad, argnums=(0, 1, 2, 3, 4)),
    ),
}
