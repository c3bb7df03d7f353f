"""What is expected of one leaf, by oracles that are plain functions: twice x, at eight points of three entries."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from manual_grads.checking.arrays import quiet
from manual_grads.checking.formats import TrialFormat
from manual_grads.checking.truth.expected import expected
from tests.checking.records import oracles_of

EPS = 2.0**-52
X = np.random.default_rng(0).normal(size=(8, 3))
NAMES = [f"point {i}" for i in range(8)]
USUAL = np.ones(8, bool)
FIRST = np.arange(8) == 0
NO_KINK: dict[str, Any] = {"value": lambda x: (np.asarray(x) ** 2).sum(1)}
KINK: dict[str, Any] = {"value": lambda x: np.abs(np.asarray(x) - X).sum(1) + 1}  # at every point


def double(x):
    return 2 * np.asarray(x)


def at_first(there, elsewhere=double):
    """A derivative that is another one at the first point."""
    return lambda x: np.where((np.asarray(x) == X[:1]).all(1, keepdims=True), there, elsewhere(x))


def under_noise(move, derivative=double):
    """An oracle that noise moves: `move(u * noise)` for the first number of each pattern, times each entry."""
    return lambda u, noise, x: derivative(x)[:, None] * (1 + move(u * noise[:, :1]))


def kicked(entries) -> dict[str, Any]:
    """Noise of any size moves these entries of the first point by all that they are, each time elsewhere."""
    return _moved(entries, lambda u, noise: np.sign(np.sin(1e16 * u * noise)))


def kinked(entries) -> dict[str, Any]:
    """As `kicked`, but it depends on the side alone."""
    return _moved(entries, lambda u, noise: np.sign(noise))


def _moved(entries, by) -> dict[str, Any]:
    def claimed(u, noise, x):
        kick = by(u, noise[:, :1]) * np.asarray(entries)
        return double(x)[:, None] * (1 + np.where(FIRST[:, None, None], kick, 0))

    return {"claimed": claimed}


def leaf_of(dtype="float64", usual=USUAL, points=X, derivative=double, **oracles: Any):
    fmt = TrialFormat(dtype, [np.dtype(jnp.dtype(dtype))])
    with quiet():
        found = expected(oracles_of(derivative, **(NO_KINK | oracles)), [points], NAMES, usual, fmt)
    return found.leaves[0], found
