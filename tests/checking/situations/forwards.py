"""Forwards that JAX can't differentiate, that are as good as a solver, or that are defined at some scales only."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.checking.situations import Situations

FORWARDS = Situations()
x = np.array([0.3, 1.2, 2.0], np.float32)


def cubed_in_a_loop(x):
    """x⁴, by a loop whose end is decided as it runs."""
    return lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * x), (0, x))[1].sum()


def called_back(f):
    """f by NumPy, in a callback."""
    return lambda x: jax.pure_callback(
        lambda v: f(np.asarray(v)), jax.ShapeDtypeStruct(x.shape, x.dtype), x, vmap_method="sequential"
    )


FORWARDS.right("a while loop, under jax.grad", cubed_in_a_loop, lambda x: 4 * x**3, x)
FORWARDS.wrong("a while loop, one round too few", cubed_in_a_loop, lambda x: 3 * x**2, x)
FORWARDS.right("a callback", lambda x: called_back(np.tanh)(x).sum(), lambda x: 1 - jnp.tanh(x) ** 2, x)
FORWARDS.wrong("a callback, not squared", lambda x: called_back(np.tanh)(x).sum(), lambda x: 1 - jnp.tanh(x), x)
FORWARDS.right("a gradient in a callback", lambda x: jnp.tanh(x).sum(), called_back(lambda v: 1 - np.tanh(v) ** 2), x)
FORWARDS.wrong(
    "a gradient in a callback, 0.1 % off",
    lambda x: jnp.tanh(x).sum(),
    called_back(lambda v: 1.001 * (1 - np.tanh(v) ** 2)),
    x,
)


def summed_in_float32(a, b):
    return lax.dot_general(a, b, (((0,), (0,)), ((), ())), preferred_element_type=jnp.float32).astype(a.dtype)


FORWARDS.right("a product that is summed in float32", summed_in_float32, lambda a, b: b, x, x + 1)
FORWARDS.wrong("the same, 0.1 % off", summed_in_float32, lambda a, b: 1.001 * b, x, x + 1)


def expm1_series(x):
    """As good as its ten terms."""
    return sum(x**n / np.prod(np.arange(1.0, n + 1)) for n in range(1, 11))


FORWARDS.right("a series, as good as its last term", expm1_series, jnp.exp, np.float32(0.5), scales=[0.1, 1], rtol=1e-2)
FORWARDS.wrong("a series, and nothing granted", expm1_series, jnp.exp, np.float32(0.5), scales=[0.1, 3])
FORWARDS.wrong(
    "a series, further off than is granted",
    expm1_series,
    lambda x: 1.02 * jnp.exp(x),
    np.float32(0.5),
    scales=[0.1, 1],
    rtol=1e-2,
)
FORWARDS.right(
    "right at the scales that are asked for",
    lambda x: jnp.exp(-x * x),
    lambda x: jnp.where(abs(x) < 1e-3, 1.0, 0.0) + jnp.where(abs(x) < 1e-3, -1.0, 0.0) - 2 * x * jnp.exp(-x * x),
    np.float32(-0.5),
    scales=[0.1, 1],
)


def positive_root(v):
    """√v, of positive numbers alone."""
    assert (np.asarray(v) > 0).all(), "a root of what isn't positive"
    return np.sqrt(v)


positive = {"domain": {"[0]": "positive"}}
FORWARDS.right(
    "a root in a callback, of what is positive",
    lambda a: called_back(positive_root)(a).sum(),
    lambda a: 0.5 / jnp.sqrt(a),
    np.float32(2.5),
    **positive,
)
FORWARDS.wrong(
    "a root in a callback, 10 % off",
    lambda a: called_back(positive_root)(a).sum(),
    lambda a: 0.55 / jnp.sqrt(a),
    np.float32(2.5),
    **positive,
)
FORWARDS.right("a root in NumPy", lambda a: np.sqrt(np.abs(a)), lambda a: 0.5 / jnp.sqrt(a), np.float32(2), **positive)
FORWARDS.right(
    "a root in NumPy, from 1 to 4",
    lambda a: np.sqrt(a),
    lambda a: 0.5 / jnp.sqrt(a),
    np.float32(2),
    domain={"[0]": (1.0, 4.0)},
)
