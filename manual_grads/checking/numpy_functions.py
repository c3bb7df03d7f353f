"""Functions that are written in NumPy, as homework and old code are: they can be called, and not traced."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from manual_grads.checking.arrays import quiet


def refuses_tracers(f: Callable[..., Any], args: Any) -> bool:
    """Whether a function can't be traced, since it hands tracers to NumPy."""
    try:
        with quiet():
            jax.eval_shape(f, *args)
    except jax.errors.TracerArrayConversionError:
        return True
    except Exception:  # it will be raised again
        return False
    return False


def is_of_numpy(results: Any) -> bool:
    """Whether results are such as NumPy returns."""
    return all(isinstance(x, np.ndarray | np.generic | int | float) for x in jax.tree.leaves(results))


def on_arrays(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`, given NumPy arrays of its own, into which it may write."""
    return lambda *args: f(*jax.tree.map(lambda x: np.array(x) if isinstance(x, jax.Array | np.ndarray) else x, args))
