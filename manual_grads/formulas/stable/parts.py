r"""What the quick forms need of each row of logits: sums of $e^{s_k}$ and of their products, and one class beside them.

How fast XLA's loops over classes are on a CPU depends on how many there are. Of few, everything is found in one
reduction (`reductions`); of many, XLA's own sums are faster, beside exponentials that are stored.
"""

from typing import Any

import jax.numpy as jnp
from jax import lax
from jax.lax import Precision
from jaxtyping import Array, Bool, Float, Int

from manual_grads.formulas.stable.classes import class_numbers, entry, is_class, mean_class, scattered, selected
from manual_grads.formulas.stable.reductions import MAX_LAST, State, is_divided, reduce_rows
from manual_grads.formulas.stable.sums import LARGE_ARRAY_SIZE, add_compensated

# Classes up to which a row's sum is written out, where that is all that is found.
MAX_WRITTEN_OUT = 4
# Classes up to which exponentials are computed twice, to reduce them and for the result, in less time than it takes to
# store them.
MAX_FEW = 32
# Classes from which reducing them in groups is so much faster again that it is worth its memory.
MIN_GROUPED = 4096
# Classes from which XLA vectorizes a loop over them in which more than an exponential is computed.
MIN_VECTORIZED = 64
# Sums between the two, their quotients and squares are normal numbers. What is lost of a sum to underflow, 2²⁰ terms
# below 2⁻¹²⁶, is less than its last digit.
MIN_SUM, MAX_SUM = 2.0**-60, 2.0**60
# A sum of products, of which the same loss, 2²² terms below 2⁻¹²⁶, is less than its last digit.
MIN_PRODUCTS = 2.0**-80
# Logits: above, an exponential is too large for `MAX_SUM`; below, it is below the smallest normal number of float32.
MAX_LOGIT, MIN_LOGIT = 42.0, -87.0

Rows = Float[Array, "*batch classes"]
PerRow = Float[Array, "*batch"]
Index = Int[Array, "*batch"]
Right = Bool[Array, "*batch"]


def is_few(s: Rows, most: int = MAX_FEW) -> bool:
    """Whether rows have so few classes, and such a number of them, that one reduction finds everything sooner."""
    return s.shape[-1] <= most and is_divided(s.shape[-1])


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
    any two. Else they are those whose logits are less, all of them where one class has more than half; and that of m
    is computed apart, and need not be one of e to the last bit.
    """
    if at_once:
        m, largest, others = reduce_rows(largest_and_others, (-jnp.inf, 0, 0), s, e, jnp.zeros_like(e))
        return m, largest + others, jnp.log1p(others / largest), within(largest, others)
    m, sum_e = s.max(-1), total(e)
    largest = jnp.exp(m)
    others = total(jnp.where(s < m[..., None], e, 0))
    dominated = sum_e < 2 * largest
    log_sum = jnp.where(dominated, jnp.log1p(others / largest), jnp.log(sum_e / largest))
    return m, sum_e, log_sum, within(sum_e, largest) & (~dominated | (others >= MIN_SUM))


def of_weights(s: Rows, y: Rows) -> tuple[Rows, PerRow, PerRow, Index, PerRow, PerRow]:
    r"""The exponentials, $\sum_{l \neq i} e^{s_l}$ and $e^{s_i}$; the class i, $\sum_{k \neq i} y_k$ and $y_i$.

    i is the class that has all the weight, if one has: of few, the heaviest.
    """
    if is_few(s):
        e, zero = jnp.exp(s), jnp.zeros_like(s)
        i, y_i, others_y, e_i, others = reduce_rows(
            heaviest_and_others, (s.shape[-1], 0, 0, 0, 0), class_numbers(s), y, zero, e, zero
        )
        return e, others, e_i, i, others_y, y_i
    weight = total(y)
    i = mean_class(y, weight)
    y_i = entry(y, i)
    return *of_label(s, i, False), i, weight - y_i, y_i


def of_direction(s: Rows, t: Rows) -> tuple[Rows, PerRow, PerRow, PerRow, Right]:
    r"""The exponentials and their sum; $t_i$ and $\sum_l g_l (t_l - t_i)$; whether that is right.

    i is the class that has more than half; if none has, $t_i$ is to be 0.
    """
    e = stored(exponentials(s), s)
    if is_divided(s.shape[-1]):
        zero = jnp.zeros_like(s)
        e_i, t_i, others, products = reduce_rows(largest_and_products, (0, 0, 0, 0), e, t, zero, zero)
        dominant, sum_e = e_i > others, e_i + others
        products += jnp.where(dominant, -others, e_i) * t_i
        return e, sum_e, jnp.where(dominant, t_i, 0), products / sum_e, none_lost(products, sum_e)
    sum_e = total(e)
    i = mean_class(e, sum_e)
    t_i = jnp.where(jnp.exp(entry(s, i)) > sum_e / 2, entry(t, i), 0)
    mean, right = mean_of(t - t_i[..., None], e, sum_e)
    return e, sum_e, t_i, mean, right


def added(a: State, b: State) -> State:
    """Sums."""
    return tuple(x + y for x, y in zip(a, b, strict=True))


def largest_and_others(a: State, b: State) -> State:
    """Of two sets of classes, the largest logit, the largest exponential, and the sum of the other exponentials."""
    (m_a, largest_a, others_a), (m_b, largest_b, others_b) = a, b
    others = others_a + (others_b + jnp.minimum(largest_a, largest_b))
    return jnp.maximum(m_a, m_b), jnp.maximum(largest_a, largest_b), others


def heaviest_and_others(a: State, b: State) -> State:
    """Of two sets of classes, that of the largest weight; its weight and the others'; its exponential and theirs."""
    (i_a, y_a, others_y_a, e_a, others_a), (i_b, y_b, others_y_b, e_b, others_b) = a, b
    i, y_i, e_i, y_j, e_j = (
        jnp.where(y_a >= y_b, *pair) for pair in ((i_a, i_b), (y_a, y_b), (e_a, e_b), (y_b, y_a), (e_b, e_a))
    )
    return i, y_i, others_y_a + (others_y_b + y_j), e_i, others_a + (others_b + e_j)


