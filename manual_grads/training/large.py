"""A last layer of many classes, trained without the logits of all of them: the loss, and the memory that it takes."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from manual_grads import nn
from manual_grads.training.digits import Weights, step_by

EXAMPLES, HIDDEN, CLASSES, LEARNING_RATE = 512, 32, 30_011, 0.03


class Large(NamedTuple):
    """The losses of two ways to train, step by step, and the bytes of temporaries that a step of each takes."""

    losses: dict[str, list[float]]
    temporary_bytes: dict[str, int]


def by_tiles(hidden: Array, B: Array, labels: Array) -> Array:
    """The mean loss, from a tile of logits at a time."""
    return nn.linear_softmax_cross_entropy(hidden, B, labels)


def dense(hidden: Array, B: Array, labels: Array) -> Array:
    """The same of all examples' logits at once, as JAX and optax compute it."""
    return optax.softmax_cross_entropy_with_integer_labels(hidden @ B.T, labels).mean()


WAYS = {"nn.linear_softmax_cross_entropy": by_tiles, "optax, dense": dense}


def train(steps: int, seed: int, advance: Callable[[], Any]) -> Large:
    """Learns which of many classes each of some random vectors was made from, by Adam."""
    random = np.random.default_rng(seed)
    labels = jnp.asarray(random.integers(CLASSES, size=EXAMPLES), jnp.int32)
    x = jnp.asarray(random.normal(0, 1, (EXAMPLES, HIDDEN)), jnp.float32)
    weights = {
        "W": jnp.asarray(random.normal(0, HIDDEN**-0.5, (HIDDEN, HIDDEN)), jnp.float32),
        "B": jnp.asarray(random.normal(0, HIDDEN**-0.5, (CLASSES, HIDDEN)), jnp.float32),
    }
    result = Large({}, {})
    optimizer = optax.adam(LEARNING_RATE)
    for name, loss in WAYS.items():
        now, state = weights, optimizer.init(weights)
        step = step_by(jax.value_and_grad(partial(mean_loss, loss)), optimizer).lower(now, state, x, labels).compile()
        result.temporary_bytes[name] = step.memory_analysis().temp_size_in_bytes
        result.losses[name] = []
        for _ in range(steps):
            now, state, value = step(now, state, x, labels)
            result.losses[name].append(float(value))
            advance()
    return result


def mean_loss(loss: Callable[..., Array], weights: Weights, x: Array, labels: Array) -> Array:
    """A network of one hidden layer, with one of the losses on top."""
    return loss(nn.sigmoid(x @ weights["W"].T), weights["B"], labels)
