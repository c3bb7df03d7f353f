"""The three oracles: right on known derivatives, of first and second order, and independent of each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking.truth.oracles import ORACLES, differences
from manual_grads.rules import jvp, vjp


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def f(x, y):
    return jnp.sin(x).sum() * y**2


def at():
    return jnp.array([0.3, -1.2, 2.0]), jnp.array(1.7)


@pytest.mark.parametrize("oracle", ORACLES)
def test_first_derivatives(oracle):
    x, y = at()
    g = ORACLES[oracle](f)
    np.testing.assert_allclose(g(x, y), f(x, y), rtol=1e-15)
    np.testing.assert_allclose(jax.grad(g)(x, y), jnp.cos(x) * y**2, rtol=1e-10)
    np.testing.assert_allclose(jax.grad(g, argnums=1)(x, y), 2 * y * jnp.sin(x).sum(), rtol=1e-10)
    np.testing.assert_allclose(jvp(g)(x, y, jnp.ones(3)), (jnp.cos(x) * y**2).sum(), rtol=1e-10)
    np.testing.assert_allclose(vjp(g, (0, 1))(x, y, jnp.array(2.0))[0], 2 * jnp.cos(x) * y**2, rtol=1e-10)


@pytest.mark.parametrize("oracle", ORACLES)
def test_second_derivatives(oracle):
    x, y = at()
    np.testing.assert_allclose(jax.hessian(ORACLES[oracle](f))(x, y), jnp.diag(-jnp.sin(x) * y**2), atol=1e-9)


@pytest.mark.parametrize("oracle", ORACLES)
def test_matrix_valued_jacobian_keeps_jax_s_shape(oracle):
    def g(A):
        return A @ A.T

    A = jnp.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(jax.jacobian(ORACLES[oracle](g))(A), jax.jacobian(g)(A), atol=1e-9)


@pytest.mark.parametrize("oracle", ORACLES)
def test_integer_arguments_pass_through(oracle):
    def pick(x, i):
        return x[i] ** 2

    x = jnp.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(jax.grad(ORACLES[oracle](pick))(x, 1), jnp.array([0.0, 4.0, 0.0]), atol=1e-9)


def test_differences_see_through_a_wrong_custom_rule():
    @jax.custom_jvp
    def square(x):
        return x**2

    square.defjvp(lambda x, t: (x[0] ** 2, 3 * x[0] * t[0]))
    assert jax.grad(square)(2.0) == 6.0
    np.testing.assert_allclose(jax.grad(differences(square))(jnp.array(2.0)), 4.0, rtol=1e-10)
