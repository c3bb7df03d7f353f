"""The document's network on the digits that ship in scikit-learn: three ways to the gradient, from the same start."""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

import manual_grads as mg
from manual_grads import nn
from manual_grads.formulas import plain

HIDDEN, BATCH, LEARNING_RATE = 64, 64, 0.01

Weights = dict[str, Array]
Gradient = Callable[[Weights, Array, Array], tuple[Array, Weights]]


class Digits(NamedTuple):
    """Images as vectors of 64 numbers in [0, 1], with a column of ones for the bias, and their labels."""

    images: np.ndarray
    labels: np.ndarray
    held_out_images: np.ndarray
    held_out_labels: np.ndarray


class Run(NamedTuple):
    """What one way of training came to."""

    losses: list[float]  # of each step's batch, before the step
    accuracy: float  # on the digits held out
    step_seconds: float  # the median


def digits() -> Digits:
    """The 1,797 digits in random order, a fifth of them held out: the same ones for every seed of the training."""
    from sklearn.datasets import load_digits  # slow to import

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    images = np.concatenate([images / 16, np.ones((len(labels), 1))], axis=1).astype(np.float32)[order]
    labels = labels.astype(np.int32)[order]
    held_out = len(labels) // 5
    return Digits(images[held_out:], labels[held_out:], images[:held_out], labels[:held_out])


def by_hand(weights: Weights, x: Array, labels: Array) -> tuple[Array, Weights]:
    """No autodiff at all."""
    _, dA, dB = mg.two_layer_grads(x, **weights, labels=labels)
    loss = mg.two_layer_loss(x, **weights, labels=labels).mean()
    return loss, {"A": dA / len(x), "B": dB / len(x)}


def by_autodiff(loss: Callable[..., Array]) -> Gradient:
    """JAX's gradient of the mean of a loss."""
    return jax.value_and_grad(lambda weights, x, labels: loss(x, **weights, labels=labels).mean())


WAYS: dict[str, Gradient] = {
    "by hand": by_hand,
    "jax.grad of the plain network": by_autodiff(plain.two_layer_loss),
    "jax.grad through nn": by_autodiff(nn.two_layer_loss),
}


def start(seed: int, inputs: int, classes: int) -> Weights:
    """Random weights, of a size that neither saturates nor vanishes."""
    random = np.random.default_rng(seed)
    A = random.normal(0, inputs**-0.5, (HIDDEN, inputs))
    B = random.normal(0, HIDDEN**-0.5, (classes, HIDDEN))
    return {"A": jnp.asarray(A, jnp.float32), "B": jnp.asarray(B, jnp.float32)}


def batches(data: Digits, epochs: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Minibatches of one size, in an order that is new in every epoch; what is left over waits for the next."""
    random = np.random.default_rng(seed)
    for _ in range(epochs):
        order = random.permutation(len(data.labels))
        for first in range(0, len(order) - BATCH + 1, BATCH):
            some = order[first : first + BATCH]
            yield data.images[some], data.labels[some]


def train(data: Digits, epochs: int, seed: int, advance: Callable[[], Any]) -> dict[str, Run]:
    """Adam on the mean log-loss: every way takes a step on a batch before any sees the next, so that times compare."""
    weights = {name: start(seed, data.images.shape[1], classes=10) for name in WAYS}
    optimizer = optax.adam(LEARNING_RATE)
    states = {name: optimizer.init(weights[name]) for name in WAYS}
    steps = {name: step_by(gradient, optimizer) for name, gradient in WAYS.items()}
    losses: dict[str, list[float]] = {name: [] for name in WAYS}
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for x, labels in batches(data, epochs, seed):
        for name, step in steps.items():
            begun = time.perf_counter()
            weights[name], states[name], loss = jax.block_until_ready(step(weights[name], states[name], x, labels))
            seconds[name].append(time.perf_counter() - begun)
            losses[name].append(float(loss))
        advance()
    return {name: Run(losses[name], accuracy(weights[name], data), float(np.median(seconds[name]))) for name in WAYS}


def step_by(gradient: Gradient, optimizer: optax.GradientTransformation) -> Any:
    """One step of training: new weights, the optimizer's new state, and the loss before."""

    @jax.jit
    def step(weights: Weights, state: Any, x: Array, labels: Array) -> tuple[Any, Any, Array]:
        loss, gradients = gradient(weights, x, labels)
        updates, state = optimizer.update(gradients, state, weights)
        return optax.apply_updates(weights, updates), state, loss

    return step


def accuracy(weights: Weights, data: Digits) -> float:
    """The share of the held-out digits whose class has the largest of B σ(Ax), hence the largest probability."""
    scores = mg.sigmoid(data.held_out_images @ weights["A"].T) @ weights["B"].T
    return float((scores.argmax(-1) == data.held_out_labels).mean())
