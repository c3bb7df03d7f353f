"""How wrong a result is: each entry's error as a part of what is allowed, and in ULP."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from manual_grads.checking.truth import Truth


class Worst(NamedTuple):
    """The worst entry of a call's results."""

    ratio: float  # its error as a part of the tolerance; above one is wrong
    ulp: float  # the largest error of an entry, in ULP of it
    leaf: int
    point: int
    place: tuple[int, ...]
    got: float
    want: float


def ulps(error: Any, want: Any, dtype: Any) -> Any:
    """Errors in ULP of the wanted values."""
    info = jnp.finfo(dtype)
    exponent = np.frexp(np.maximum(np.abs(want), float(info.smallest_normal)))[1] - 1
    with np.errstate(all="ignore"):
        return error / np.ldexp(float(info.eps), exponent)


def ratios(got: np.ndarray, truth: Truth, leaf: int, points: Any, extra: Any = 0.0) -> np.ndarray:
    """Each entry's error as a part of its tolerance; 0 where nothing can be said, infinity for NaN."""
    want, also = truth.want[leaf][points], truth.also[leaf][points]
    with np.errstate(all="ignore"):
        error = np.fmin(np.abs(got - want), np.abs(got - also))
        ratio = error / (truth.tolerance[leaf][points] + extra)
    ratio = np.where(np.isnan(ratio), np.where(np.isfinite(got), 0.0, np.inf), ratio)
    return np.where(truth.decided[leaf][points], ratio, 0.0)


def worst(leaves: list[np.ndarray], truth: Truth, points: Any, dtype: Any, extras: Any = None) -> Worst:
    """The worst entry of several results."""
    found = Worst(0.0, 0.0, 0, int(points[0]), (), 0.0, 0.0)
    for i, got in enumerate(leaves):
        ratio = ratios(got, truth, i, points, 0.0 if extras is None else extras[i][points])
        want = truth.want[i][points]
        # What is far below the leaf's own size counts by that size.
        floor = np.maximum(np.abs(want), truth.size[i] * 2.0**-4)
        with np.errstate(all="ignore"):
            size = np.where((truth.decided[i] & truth.sure[i])[points], ulps(np.abs(got - want), floor, dtype), 0.0)
        size = np.where(np.isfinite(size), size, np.inf if (ratio == np.inf).any() else 0.0)
        largest_ulp = max(found.ulp, float(size.max(initial=0.0)))
        at = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
        if ratio.size and ratio[at] > found.ratio:
            index = tuple(int(k) for k in at[1:])
            found = Worst(float(ratio[at]), largest_ulp, i, int(points[at[0]]), index, float(got[at]), float(want[at]))
        found = found._replace(ulp=largest_ulp)
    return found
