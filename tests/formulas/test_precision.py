"""Products of full precision on a GPU or TPU, which no value on a CPU shows; and formats that are not rounded early."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads as mg
from manual_grads import nn
from manual_grads.rules import RULES, Sizes
from tests.registry import RULES_AND_LABELS

# Ax, Bσ and, backward, Bᵀ(g − y), Aᵀδ, δxᵀ, (g − y)σᵀ; and the mean class of a distribution, or of a softmax. Of a
# single layer Bh, GᵀB and Ghᵀ.
PRODUCTS = {
    "two_layer_loss": (2, 2),
    "two_layer_grads": (6, 7),
    "two_layer_vjp": (6, 7),
    "two_layer_jacobians": (2, 3),
    "linear_softmax_cross_entropy_grads": (3, 3),
    "softmax_jvp": (1, 1),
    "softmax_vjp": (1, 1),
    "softmax_cross_entropy_hvp": (1, 1),
    **dict.fromkeys([f"softmax_cross_entropy_{what}" for what in ("grad", "vjp", "jvp")], (0, 1)),
}


@pytest.mark.parametrize(("rule", "soft_labels"), RULES_AND_LABELS)
def test_every_product_is_of_full_precision(rule, soft_labels):
    args = rule.example(jax.random.key(0), jnp.dtype("float32"), Sizes(batch=(2,), soft_labels=soft_labels))
    text = jax.jit(rule.manual).lower(*args).as_text()
    assert text.count("dot_general") == PRODUCTS.get(rule.name, (0, 0))[soft_labels]
    assert text.count("precision = [HIGHEST, HIGHEST]") == text.count("dot_general")


@pytest.mark.smoke
def test_every_product_of_the_network_is_of_full_precision_through_nn():
    args = RULES["two_layer_grads"].example(jax.random.key(0), jnp.dtype("float32"), Sizes(batch=(2,)))
    gradients = jax.grad(lambda *args: nn.two_layer_loss(*args).sum(), (0, 1, 2))
    text = jax.jit(gradients).lower(*args).as_text()
    assert text.count("precision = [HIGHEST, HIGHEST]") == text.count("dot_general") == 6


@pytest.mark.parametrize("logits", ["bfloat16", "float16"])
def test_soft_labels_are_not_rounded_to_narrower_logits(logits):
    """At equal logits the gradient is half the difference of the labels, of which either format keeps nothing."""
    s, y = jnp.zeros(2, logits), jnp.array([1, 1 + 2.0**-12])
    np.testing.assert_array_equal(mg.softmax_cross_entropy_grad(s, y), jnp.array([2.0**-13, -(2.0**-13)], logits))
    np.testing.assert_array_equal(mg.softmax_cross_entropy_jvp(s, y, jnp.array([1, -1], logits)), 2.0**-12)


@pytest.mark.parametrize("wide", [0, 1, 2], ids=["x", "A", "B"])
@pytest.mark.parametrize("loss", [mg.two_layer_loss, nn.two_layer_loss], ids=["formula", "nn"])
def test_the_network_s_loss_is_of_the_widest_of_its_arguments_formats(loss, wide):
    shapes = (5,), (4, 5), (3, 4)
    x, A, B = (jnp.ones(shape, "float32" if i == wide else "bfloat16") for i, shape in enumerate(shapes))
    value = loss(x, A, B, 0)
    assert value.dtype == "float32"
    assert {factor.dtype.name for factor in mg.two_layer_jacobians(x, A, B, 0)} == {"float32"}
    np.testing.assert_allclose(value, np.log(3), rtol=1e-6)


@pytest.mark.parametrize("soft", [False, True], ids=["index", "distribution"])
def test_the_example_s_labels(soft):
    """A derivation that assumes Σy = 1 must fail on them, and none of the weights may hide."""
    sizes = Sizes(batch=(50,), soft_labels=soft)
    labels = np.asarray(RULES["logloss"].example(jax.random.key(0), jnp.dtype("float32"), sizes)[1])
    if soft:
        assert (abs(labels.sum(-1) - 1) > 0.01).mean() > 0.9
        assert labels.min() > 0.05
    else:
        assert set(labels) == {0, 1, 2}
