"""The loss in a training step: tied embeddings, padded batches, gradients added up over small batches, optax."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from manual_grads.nn import linear_softmax_cross_entropy
from tests.nn.linear_cross_entropy.dense import dense
from tests.quick import quick_jit

VOCABULARY, WIDTH, LENGTH, BATCH, PAD = 101, 16, 7, 6, 0
NUMBERS: dict[str, Any] = {"label_smoothing": 0.1, "z_loss": 1e-3, "soft_cap": 20.0}


def model(random, dtype):
    """A language model of one layer, whose embedding is its last layer, too."""
    return {
        "embedding": jnp.asarray(random.normal(0, 0.3, (VOCABULARY, WIDTH)), dtype),
        "mix": jnp.asarray(random.normal(0, WIDTH**-0.5, (WIDTH, WIDTH)), dtype),
        "bias": jnp.zeros(VOCABULARY, jnp.float32),
        "scale": jnp.float32(1.5),
    }


def tokens(random):
    """Sequences of different lengths, padded."""
    text = random.integers(1, VOCABULARY, (BATCH, LENGTH + 1))
    return np.where(np.arange(LENGTH + 1) < random.integers(3, LENGTH + 2, (BATCH, 1)), text, PAD)


def features(weights, text):
    """What the last layer is given: each token's embedding, mixed with those before it."""
    x = weights["embedding"][text[:, :-1]]
    return jnp.tanh(jnp.cumsum(x, 1) @ weights["mix"].T)


def ours(weights, text, reduction="mean"):
    """The next token's loss; tokens that are padding aren't predicted."""
    head: dict[str, Any] = {"bias": weights["bias"], "logit_scale": weights["scale"], "ignore_index": PAD}
    head["reduction"] = reduction
    h = features(weights, text)
    return linear_softmax_cross_entropy(h, weights["embedding"], text[:, 1:], **head, **NUMBERS)


def theirs(weights, text, reduction="mean"):
    """The same of all logits at once."""
    h, y = features(weights, text), text[:, 1:]
    keep, ones = y != PAD, jnp.ones(VOCABULARY)
    layer = h, weights["embedding"], weights["bias"], weights["scale"]
    return dense(*layer, ones, y, **NUMBERS, keep=keep, reduction=reduction)


def trained(loss, weights, text, steps):
    """The losses of some steps of Adam."""
    optimizer = optax.adam(1e-2)

    @quick_jit
    def step(weights, state):
        value, gradient = jax.value_and_grad(loss)(weights, text)
        update, state = optimizer.update(gradient, state, weights)
        return optax.apply_updates(weights, update), state, value

    state, losses = optimizer.init(weights), []
    for _ in range(steps):
        weights, state, value = step(weights, state)
        losses.append(float(value))
    return np.array(losses)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_head_tied_to_the_embedding_learns_as_the_dense_one_does(dtype):
    random = np.random.default_rng(0)
    weights, text = model(random, dtype), jnp.asarray(tokens(random))
    losses, want = (trained(loss, weights, text, steps=30) for loss in (ours, theirs))
    assert losses[-1] < losses[0] - 0.5
    # Adam divides by the gradient's size, so that in bfloat16 a rounding may turn a step of 1e-2 around.
    np.testing.assert_allclose(losses, want, rtol=1e-4 if dtype == "float32" else 3e-2)


@pytest.mark.smoke
def test_gradients_added_up_over_small_batches_are_the_large_batch_s():
    """A sum over each, divided by the number of tokens that are predicted: means of means would weigh them unevenly."""
    random = np.random.default_rng(1)
    weights, text = model(random, "float32"), jnp.asarray(tokens(random))

    @quick_jit
    def accumulated(weights):
        def add(total, part):
            return jax.tree.map(jnp.add, total, jax.grad(partial(ours, reduction="sum"))(weights, part)), None

        total, _ = jax.lax.scan(add, jax.tree.map(jnp.zeros_like, weights), text.reshape(3, 2, -1))
        return jax.tree.map(lambda x: x / (text[:, 1:] != PAD).sum(), total)

    want = quick_jit(jax.grad(theirs))(weights, text)
    for got, true in zip(*map(jax.tree.leaves, (accumulated(weights), want)), strict=True):
        np.testing.assert_allclose(got, true, rtol=1e-4, atol=1e-6)


def test_a_head_in_equinox():
    """A module whose head is its embedding, padded to a multiple of 8 classes by a bias of −∞."""
    eqx = pytest.importorskip("equinox")

    class Head(eqx.Module):
        embedding: jax.Array
        bias: jax.Array

        def __call__(self, h, y):
            padding = -len(self.bias) % 8
            weights = jnp.pad(self.embedding, ((0, padding), (0, 0)))
            bias = jnp.pad(self.bias, (0, padding), constant_values=-jnp.inf)
            return linear_softmax_cross_entropy(h, weights, y, bias=bias, label_smoothing=0.0, block_classes=24)

    random = np.random.default_rng(2)
    h = jnp.asarray(random.normal(size=(12, WIDTH)), jnp.float32)
    y = random.integers(0, VOCABULARY, 12)
    head = Head(jnp.asarray(random.normal(size=(VOCABULARY, WIDTH)), jnp.float32), jnp.linspace(-1, 1, VOCABULARY))
    value, gradient = eqx.filter_jit(eqx.filter_value_and_grad(lambda head: head(h, y)))(head)

    def plain(embedding, bias):
        return optax.softmax_cross_entropy_with_integer_labels(h @ embedding.T + bias, y).mean()

    want, wanted = jax.value_and_grad(plain, (0, 1))(head.embedding, head.bias)
    np.testing.assert_allclose(value, want, rtol=1e-6)
    np.testing.assert_allclose(gradient.embedding, wanted[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(gradient.bias, wanted[1], rtol=1e-4, atol=1e-6)
