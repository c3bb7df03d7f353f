r"""What the quick forms need of each row of logits: sums of $e^{s_k}$ and of their products, and one class beside them.

How fast XLA's loops over classes are on a CPU depends on how many there are. Of few, everything is found in one
reduction (`reductions`); of many, XLA's own sums are faster, beside exponentials that are stored.
"""

from typing import NamedTuple

import jax.numpy as jnp

from manual_grads.formulas.stable.classes import class_numbers, entry, is_class, mean_class
from manual_grads.formulas.stable.reductions import State, added, is_divided, reduce_rows
from manual_grads.formulas.stable.row_sums import (
    MIN_SUM,
    MIN_VECTORIZED,
    Index,
    PerRow,
    Right,
    Rows,
    exponentials,
    mean_shifted,
    stored,
    total,
    with_entry,
    within,
)

# Classes up to which exponentials are computed twice, to reduce them and for the result, in less time than it takes to
# store them.
MAX_FEW = 32
# Classes from which reducing them in groups is so much faster again that it is worth its memory.
MIN_GROUPED = 4096


def is_few(s: Rows) -> bool:
    """Whether rows have so few classes, and such a number of them, that one reduction finds everything sooner.

    (In float64, not of 9 to 15 classes: those loops XLA doesn't vectorize.)
    """
    classes = s.shape[-1]
    return classes <= MAX_FEW and is_divided(classes) and not (s.dtype == jnp.float64 and 8 < classes < 16)


def in_groups(s: Rows) -> bool:
    """Whether a reduction is worth its memory, some third of the logits' where classes are many, if not the result."""
    return is_divided(s.shape[-1]) and not MIN_VECTORIZED <= s.shape[-1] < MIN_GROUPED


def of_label(s: Rows, i: Index, at_once: bool) -> tuple[Rows, PerRow, PerRow]:
    r"""The exponentials; the sum $\sum_{l \neq i} e^{s_l}$, and $e^{s_i}$. If not found at once, $e_i$ is a 0."""
    if at_once:
        e, is_i = jnp.exp(s), is_class(i, s)
        others, e_i = reduce_rows(added, (0, 0), jnp.where(is_i, 0, e), jnp.where(is_i, e, 0))
        return e, others, jnp.where(i < s.shape[-1], e_i, jnp.nan)  # NaN for an index that no class has
    e = with_entry(exponentials(s), i, 0)
    return e, total(e), jnp.exp(entry(s, i))


def of_largest(s: Rows, e: Rows, at_once: bool) -> tuple[PerRow, PerRow, PerRow, Right]:
    r"""The largest logit m, $\sum_l e^{s_l}$ and $\ln \sum_l e^{s_l - m}$; whether that is right.

    The logarithm is that of $1 + \sum e^{s_l - m}$ over all the others. At once, their sum is that of the smaller of
    any two. Else it is that of the classes whose logits are less, and 1 for each that ties: $e^m$ is computed apart,
    and need not be that of e to the last bit.
    """
    if at_once:
        m, largest, others = reduce_rows(largest_and_others, (-jnp.inf, 0, 0), s, e, jnp.zeros_like(e))
        return m, largest + others, jnp.log1p(others / largest), within(largest, others)
    m, sum_e = s.max(-1), total(e)
    largest = jnp.exp(m)
    others = total(jnp.where(s < m[..., None], e, 0))
    ties = jnp.round((sum_e - others) / largest) - 1
    return m, sum_e, jnp.log1p(ties + others / largest), within(sum_e, largest) & ((ties > 0) | (others >= MIN_SUM))


class Weighted(NamedTuple):
    """What a row has beside a distribution y, of which class i is to have all the weight, if one has."""

    e: Rows  # the exponentials; that of i may be a 0
    i: Index
    e_i: PerRow
    others: PerRow  # the sum of the other exponentials
    y_i: PerRow
    others_y: PerRow  # the sum of the other weights


def of_weights(s: Rows, y: Rows) -> Weighted:
    """The exponentials and weights of a class that has all the weight, if one has, and of the others."""
    if is_few(s):
        return of_heaviest(jnp.exp(s), y)[0]
    weight = total(y)
    i = mean_class(y, weight)
    y_i = entry(y, i)
    e, others, e_i = of_label(s, i, False)
    return Weighted(e, i, e_i, others, y_i, weight - y_i)


def of_heaviest(e: Rows, y: Rows, *terms: Rows) -> tuple[Weighted, list[PerRow]]:
    """The same of the class of the largest weight, found in one reduction, and the sums of other terms beside it."""
    zero = jnp.zeros_like(e)
    rows = (class_numbers(e), y, zero, e, zero, *terms)
    i, y_i, others_y, e_i, others, *sums = reduce_rows(
        heaviest_and_others, (e.shape[-1], *(len(rows) - 1) * [0]), *rows
    )
    return Weighted(e, i, e_i, others, y_i, others_y), sums


def of_direction(s: Rows, t: Rows) -> tuple[Rows, PerRow, PerRow, PerRow, Right]:
    r"""The exponentials and their sum; $t_i$ and $\sum_l g_l (t_l - t_i)$; whether that is right.

    i is the class that has more than half; if none has, $t_i$ is to be 0.
    """
    e = stored(exponentials(s), s)
    if is_few(s):
        e_i, t_i, others = reduce_rows(largest_and_direction, (0, 0, 0), e, t, jnp.zeros_like(e))
        sum_e, is_dominant = e_i + others, e_i > others
    else:
        sum_e = total(e)
        i = mean_class(e, sum_e)
        t_i, is_dominant = entry(t, i), jnp.exp(entry(s, i)) > sum_e / 2
    t_i = jnp.where(is_dominant, t_i, 0)
    mean, right = mean_shifted(t, t_i, s, e, sum_e)
    return e, sum_e, t_i, mean, right


def largest_and_others(a: State, b: State) -> State:
    """Of two sets of classes, the largest logit, the largest exponential, and the sum of the other exponentials."""
    (m_a, largest_a, others_a), (m_b, largest_b, others_b) = a, b
    others = others_a + (others_b + jnp.minimum(largest_a, largest_b))
    return jnp.maximum(m_a, m_b), jnp.maximum(largest_a, largest_b), others


def heaviest_and_others(a: State, b: State) -> State:
    """Of two sets of classes, that of the largest weight: its weight and exponential, and the others'. And sums."""
    (i_a, y_a, others_y_a, e_a, others_a, *sums_a), (i_b, y_b, others_y_b, e_b, others_b, *sums_b) = a, b
    a_leads = jnp.abs(y_a) >= jnp.abs(y_b)
    i, y_i, e_i, y_j, e_j = (
        jnp.where(a_leads, *pair) for pair in ((i_a, i_b), (y_a, y_b), (e_a, e_b), (y_b, y_a), (e_b, e_a))
    )
    return i, y_i, others_y_a + (others_y_b + y_j), e_i, others_a + (others_b + e_j), *added(sums_a, sums_b)


def largest_and_direction(a: State, b: State) -> State:
    r"""Of two sets of classes, the largest exponential, its class's entry of t, and the sum of the others."""
    (e_a, t_a, others_a), (e_b, t_b, others_b) = a, b
    others = others_a + (others_b + jnp.minimum(e_a, e_b))
    return jnp.maximum(e_a, e_b), jnp.where(e_a >= e_b, t_a, t_b), others
