"""The three oracles: right on known derivatives, of first and second order, and independent of each other."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking.truth.compiled import TRUNCATED
from manual_grads.checking.truth.oracles import ORACLES, differences, slopes_along, steadiest_differences
from manual_grads.rules import jvp, vjp


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def f(x, y):
    return jnp.sin(x).sum() * y**2


def at():
    return jnp.array([0.3, -1.2, 2.0]), jnp.array(1.7)


@pytest.mark.smoke
@pytest.mark.parametrize("oracle", ORACLES)
def test_first_and_second_derivatives(oracle):
    g = ORACLES[oracle](f)

    @jax.jit
    def found(x, y):
        ones, two = jnp.ones(3), jnp.array(2.0)
        hessian = jax.hessian(g)(x, y)
        return g(x, y), jax.grad(g, (0, 1))(x, y), jvp(g)(x, y, ones), vjp(g, (0, 1))(x, y, two)[0], hessian

    x, y = at()
    value, (by_x, by_y), along, weighted, hessian = found(x, y)
    np.testing.assert_allclose(value, f(x, y), rtol=1e-15)
    np.testing.assert_allclose(by_x, jnp.cos(x) * y**2, rtol=1e-10)
    np.testing.assert_allclose(by_y, 2 * y * jnp.sin(x).sum(), rtol=1e-10)
    np.testing.assert_allclose(along, (jnp.cos(x) * y**2).sum(), rtol=1e-10)
    np.testing.assert_allclose(weighted, 2 * jnp.cos(x) * y**2, rtol=1e-10)
    np.testing.assert_allclose(hessian, jnp.diag(-jnp.sin(x) * y**2), atol=1e-9)


@pytest.mark.parametrize("oracle", ORACLES)
def test_a_matrix_and_an_integer_keep_their_shapes(oracle):
    def product(A, i):
        return (A @ A.T)[i]

    A = jnp.arange(6.0).reshape(2, 3)
    found = jax.jit(lambda A: jax.jacobian(ORACLES[oracle](product))(A, 1))(A)
    np.testing.assert_allclose(found, [[[3, 4, 5], [0, 1, 2]], [[0, 0, 0], [6, 8, 10]]], atol=1e-9)


def test_differences_see_through_a_wrong_custom_rule():
    @jax.custom_jvp
    def square(x):
        return x**2

    square.defjvp(lambda x, t: (x[0] ** 2, 3 * x[0] * t[0]))
    assert jax.grad(square)(2.0) == 6.0
    np.testing.assert_allclose(jax.jit(jax.grad(differences(square)))(jnp.array(2.0)), 4.0, rtol=1e-10)


def test_a_step_is_relative_to_what_is_large():
    slope = jax.jit(jax.grad(differences(lambda x: x**2)))
    np.testing.assert_allclose(slope(jnp.array(1e6)), 2e6, rtol=1e-11)


def test_directions_are_of_length_one():
    along = jax.jit(slopes_along(lambda x: x, [np.float64(0.3)], 5))(0.01, jnp.array(0.3))
    np.testing.assert_allclose(along[0], along[1], rtol=1e-10)
    weight = np.random.default_rng(3).normal()  # of the only result
    np.testing.assert_allclose(np.mean(along[0] ** 2), weight**2)


@pytest.mark.parametrize(
    ("f", "slope", "x", "part"),
    [
        (jnp.log, lambda x: 1 / x, 0.004, 1e-9),  # whose domain ends closer than the largest steps
        (jnp.sin, jnp.cos, 1.0, 1e-11),
        (lambda x: jnp.abs(x) ** 1.5, lambda x: 1.5 * x**0.5, 0.001, 1e-9),  # close to where it isn't smooth
        (lambda x: jnp.sin(x / 30), lambda x: jnp.cos(x / 30) / 30, 3.0, 1e-11),  # of which small steps see little
    ],
)
def test_the_steadiest_differences_have_the_step_that_suits(f, slope, x, part):
    got, want = (float(g(jnp.asarray(x))) for g in (jax.grad(steadiest_differences(f)), slope))
    assert abs(got - want) <= part * abs(want)


def in_float32(x):
    """Values whose sum is rounded to 2⁻¹⁶: steps of less change nothing."""
    return (jnp.float32(200) + jnp.sin(x).astype("float32")).astype(x.dtype)


def test_steps_that_are_too_short_for_float32_are_not_taken():
    x = jnp.linspace(1.4, 1.6, 9)  # slopes of 0.2 at the most
    differenced: Any = steadiest_differences(in_float32)
    by_steps = [jax.vmap(jax.grad(differenced.by_steps(factor)))(x) for factor in (1, 0.9)]
    assert (abs(by_steps[0] - jnp.cos(x)) < 0.01).all()
    assert jnp.abs(by_steps[0] - by_steps[1]).max() > 1e-4  # so far apart that the error can be seen
    assert jax.grad(steadiest_differences(lambda x: 200 + jnp.maximum(x, 0)))(-0.01) == 0  # beside a kink


@pytest.mark.parametrize("scale", [*(pytest.param(x, marks=pytest.mark.slow) for x in (0.01, 10)), 1, 100])
def test_what_the_steadiest_differences_truncate_is_known(scale):
    x = jnp.asarray(scale * np.random.default_rng(0).normal(size=200))
    for g in (jnp.sin, jnp.tanh, lambda x: jnp.sin(3 * x), lambda x: jnp.sin(x) ** 2, lambda x: jnp.log1p(x * x)):
        found, want = (jax.jit(jax.vmap(jax.grad(h)))(x) for h in (steadiest_differences(g), g))
        assert jnp.max(jnp.abs(found - want)) < TRUNCATED * jnp.max(jnp.abs(want))
