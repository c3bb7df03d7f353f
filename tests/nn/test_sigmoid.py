"""`nn.sigmoid` in place of `jax.nn.sigmoid`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads as mg
from manual_grads import nn
from tests.nn.peers import assert_same, residuals
from tests.quick import quick_jit


def test_value_and_derivatives_are_those_of_jax():
    assert_same(nn.sigmoid, np.array([[-3.0, 0.25, 1.5], [7.0, 0.0, -0.1]]))


@pytest.mark.smoke
def test_third_derivative_at_zero():
    """An even σ' whose formula has |x| in it: differentiated by autodiff, its curvature at 0 would be lost."""
    third = quick_jit(jax.grad(jax.grad(jax.grad(nn.sigmoid))))
    np.testing.assert_allclose(third(0.0), -1 / 8, rtol=1e-6)


@pytest.mark.parametrize("x", [17.0, 40.0, 86.0])
def test_derivatives_keep_their_digits_in_the_tails(x):
    first = np.exp(-x) / (1 + np.exp(-x)) ** 2  # in float64
    np.testing.assert_allclose(jax.jit(jax.grad(nn.sigmoid))(x), first, rtol=1e-6)  # 8 ULP; jax.nn's is 0
    np.testing.assert_allclose(jax.jit(jax.grad(jax.grad(nn.sigmoid)))(x), -first * np.tanh(x / 2), rtol=1e-6)


def test_the_second_derivative_keeps_its_digits_near_zero():
    np.testing.assert_allclose(jax.grad(jax.grad(nn.sigmoid))(1e-4), -np.tanh(5e-5) / 4, rtol=1e-6)  # 1 − 2σ cancels


@pytest.mark.smoke
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_dtypes_and_what_is_kept(dtype):
    x = jnp.linspace(-9, 9, 64, dtype=dtype)
    assert nn.sigmoid(x).dtype == dtype
    assert residuals(nn.sigmoid, x) == [((64,), dtype)]
    np.testing.assert_array_equal(nn.sigmoid(x), mg.sigmoid(x))
    np.testing.assert_array_equal(jax.grad(lambda x: nn.sigmoid(x).sum())(x), mg.sigmoid_grad(x))


@pytest.mark.smoke
def test_weak_types_stay_weak():
    assert nn.sigmoid(1.0).weak_type
    assert (nn.sigmoid(1.0) * jnp.bfloat16(1)).dtype == jnp.bfloat16


def test_only_floats():
    with pytest.raises(TypeError, match="x has dtype int32, expected a floating one"):
        nn.sigmoid(jnp.array([1, 2]))