def largest_and_products(a: State, b: State) -> State:
    r"""Of two sets of classes, the largest $e_i$ and its $t_i$; $\sum_{l \neq i} e_l$ and $\sum_{l \neq i} e_l t_l$."""
    (e_a, t_a, others_a, products_a), (e_b, t_b, others_b, products_b) = a, b
    e_i, t_i, e_j, t_j = (jnp.where(e_a >= e_b, *pair) for pair in ((e_a, e_b), (t_a, t_b), (e_b, e_a), (t_b, t_a)))
    return e_i, t_i, others_a + (others_b + e_j), products_a + (products_b + e_j * t_j)


def exponentials(s: Rows) -> Rows:
    """$e^s$. A loop of XLA's for nothing but an exponential is half as fast as one with a select in it."""
    if s.shape[-1] < MIN_VECTORIZED:
        return jnp.exp(s)
    return jnp.where(s < MAX_LOGIT, jnp.exp(s), jnp.nan)


def total(x: Rows) -> PerRow:
    """The sum over the last axis; few numbers, too, XLA would add one after the other, and a product a few at once."""
    classes = x.shape[-1]
    if classes <= MAX_WRITTEN_OUT:
        return pairwise([x[..., k] for k in range(classes)])
    if x.size < LARGE_ARRAY_SIZE:
        return jnp.matmul(x, jnp.ones(classes, x.dtype), precision=Precision.HIGHEST)
    return x.sum(-1)


def summed(x: Rows) -> PerRow:
    """The sum over the last axis, of few terms with what the additions round off; not differentiable."""
    if is_few(x, MAX_LAST):
        sum_x, off = reduce_rows(add_compensated, (0, 0), x, jnp.zeros_like(x))
        return sum_x + off
    return total(x)


def sum_between(s: Rows, sum_e: PerRow) -> tuple[PerRow, PerRow]:
    r"""What $\sum_l e^{s_l}$ is between: itself, but where XLA fuses it with what it divides if that is all."""
    if MAX_LAST < s.shape[-1] < MIN_VECTORIZED:
        largest = jnp.exp(s.max(-1))
        return largest, s.shape[-1] * largest
    return sum_e, sum_e


def sum_and_weighted(y: Rows, x: Rows) -> tuple[PerRow, PerRow]:
    r"""$\sum_k y_k$ and $\sum_k y_k x_k$."""
    if is_divided(y.shape[-1]):
        return reduce_rows(added, (0, 0), y, y * x)
    return total(y), total(y * x)


def pairwise(terms: list[PerRow]) -> PerRow:
    """The sum of a few terms."""
    while len(terms) > 1:
        terms = [sum(terms[k + 1 : k + 2], terms[k]) for k in range(0, len(terms), 2)]
    return terms[0]


def stored(e: Rows, s: Rows) -> Rows:
    """`e`, the exponentials of s, none of them computed again: a scatter's result, which XLA doesn't repeat."""
    if e.shape[-1] < MIN_VECTORIZED:
        return e
    return with_entry(e, jnp.zeros(e.shape[:-1], jnp.int32), jnp.exp(s[..., 0]))


def with_entry(x: Rows, i: Index, value: PerRow | float) -> Rows:
    """`x` with $x_i$ replaced, and as it is for an index that no class has."""
    # A scatter is done by one thread.
    return selected(x, i, value) if x.shape[-1] < MIN_VECTORIZED else scattered(x, i, value)


def mean_of(x: Rows, e: Rows, sum_e: PerRow) -> tuple[PerRow, Right]:
    r"""$\sum_k e_k x_k / \sum_k e_k$, of which $e_k x_k$ may over- or underflow where $g_k x_k$ doesn't.

    Of few classes, e is scaled to a sum of about 1, by a power of two. Of many, that takes longer than to see whether
    something is lost.
    """
    if e.shape[-1] < MIN_VECTORIZED:
        unit = 1 / lax.reduce_precision(sum_e, jnp.finfo(sum_e.dtype).nexp, 0)
        return summed(e * unit[..., None] * x) / (sum_e * unit), jnp.ones(sum_e.shape, bool)
    products = total(e * x)
    return products / sum_e, none_lost(products, sum_e)


def none_lost(products: PerRow, sum_e: PerRow) -> Right:
    """Whether no $e_k x_k$ over- or underflows of which $g_k x_k$ does not."""
    return jnp.isfinite(products) & ((sum_e >= 0.5) | (jnp.abs(products) >= MIN_PRODUCTS))


def within(*sums: PerRow) -> Right:
    """Whether all of these may be divided by one another; not, if one is NaN."""
    right: Any = True
    for x in sums:
        right &= (x >= MIN_SUM) & (x <= MAX_SUM)
    return right


def none_underflows(s: Rows, sum_e: PerRow) -> Right:
    r"""Whether an exponential that is 0 is that of a class whose $g_k$, too, is below the smallest normal number."""
    small = sum_e < 1
    return ~small | lax.cond(small.any(), lambda: s.min() > MIN_LOGIT, lambda: jnp.array(False))
