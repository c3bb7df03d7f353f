"""Task 21's last layer for many classes: the mean loss R(B·h), and its gradients with respect to h and B."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from benchmarks import torch_peers
from benchmarks.programs import by_jax
from benchmarks.workload import Inputs, Workload
from benchmarks.workloads.draws import indices, normal
from manual_grads import nn
from manual_grads.formulas import plain

LOGITS_BYTES = 2**32  # in float64, beyond which there is no reference
ROWS = 64  # examples at a time, for the contenders that go through them


def linear_cross_entropy(examples: int, hidden: int, classes: int) -> Workload:
    """The value and both gradients; the logits have variance one."""

    def draw(random: np.random.Generator) -> Inputs:
        h = normal(random, examples, hidden)
        B = normal(random, classes, hidden, scale=hidden**-0.5)
        return h, B, indices(random, examples, classes)

    huge = 8 * examples * classes > LOGITS_BYTES
    return Workload(
        family="large-class loss",
        sizes={"N": examples, "H": hidden, "K": classes},
        inputs="random",
        draw=draw,
        contenders=(
            by_jax("by hand", "hand", with_gradients(nn.linear_softmax_cross_entropy)),
            by_jax("dense, plain", "autodiff", with_gradients(dense(plain.softmax_cross_entropy))),
            by_jax("dense, optax", "autodiff", with_gradients(dense(OPTAX))),
            by_jax("rows checkpointed, optax", "autodiff", with_gradients(checkpointed_rows)),
            by_jax("dense, through nn", "drop-in", with_gradients(dense(nn.softmax_cross_entropy_with_integer_labels))),
            by_jax(f"by hand, {ROWS} rows at a time", "hand", with_gradients(BY_ROWS)),
            *torch_peers.linear_cross_entropy(with_dense=not huge),
        ),
        reference=None if huge else with_gradients(dense(plain.softmax_cross_entropy)),
        flops=6 * examples * hidden * classes,
        terms=2 * hidden + 2 * classes + examples,
        largest_logit=6,
    )


def linear_cross_entropy_with_options(examples: int, hidden: int, classes: int) -> Workload:
    """The same with a bias, label smoothing, z-loss and a soft cap; `hidden` and `weights` are differentiated."""
    plain_one = linear_cross_entropy(examples, hidden, classes)

    def with_bias(random: np.random.Generator) -> Inputs:
        return *plain_one.draw(random), normal(random, classes)

    def by_hand(hidden: Array, weights: Array, labels: Array, bias: Array) -> Array:
        return nn.linear_softmax_cross_entropy(hidden, weights, labels, bias=bias, **OPTIONS)

    return plain_one._replace(
        family="large-class loss with options",
        draw=with_bias,
        contenders=(
            by_jax("by hand", "hand", with_gradients(by_hand)),
            by_jax("dense, optax", "autodiff", with_gradients(dense_with_options)),
        ),
        reference=None if plain_one.reference is None else with_gradients(dense_with_options),
    )


def dense_with_options(hidden: Array, weights: Array, labels: Array, bias: Array) -> Array:
    """The mean loss with every option, of all logits at once."""
    cap = OPTIONS["soft_cap"]
    s = cap * jnp.tanh((hidden @ weights.T + bias) / cap)
    targets = optax.smooth_labels(jax.nn.one_hot(labels, len(weights), dtype=s.dtype), OPTIONS["label_smoothing"])
    log_z = jax.nn.logsumexp(s, -1)
    return (optax.softmax_cross_entropy(s, targets) + OPTIONS["z_loss"] * log_z**2).mean()


OPTIONS: dict[str, Any] = {"soft_cap": 30.0, "label_smoothing": 0.1, "z_loss": 1e-4}


def with_gradients(loss: Callable[..., Array]) -> Callable[..., tuple[Array, tuple[Array, Array]]]:
    """The loss and its gradients with respect to hidden and weights, as a training step needs them."""
    return jax.value_and_grad(loss, (0, 1))


def dense(loss: Callable[[Array, Array], Array]) -> Callable[[Array, Array, Array], Array]:
    """The mean of a loss of all logits at once."""

    def mean_loss(hidden: Array, weights: Array, labels: Array) -> Array:
        return loss(hidden @ weights.T, labels).mean()

    return mean_loss


OPTAX = optax.softmax_cross_entropy_with_integer_labels
BY_ROWS = partial(nn.linear_softmax_cross_entropy, block_rows=ROWS)


def checkpointed_rows(hidden: Array, weights: Array, labels: Array) -> Array:
    """How to save memory by autodiff alone: some rows at a time, whose logits are computed again for the gradient."""

    @jax.checkpoint
    def some(total: Array, rows: tuple[Array, Array]) -> tuple[Array, None]:
        h, y = rows
        return total + OPTAX(h @ weights.T, y).sum(), None

    blocks = hidden.reshape(-1, ROWS, hidden.shape[-1]), labels.reshape(-1, ROWS)
    return jax.lax.scan(some, jnp.zeros((), hidden.dtype), blocks)[0] / len(labels)
