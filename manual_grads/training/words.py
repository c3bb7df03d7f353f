"""A small language model of this package's own source: many classes, padding, a bias, smoothed labels, in bfloat16."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

import manual_grads
from manual_grads import nn
from manual_grads.training.digits import Weights, step_by

WORD = re.compile(r"\w+|[^\w\s]")
# Words of a line that are read, those that a word is predicted from, and lines of a batch.
LENGTH, CONTEXT, BATCH = 16, 2, 48
HIDDEN, SMOOTHING, LEARNING_RATE, STEPS = 32, 0.1, 0.05, 60
# What is to be gained over the words' frequencies, in nats a word: half of what is gained in so few steps.
GAIN = 0.5
# Each way rounds the gradient by the logits to bfloat16, by 2⁻⁹ of it at most: that part of the gain may differ.
CLOSE = 2.0**-9
# No word; and the label of none, which takes no part.
NONE, IGNORED = 0, -100
# One line in so many is held out.
HELD_OUT = 10


class Text(NamedTuple):
    """Lines of words as numbers: for each word those before it, and itself as the label; IGNORED after a line's end."""

    before: np.ndarray  # lines × LENGTH × CONTEXT
    labels: np.ndarray  # lines × LENGTH


class Run(NamedTuple):
    """What one way of training came to."""

    losses: list[float]  # of each step's batch, before the step; with smoothed labels
    held_out_loss: float  # of each word of the lines held out, in nats, without smoothing
    accuracy: float  # of the words of the lines held out
    temporary_bytes: int  # that a step takes


class Words(NamedTuple):
    """The ways of training on the same text, and what is reached without any."""

    classes: int
    padding: float  # the share of labels that take no part
    frequencies_loss: float  # of the lines held out, in nats, by how often each word stands in the others
    runs: dict[str, Run]

    @property
    def met(self) -> dict[str, bool]:
        """Which ways have learned more than the words' frequencies."""
        return {name: run.held_out_loss <= self.frequencies_loss - GAIN for name, run in self.runs.items()}

    @property
    def allowed(self) -> float:
        """How far apart the ways' losses may be."""
        return CLOSE * max(max(run.losses) - min(run.losses) for run in self.runs.values())


def texts() -> tuple[Text, Text, int]:
    """This package's source, the lines that are held out, and how many words there are."""
    source = Path(manual_grads.__file__).parent
    files = (file.read_text(encoding="utf-8") for file in sorted(source.rglob("*.py")))
    lines = [words for file in files for line in file.splitlines() if (words := WORD.findall(line)[:LENGTH])]
    number = {word: i for i, word in enumerate(sorted({word for line in lines for word in line}), start=NONE + 1)}
    padded = np.full((len(lines), CONTEXT + LENGTH), NONE, np.int32)
    for row, line in zip(padded, lines, strict=True):
        row[CONTEXT : CONTEXT + len(line)] = [number[word] for word in line]
    before = np.stack([padded[:, i : i + LENGTH] for i in range(CONTEXT)], axis=-1)
    labels = np.where(padded[:, CONTEXT:] == NONE, IGNORED, padded[:, CONTEXT:])
    held_out = np.arange(len(lines)) % HELD_OUT == 0
    return Text(before[~held_out], labels[~held_out]), Text(before[held_out], labels[held_out]), len(number) + 1


def by_tiles(hidden: Array, B: Array, bias: Array, labels: Array) -> Array:
    """The mean loss of the words, from a tile of logits at a time."""
    return nn.linear_softmax_cross_entropy(
        hidden, B, labels, bias=bias, label_smoothing=SMOOTHING, ignore_index=IGNORED
    )


def dense(hidden: Array, B: Array, bias: Array, labels: Array) -> Array:
    """The same of all words' logits at once, as JAX and optax compute it."""
    logits = jnp.matmul(hidden, B.T, preferred_element_type=jnp.float32) + bias
    kept = labels != IGNORED
    targets = optax.smooth_labels(jax.nn.one_hot(jnp.where(kept, labels, 0), len(B)), SMOOTHING)
    return jnp.where(kept, optax.softmax_cross_entropy(logits, targets), 0).sum() / kept.sum()


WAYS = {"nn.linear_softmax_cross_entropy": by_tiles, "optax, dense": dense}


def layer(weights: Weights, before: Array) -> tuple[Array, Array, Array]:
    """The features of the words before, and the last layer; what is multiplied, in bfloat16."""
    hidden = nn.sigmoid(sum(weights["E"][i][before[..., i]] for i in range(CONTEXT)))
    return hidden.astype(jnp.bfloat16), weights["B"].astype(jnp.bfloat16), weights["b"]


def mean_loss(loss: Callable[..., Array]) -> Callable[..., Array]:
    """The network with one of the losses on top, as a function of its weights."""
    return lambda weights, before, labels: loss(*layer(weights, before), labels)


def start(classes: int, seed: int) -> Weights:
    """Random weights, in float32: steps are smaller than bfloat16 can tell."""
    random = np.random.default_rng(seed)
    return {
        "E": jnp.asarray(random.normal(size=(CONTEXT, classes, HIDDEN)), jnp.float32),
        "B": jnp.asarray(random.normal(0, HIDDEN**-0.5, (classes, HIDDEN)), jnp.float32),
        "b": jnp.zeros(classes, jnp.float32),
    }


def batches(text: Text, seed: int) -> Iterator[Text]:
    """Random lines of a text, as many as steps are made."""
    random = np.random.default_rng(seed)
    for _ in range(STEPS):
        some = random.integers(len(text.labels), size=BATCH)
        yield Text(text.before[some], text.labels[some])


def train(seed: int, advance: Callable[[], Any]) -> Words:
    """Learns which word follows the two before it, by Adam, each way; `advance` is called after each step."""
    text, held_out, classes = texts()
    optimizer, runs = optax.adam(LEARNING_RATE), {}
    for name, loss in WAYS.items():
        weights = start(classes, seed)
        state, losses = optimizer.init(weights), []
        step = step_by(jax.value_and_grad(mean_loss(loss)), optimizer)
        compiled = step.lower(weights, state, *next(batches(text, seed))).compile()
        for batch in batches(text, seed):
            weights, state, value = compiled(weights, state, *batch)
            losses.append(float(value))
            advance()
        bytes_taken = compiled.memory_analysis().temp_size_in_bytes
        runs[name] = Run(losses, *on(held_out, weights), temporary_bytes=bytes_taken)
    return Words(classes, float((text.labels == IGNORED).mean()), frequencies_loss(text, held_out, classes), runs)


def on(text: Text, weights: Weights) -> tuple[float, float]:
    """The mean loss of a text's words, without smoothing, and the share of those that are predicted."""
    before, labels = jnp.asarray(text.before), jnp.asarray(text.labels)
    evaluate = jax.jit(
        lambda weights: nn.linear_softmax_cross_entropy(
            *layer(weights, before)[:2], labels, bias=weights["b"], ignore_index=IGNORED, has_aux=True
        )
    )
    loss, aux = evaluate(weights)
    return float(loss), float((aux.prediction == labels).sum() / (labels != IGNORED).sum())


def frequencies_loss(text: Text, held_out: Text, classes: int) -> float:
    """The mean loss of words that are predicted by how often each stands in another text, once more than it does."""
    counts = 1 + np.bincount(text.labels[text.labels != IGNORED], minlength=classes)
    words = held_out.labels[held_out.labels != IGNORED]
    return float(-np.log(counts / counts.sum())[words].mean())
