"""Where `jax.grad` returns exact zeros, the formulas don't; and no finite logits overflow."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads as mg

BOTH = pytest.mark.parametrize("call", [lambda f: f, jax.jit], ids=["eager", "jit"])
# A few units in the last place; a form that cancels is wrong by 100 % here.
RTOL = 1e-6


@BOTH
@pytest.mark.parametrize("z", [17.0, 20.0, 50.0, 86.0])
def test_sigmoid_grad_keeps_its_digits_in_both_tails(call, z):
    want = np.exp(-z) / (1 + np.exp(-z)) ** 2  # in float64
    np.testing.assert_allclose(call(mg.sigmoid_grad)(jnp.array([z, -z])), [want, want], rtol=RTOL)
    assert call(jax.grad(jax.nn.sigmoid))(z) == 0.0  # what it is compared with


@pytest.mark.parametrize("one_hot", [False, True], ids=["integer", "one-hot"])
@pytest.mark.parametrize(("classes", "call"), [(3, lambda f: f), (2, jax.jit), (1000, jax.jit), (100_000, jax.jit)])
def test_cross_entropy_of_a_saturated_label(call, one_hot, classes):
    logits = np.zeros(classes, np.float32)
    logits[0] = 20
    small = 1 / (np.exp(20.0) + classes - 1)
    label = (np.arange(classes) == 0).astype(np.float32) if one_hot else 0
    gradient = np.full(classes, small)
    gradient[0] = -(classes - 1) * small
    loss = np.log1p((classes - 1) * np.exp(-20.0))

    def all_three(s):
        return mg.softmax_cross_entropy_grad(s, label), mg.softmax_cross_entropy(s, label), mg.log_softmax(s)[0]

    for got, want in zip(call(all_three)(logits), (gradient, loss, -loss), strict=True):
        np.testing.assert_allclose(got, want, rtol=RTOL)


@pytest.mark.smoke
def test_jacobian_and_its_products_where_one_class_has_nearly_everything():
    logits = jnp.array([20.0, 0.0, -1.0])
    e = np.exp([20.0, 0.0, -1.0])
    g = e / e.sum()
    jacobian = -np.outer(g, g)
    jacobian[np.diag_indices(3)] = [g[0] * (g[1] + g[2]), g[1] * (g[0] + g[2]), g[2] * (g[0] + g[1])]
    t = np.array([1.0, 2.0, 3.0])

    @jax.jit
    def matrices_and_products(s):
        products = mg.softmax_jvp(s, t), mg.softmax_vjp(s, t), mg.softmax_cross_entropy_hvp(s, 0, t)
        return (mg.softmax_jacobian(s), mg.softmax_cross_entropy_hessian(s, 0)), products

    matrices, products = matrices_and_products(logits)
    for got in matrices:
        np.testing.assert_allclose(got, jacobian, rtol=RTOL)
    for got in products:
        np.testing.assert_allclose(got, jacobian @ t.astype(float), rtol=RTOL)


def test_network_with_saturated_hidden_units_and_labels():
    x, A, B = jnp.array([1.0]), jnp.array([[20.0], [-20.0]]), jnp.array([[30.0, 0.0], [0.0, 1.0]])
    gradients = jax.jit(lambda x, A, B: mg.two_layer_grads(x, A, B, 0))
    _, dA, dB = gradients(x, A, B)
    with jax.enable_x64(True):
        x64, A64, B64 = (np.asarray(a, np.float64) for a in (x, A, B))
        _, want_dA, want_dB = gradients(x64, A64, B64)
        true_dv = 1 / (1 + np.exp(30 * (1 / (1 + np.exp(-20.0))) - 1 / (1 + np.exp(20.0))))
        np.testing.assert_allclose(want_dB[1, 0], true_dv / (1 + np.exp(-20.0)), rtol=1e-12)
    # v = 30 is rounded by up to 1e-6, and exp makes that a relative error; a form that cancels is wrong by 100 %.
    np.testing.assert_allclose(dB, want_dB, rtol=5e-6)
    np.testing.assert_allclose(dA, want_dA, rtol=5e-6)
    assert np.all(np.asarray(dA) != 0)
    assert np.all(np.asarray(dB) != 0)


@pytest.mark.smoke
def test_large_offsets_cancel_exactly():
    logits = jnp.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(mg.softmax(logits + 2.0**20), mg.softmax(logits))
    np.testing.assert_array_equal(mg.softmax_jacobian(logits - 2.0**20), mg.softmax_jacobian(logits))
    np.testing.assert_array_equal(mg.log_softmax(logits + 2.0**20), mg.log_softmax(logits))
