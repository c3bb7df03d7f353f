"""Arrays as the parts of a check see them: stacked over the points, float64 on the outside, one setting inside."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

Leaf = Float[np.ndarray, "points *leaf"]  # a leaf of the results, or of the arguments
Entries = Bool[np.ndarray, "points *leaf"]  # some of its entries
Rows = Bool[np.ndarray, " points"]  # some of the points

CALLS_BACK: ContextVar[bool] = ContextVar("calls_back", default=False)


@contextmanager
def computing_in(format_name: str) -> Iterator[None]:
    """The setting under which a format is computed with: 64 bits for float64 alone; warnings are off.

    The one place in which a check changes `jax.enable_x64`, so that what runs under which setting can be looked up.
    """
    wide = format_name == "float64"
    with _other_threads_in(wide) if CALLS_BACK.get() else nullcontext(), jax.enable_x64(wide), quiet():
        yield


@contextmanager
def calling_back(calls: bool) -> Iterator[None]:
    """Whether what is computed calls functions of Python, which JAX does on threads that don't see `jax.enable_x64`."""
    token = CALLS_BACK.set(calls)
    try:
        yield
    finally:
        CALLS_BACK.reset(token)


@contextmanager
def _other_threads_in(wide: bool) -> Iterator[None]:
    before = jax.config.values["jax_enable_x64"]  # to be read outside of `jax.enable_x64`, which it reflects
    jax.config.update("jax_enable_x64", wide)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings: those of donation, of NumPy on purpose-made extremes."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def is_float(x: Any) -> bool:
    """Whether an array, or a number, is of a floating-point format."""
    return bool(jnp.issubdtype(x.dtype if hasattr(x, "dtype") else jnp.result_type(x), jnp.floating))


def eps_of(dtype: Any) -> float:
    """ε, the distance from 1 to the next number of a floating-point format."""
    return float(jnp.finfo(dtype).eps)


def widened(arrays: list[Any]) -> list[np.ndarray]:
    """The arrays, floats in float64, which holds every format's numbers exactly."""
    return [np.asarray(x, np.float64) if is_float(x) else np.asarray(x) for x in arrays]


def leaves_of(results: Any) -> list[np.ndarray]:
    """A tree of results as a list, in float64; zeros for what has no derivative, as an integer has none."""
    return [
        np.zeros(np.shape(leaf)) if leaf.dtype == jax.dtypes.float0 else np.asarray(leaf, np.float64)
        for leaf in map(_as_array, jax.tree.leaves(results))
    ]


def _as_array(x: Any) -> Any:
    return x if hasattr(x, "dtype") else np.asarray(x)


def along_leaf(rows: np.ndarray, leaf: np.ndarray) -> np.ndarray:
    """A number for each point, shaped so that it broadcasts along the leaf's other axes."""
    return rows.reshape(-1, *[1] * (leaf.ndim - 1))


def rows_of(entries: Entries) -> Rows:
    """The points at which any entry is."""
    return np.asarray(entries.reshape(len(entries), -1).any(1))


def scale_of(leaf: Leaf) -> Float[np.ndarray, "points *ones"]:
    """The largest finite entry at each point, in absolute value; its other axes have length one."""
    finite = np.where(np.isfinite(leaf), np.abs(leaf), 0)
    return np.max(finite, tuple(range(1, leaf.ndim)), keepdims=True, initial=0)


def active_size(leaf: Leaf, rows: Rows) -> float:
    """The median of the largest entry over those points at which it isn't zero; over all points, if it is at those."""
    largest = scale_of(leaf).ravel()
    some = largest[rows & (largest > 0)] if (rows & (largest > 0)).any() else largest[largest > 0]
    return float(np.median(some)) if some.size else 0.0


def usual_size(leaf: Leaf, rows: Rows) -> float:
    """The median, over those points, of the largest entry."""
    return float(np.median(scale_of(leaf)[rows])) if rows.any() else 0.0
