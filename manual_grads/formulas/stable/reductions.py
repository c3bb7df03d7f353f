r"""Several numbers of each row found in one reduction, for which a CPU's XLA stores nothing of the row's size.

XLA on a CPU writes out a reduction of few terms, and vectorizes over many such with what their terms are computed from,
if more than one number is reduced (of a single one, it makes a call of a library). So rows are divided into groups of
few, which are reduced all at once, and then what they have become likewise.
"""

from collections.abc import Callable, Iterable
from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Num

# Terms that are reduced at once, and where what is left of a row has no such factor.
MAX_GROUP, MAX_LAST = 8, 16

# The numbers found of some terms.
State = tuple[Num[Array, "..."], ...]


def widths(terms: int) -> list[int] | None:
    """How many terms are reduced at once, one reduction after the other; None if a large factor is prime."""
    found = []
    while terms > MAX_GROUP:
        width = max(n for n in range(1, MAX_GROUP + 1) if terms % n == 0)
        if width == 1:
            return [*found, terms] if terms <= MAX_LAST else None
        found.append(width)
        terms //= width
    return [*found, terms]


def is_divided(terms: int) -> bool:
    """Whether so many terms can be reduced in groups of few: each addition of a group may lose half an ULP."""
    found = widths(terms)
    return found is not None and max(found) <= MAX_GROUP


def reduce_rows(join: Callable[[Any, Any], State], empty: tuple[Any, ...], *rows: Num[Array, "*batch terms"]) -> Any:
    """The states of the terms, joined over the last axis.

    Args:
        join: of two states, that of the terms of both: associative, and the same state beside `empty`.
        empty: the state of no terms.
        rows: the states of single terms: an array for each number. How many terms there are has `widths`.
    """
    *batch, terms = rows[0].shape
    found = widths(terms)
    assert found is not None, f"{terms} terms can't be divided: `widths` tells"
    floats = jnp.result_type(*(x for x in rows if jnp.issubdtype(x.dtype, jnp.floating)))
    rows = tuple(x.astype(floats) if jnp.issubdtype(x.dtype, jnp.floating) else x for x in rows)
    init = tuple(x.dtype.type(value) for x, value in zip(rows, empty, strict=True))
    for width in found:
        groups = tuple(x.reshape(-1, width) for x in rows)
        terms //= width
        rows = tuple(x.reshape(*batch, terms) for x in lax.reduce(groups, init, join, (1,)))
    return tuple(x[..., 0] for x in rows)


def added(a: Iterable[Array], b: Iterable[Array]) -> State:
    """Joined by sums."""
    return tuple(x + y for x, y in zip(a, b, strict=True))
