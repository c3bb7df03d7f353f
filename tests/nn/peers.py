"""What the drop-ins are compared with: JAX's and optax's functions, by name, and what transforms make of both."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from manual_grads import nn
from tests.quick import quick_jit

PEERS = {
    nn.sigmoid: jax.nn.sigmoid,
    nn.softmax: jax.nn.softmax,
    nn.log_softmax: jax.nn.log_softmax,
    nn.softmax_cross_entropy: optax.softmax_cross_entropy,
    nn.softmax_cross_entropy_with_integer_labels: optax.softmax_cross_entropy_with_integer_labels,
}

# In float64 the peers are within some thousand units in the last place, in two derivatives.
CLOSE = 1e-12


def assert_same(function, *args, **options):
    """The value and its derivatives with respect to all of `args`, jitted, in float64: those of the peer."""
    peer = PEERS[function]
    with jax.enable_x64(True):
        args = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), args)
        pairs = zip(*(jax.tree.leaves(derivatives(f, args, options)) for f in (function, peer)), strict=True)
        for got, want in pairs:
            assert got.dtype == want.dtype
            np.testing.assert_allclose(got, want, rtol=CLOSE, atol=CLOSE)


def derivatives(f, args, options):
    """The value, the gradients of a nonlinear sum of it, and how they change along some direction, by every mode.

    The sum has uneven weights, so that no entry can hide behind another.
    """

    def total(*args):
        out = f(*args, **options)
        return (out * jnp.cos(jnp.arange(out.size)).reshape(out.shape) + out**2).sum()

    def all_of_them(*args):
        gradient = jax.grad(total, tuple(range(len(args))))
        along = jax.tree.map(jnp.sin, args)
        forward_over_reverse = jax.jvp(gradient, args, along)
        reverse_over_forward = jax.grad(lambda args: jax.jvp(total, args, along)[1])(args)
        return f(*args, **options), jax.jvp(total, args, along)[1], forward_over_reverse, reverse_over_forward

    return quick_jit(all_of_them)(*args)


def residuals(f, *args):
    """What is kept for the backward pass of `f`, by shape and dtype."""
    return [(leaf.shape, leaf.dtype.name) for leaf in jax.tree.leaves(jax.vjp(f, *args)[1])]
