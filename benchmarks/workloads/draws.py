"""Random inputs: NumPy's float32, as a user's data are."""

from collections.abc import Callable

import numpy as np

from benchmarks.workload import Inputs

Draw = Callable[[np.random.Generator], Inputs]

SCALE = 2.0  # of the logits: the softmax is neither flat nor saturated
LARGEST = {
    "random": 12.0,
    "peaked": 40.0,
    "one above 64": 70.0,
}  # logits, by kind of inputs: 6 SCALE, and what is added


def normal(random: np.random.Generator, *shape: int, scale: float = 1.0) -> np.ndarray:
    """Independent normal numbers."""
    return random.standard_normal(shape, np.float32) * np.float32(scale)


def indices(random: np.random.Generator, count: int, classes: int) -> np.ndarray:
    """A class for each example."""
    return random.integers(0, classes, count, np.int32)


def logits(random: np.random.Generator, kind: str, batch: int, classes: int) -> np.ndarray:
    """Logits of one kind.

    - "random": normal.
    - "peaked": in every other example one class is far above the rest, as at the end of training. Were it so in all, no
      digit of autodiff's float32 gradient would be right, and there would be nothing to time.
    - "one above 64": a single logit of the batch is 70, for which some formulas here take another, slower way.
    """
    s = normal(random, batch, classes, scale=SCALE)
    if kind == "peaked":
        s[np.arange(0, batch, 2), indices(random, batch, classes)[::2]] += 28
    elif kind == "one above 64":
        s[0, 0] = 70
    return s


def distribution(random: np.random.Generator, batch: int, classes: int) -> np.ndarray:
    """A distribution over the classes for each example."""
    weights = random.random((batch, classes), np.float32)
    return weights / weights.sum(-1, keepdims=True)
