"""Whether a contender computes what it is meant to: before anything is timed."""

import numpy as np


def error(got: list[np.ndarray], want: list[np.ndarray]) -> float:
    """The largest difference, relative to the largest entry of its array; ∞ for NaN, and for arrays that don't match.

    It is not relative to each entry: autodiff loses small ones altogether (`manual-grads accuracy` is about that), and
    is timed all the same.
    """
    if [a.shape for a in got] != [a.shape for a in want]:
        return float("inf")
    return max((array_error(a, b) for a, b in zip(got, want, strict=True)), default=0.0)


def array_error(got: np.ndarray, want: np.ndarray) -> float:
    """The same, of one array."""
    if want.size == 0:
        return 0.0
    scale = float(max(want.max(), -want.min()))
    if got.dtype.itemsize < 4:
        got = got.astype(np.float32)  # NumPy doesn't subtract bfloat16
    difference = np.subtract(got, want, dtype=np.float64)
    worst = float(max(difference.max(), -difference.min())) / (scale or 1.0)
    return worst if np.isfinite(worst) else float("inf")
