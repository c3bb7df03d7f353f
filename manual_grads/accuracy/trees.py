"""The tree of a sum as it is compiled: how many additions each term takes part in, found out from its results.

XLA's compiled text shows no tree where a library adds. The results do: with M at i, −M at j and ones elsewhere, M so
large that M + 1 = M, the ones that are added before M and −M have met are lost. So the sum is the number of terms
outside the smallest subtree that holds i and j; and i takes part in as many additions as there are such subtrees.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

# Absorbs a one, in float32 and float64, and all ones of a row.
ABSORBING = {"float32": 2.0**60, "float64": 2.0**120}


def additions(sum_of_rows: Callable[[Any], Any], terms: int, i: int, dtype: str = "float32", rows: int = 0) -> int:
    """How many additions term i takes part in, when rows of so many terms are summed, jitted: its depth in the tree.

    Args:
        sum_of_rows: a function of rows, `[rows, terms]`.
        terms: how many a row has.
        i: which term.
        dtype: of the rows.
        rows: how many rows are summed at once, at least; as many as are needed if 0.
    """
    count = max(rows, terms)
    probes = np.ones((count, terms), dtype)
    probes[:, i] = ABSORBING[dtype]
    others = np.delete(np.arange(terms), i)
    probes[np.arange(len(others)), others] = -ABSORBING[dtype]
    with jax.enable_x64(dtype == "float64"):
        outside = np.asarray(jax.jit(sum_of_rows)(probes))[: len(others)]
    return len(np.unique(outside))


def deepest(sum_of_rows: Callable[[Any], Any], terms: int, dtype: str = "float32", count: int = 8) -> int:
    """The most additions that any of some terms takes part in: the first, the last, and others spread between."""
    at = np.unique(np.linspace(0, terms - 1, count).astype(int))
    return max(additions(sum_of_rows, terms, int(i), dtype) for i in at)
