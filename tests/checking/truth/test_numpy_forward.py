"""A forward that is written in NumPy, as JAX sees it."""

import jax
import numpy as np
import pytest

from manual_grads.checking.arrays import calling_back, computing_in
from manual_grads.checking.truth.numpy_forward import as_jax

X = np.array([0.3, -1.2, 2.0])


@pytest.mark.smoke
@pytest.mark.parametrize("name", ["float32", "float64"])
def test_its_value_and_its_slope(name):
    f = as_jax(lambda x: {"a": np.sum(np.tanh(x) ** 2)})
    with calling_back(True), computing_in(name):
        x = jax.numpy.asarray(X, name)
        value, slope = jax.jit(jax.value_and_grad(lambda x: f(x)["a"]))(x)
        several = jax.vmap(f)(x[:, None])["a"]
    assert value.dtype == slope.dtype == name
    np.testing.assert_allclose(value, (np.tanh(X) ** 2).sum(), rtol=1e-6)
    np.testing.assert_allclose(several, np.tanh(X) ** 2, rtol=1e-6)
    if name == "float64":
        np.testing.assert_allclose(slope, 2 * np.tanh(X) * (1 - np.tanh(X) ** 2), rtol=1e-8)
