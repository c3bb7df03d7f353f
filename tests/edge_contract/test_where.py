"""The rows of docs/edge-contract.md on masks in `manual_grads.nn`, jitted; more of each in tests/nn."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads import nn
from tests.quick import quick_jit

nan, inf = jnp.nan, jnp.inf
S, KEPT = jnp.array([[1.0, nan, 2.0, inf]]), jnp.array([[True, False, True, False]])
SOFTMAXES = [nn.softmax, nn.log_softmax]
LOSSES = {
    "index": (nn.softmax_cross_entropy_with_integer_labels, jnp.array([2]), jnp.array([1])),
    "distribution": (nn.softmax_cross_entropy, jnp.array([[0.25, nan, 0.75, inf]]), jnp.array([[0.25, 0.75]])),
}


@pytest.mark.smoke
@pytest.mark.parametrize("function", SOFTMAXES)
def test_classes_left_out_of_a_softmax(function):
    f = partial(function, where=KEPT)
    left_out = 0 if function is nn.softmax else -inf
    want = jnp.full_like(S, left_out).at[:, ::2].set(function(S[:, ::2]))
    np.testing.assert_allclose(quick_jit(f)(S), want, rtol=1e-6)
    want = jnp.zeros((4, 4)).at[::2, ::2].set(quick_jit(jax.jacobian(function))(S[0, ::2]))
    np.testing.assert_allclose(quick_jit(jax.jacobian(f))(S)[0, :, 0], want, rtol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_classes_left_out_of_a_loss(loss):
    f, labels, labels_of_kept = LOSSES[loss]
    value, gradient = quick_jit(jax.value_and_grad(lambda s: f(s, labels, where=KEPT).sum()))(S)
    np.testing.assert_allclose(value, f(S[:, ::2], labels_of_kept).sum(), rtol=1e-6)
    want = quick_jit(jax.grad(lambda s: f(s, labels_of_kept).sum()))(S[:, ::2])
    np.testing.assert_allclose(gradient, jnp.zeros_like(S).at[:, ::2].set(want), rtol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_examples_left_out(loss):
    f, labels, _ = LOSSES[loss]
    labels = -100 + 0 * labels if loss == "index" else labels
    value, gradient = quick_jit(jax.value_and_grad(lambda s: f(s, labels, where=jnp.array([False])).sum()))(S)
    assert value == 0
    assert (gradient == 0).all()


@pytest.mark.smoke
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_examples_left_out_of_a_linear_layer(reduction):
    def loss(h, B):
        y, where = jnp.array([-100, 1]), jnp.array([False, True])
        return nn.linear_softmax_cross_entropy(h, B, y, where=where, reduction=reduction).sum()

    h, B = jnp.array([[nan, inf], [1.0, 2.0]]), jnp.array([[0.5, 1.0], [1.0, 0.0], [0.0, 2.0]])
    value, (dh, dB) = quick_jit(jax.value_and_grad(loss, (0, 1)))(h, B)
    expected = jax.value_and_grad(lambda h, B: nn.linear_softmax_cross_entropy(h, B, 1), (0, 1))
    want, (want_dh, want_dB) = quick_jit(expected)(h[1], B)
    np.testing.assert_allclose(value, want, rtol=1e-6)
    np.testing.assert_allclose(dh, [[0, 0], want_dh], rtol=1e-5)
    np.testing.assert_allclose(dB, want_dB, rtol=1e-5)


@pytest.mark.smoke
def test_label_direction_at_masked_class():
    s, one_hot, unmasked = jnp.array([-inf, 0.0, 1.0]), jnp.array([0.0, 1.0, 0.0]), jnp.array([0.0, 1.0])
    loss = nn.softmax_cross_entropy
    rate = quick_jit(lambda y_dot: jax.jvp(partial(loss, s), (one_hot,), (y_dot,))[1])
    assert rate(jnp.zeros(3)) == 0
    assert rate(jnp.array([0.5, 0.0, 0.0])) == inf
    entropy = quick_jit(jax.grad(lambda s: loss(s, nn.softmax(s))))
    np.testing.assert_allclose(entropy(s), [0, *entropy(unmasked)], rtol=1e-6)
