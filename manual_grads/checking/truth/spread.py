"""How far noise moves a result: its conditioning; and where noise changes it altogether, as at a kink or a pole."""

import numpy as np
from jaxtyping import Float

from manual_grads.checking.arrays import Entries, Leaf, Rows, along_leaf, rows_of

NOISE_NUMBERS = 4099  # in a pattern; reused cyclically
PATTERNS = 5  # of noise, each with its opposite, so that a kink is seen from both sides
JUMP = 0.05  # of the largest entry: noise of an ULP that moves an entry so far has changed it altogether
# Times its size at usual points: a result that noise of an ULP takes so far beyond is beside a pole, not at a kink.
POLE = 10.0

# A leaf of the results under each pattern of noise, none being the first.
Patterns = Float[np.ndarray, "points patterns *leaf"]


def patterns_of_noise(pairs: int = PATTERNS) -> Float[np.ndarray, "patterns numbers"]:
    """None, and pairs of opposites."""
    half = np.random.default_rng(0).uniform(-1, 1, (pairs, NOISE_NUMBERS))
    return np.concatenate([np.zeros((1, NOISE_NUMBERS)), half, -half])


def spread_of(patterns: Patterns) -> Leaf:
    """How far noise moves each entry; infinitely far, where it makes a finite one NaN or infinite.

    Of the patterns that are finite, if each or its opposite is: at the edge of a domain, noise on one side of it says
    enough.
    """
    centre = np.where(np.isfinite(patterns[:, :1]), patterns[:, :1], np.nan)
    with np.errstate(invalid="ignore"):
        centre = np.where(np.isnan(centre), patterns[:, 1:2], centre)
        distance = np.abs(patterns - centre)
    spread = np.max(np.where(np.isfinite(distance), distance, 0), axis=1)
    finite, opposite = np.split(np.isfinite(patterns[:, 1:]), 2, axis=1)
    unmeasured = np.isfinite(patterns[:, 0]) & ~np.all(finite | opposite, axis=1)
    return np.where(unmeasured, np.inf, spread)


def jumps(patterns: Patterns) -> Entries:
    """Where noise changes the derivative altogether, as at a kink: nothing can be said there."""
    spread = spread_of(patterns)
    largest = np.max(np.nan_to_num(np.abs(patterns), nan=0), tuple(range(1, patterns.ndim)))
    return spread > JUMP * along_leaf(largest, spread)


def scaled_spread(patterns: Patterns, magnification: float) -> Leaf:
    """The spread under noise that was so many times larger than it should be; a jump's doesn't depend on that."""
    spread = spread_of(patterns)
    return spread if magnification == 1 else np.where(jumps(patterns), spread, spread / magnification)


def near_pole(patterns: Patterns, usual: float) -> Rows:
    """Where noise takes the whole result far beyond its usual size, or to NaN, as where a matrix is singular.

    Nothing can be said of any entry there: those that noise leaves alone are NaN, where another is infinite. At the
    edge of a domain, where noise leaves all alone on one side, something can.
    """
    axes = tuple(range(2, patterns.ndim))
    largest = np.max(np.where(np.isnan(patterns), 0, np.abs(patterns)), axes, initial=0)
    largest[:, 1:][np.isnan(patterns[:, 1:]).all(axes)] = np.inf
    far = (largest.max(1) > 2 * largest.min(1)) & (largest.max(1) > POLE * usual)
    return far & rows_of(jumps(patterns))
