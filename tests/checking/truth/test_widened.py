"""A function that is traced for float32, with its operations done in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from manual_grads.checking.truth.widened import in_float64

X = np.array([0.3, -1.2, 2.0, 0.7])
FUNCTIONS = {
    "elementwise": lambda x: (jnp.tanh(x) ** 2).sum(),
    "a product summed in float32": lambda x: lax.dot(x, x, preferred_element_type=jnp.float32),
    "a scan": lambda x: lax.scan(lambda c, y: (c * jnp.float32(0.5) + y, c), jnp.float32(0), x)[0],
    "a while loop": lambda x: lax.while_loop(lambda c: c[0] < 3.0, lambda c: (c[0] + 1, c[1] * x), (jnp.float32(0), x))[
        1
    ].sum(),
    "a branch": lambda x: lax.cond(x[0] > 0, jnp.sin, jnp.cos, x).sum(),
    "a conversion": lambda x: (x.astype(jnp.float32) @ x.astype(jnp.float32)).astype(jnp.float32),
    "its own rule": lambda x: jax.nn.gelu(x).sum(),
    "sorted": lambda x: (jnp.sort(x) * jnp.arange(4)).sum(),
}


def only_float32(f):
    def of_float32(x):
        assert x.dtype == jnp.float32
        return f(x)

    return of_float32


@pytest.mark.smoke
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_operations_are_those_of_float64(name):
    f = FUNCTIONS[name]
    with jax.enable_x64(True):
        found = jax.jit(in_float64(only_float32(f), jnp.dtype("float32")))(X)
    assert found.dtype == np.float64
    by_hand = {
        "a product summed in float32": X @ X,
        "a conversion": X @ X,
        "a while loop": (X**4).sum(),
        "a scan": ((0.3 / 2 - 1.2) / 2 + 2.0) / 2 + 0.7,
    }
    with jax.enable_x64(name not in by_hand and name != "its own rule"):  # whose constants are float32's
        want = by_hand.get(name, np.asarray(f(X)))
    np.testing.assert_allclose(found, want, rtol=1e-6 if name == "its own rule" else 1e-14)


def test_it_can_be_differentiated():
    with jax.enable_x64(True):
        slope = jax.grad(in_float64(only_float32(FUNCTIONS["elementwise"]), jnp.dtype("float32")))(X)
    np.testing.assert_allclose(slope, 2 * np.tanh(X) * (1 - np.tanh(X) ** 2), rtol=1e-14)


def test_random_numbers_are_those_of_its_own_format():
    def dropout(x):
        return (x * jax.random.normal(jax.random.key(0), (4,), x.dtype)).sum()

    with jax.enable_x64(True):
        found = in_float64(only_float32(dropout), jnp.dtype("float32"))(X)
    np.testing.assert_allclose(found, dropout(X.astype(np.float32)), rtol=1e-6)
