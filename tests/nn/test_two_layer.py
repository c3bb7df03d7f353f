"""`nn.two_layer_loss`: JAX's gradient through it is the one by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads as mg
from manual_grads import nn
from manual_grads.formulas.two_layer import network
from manual_grads.rules import Sizes
from tests.quick import quick_jit


@pytest.mark.parametrize("dtype", [pytest.param("bfloat16", marks=pytest.mark.slow), "float32"])
@pytest.mark.parametrize("soft_labels", [False, True], ids=["integer", "distribution"])
def test_value_and_gradients_are_those_by_hand(dtype, soft_labels):
    args = network(jax.random.key(0), jnp.dtype(dtype), Sizes(batch=(2, 3), soft_labels=soft_labels))
    value, gradients = quick_jit(jax.value_and_grad(lambda *args: nn.two_layer_loss(*args).sum(), (0, 1, 2)))(*args)
    rtol = 1e-5 if dtype == "float32" else 0.02  # sums of a few terms that cancel: some hundred and some ULP
    loss, by_hand = quick_jit(lambda *args: (mg.two_layer_loss(*args).sum(), mg.two_layer_grads(*args)))(*args)
    np.testing.assert_allclose(float(value), float(loss), rtol=rtol)
    for got, want in zip(gradients, by_hand, strict=True):
        assert got.dtype == dtype
        got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
        np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol * np.abs(want).max())


@pytest.mark.smoke
def test_hessian_vector_product_is_that_of_the_plain_network():
    from manual_grads.formulas import plain

    with jax.enable_x64(True):
        x, A, B, labels = network(jax.random.key(1), jnp.dtype("float64"), Sizes(batch=(3,)))

        def product(loss):
            gradient = jax.grad(lambda A, B: loss(x, A, B, labels).sum(), (0, 1))
            return quick_jit(lambda *args: jax.jvp(gradient, args, jax.tree.map(jnp.sin, args))[1])(A, B)

        for got, want in zip(product(nn.two_layer_loss), product(plain.two_layer_loss), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="A has shape"):
        nn.two_layer_loss(jnp.zeros(3), jnp.zeros((2, 4)), jnp.zeros((5, 2)), 0)
