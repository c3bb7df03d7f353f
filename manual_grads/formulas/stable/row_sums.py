r"""Exponentials of logits, and sums over rows of them, in the ways in which XLA's loops on a CPU are fast.

How fast they are depends on how many classes there are. Where something over- or underflows that matters, a row is said
not to be right.
"""

from typing import Any

import jax.numpy as jnp
from jax import lax
from jax.lax import Precision
from jaxtyping import Array, Bool, Float, Int

from manual_grads.formulas.stable.classes import is_class, scattered, selected
from manual_grads.formulas.stable.reductions import MAX_LAST, added, is_divided, reduce_rows
from manual_grads.formulas.stable.sums import add_compensated, is_large, is_sharded

# Classes up to which a row's sum is written out, where that is all that is found.
MAX_WRITTEN_OUT = 4
# Classes up to which it is a product with ones: added one after the other, so many terms lose up to 4 ULP.
MAX_MULTIPLIED = 32
# Classes from which XLA vectorizes a loop over them in which more than an exponential is computed.
MIN_VECTORIZED = 64
# Bytes of an array from which it takes longer to store another one, in memory that is the kernel's (from 32 MiB on, all
# that is allocated at once), than to compute its exponentials again.
MIN_FRESH = 2**24
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
    if classes <= MAX_MULTIPLIED or not is_large(x):
        return jnp.matmul(x, jnp.ones(classes, x.dtype), precision=Precision.HIGHEST)
    return x.sum(-1)


def summed(x: Rows) -> PerRow:
    """The sum over the last axis, of few terms with what the additions round off; not differentiable."""
    if x.shape[-1] > MAX_LAST:
        return x.sum(-1)
    sum_x, off = reduce_rows(add_compensated, (0, 0), x, jnp.zeros_like(x))
    return sum_x + off


def size_of_sum(s: Rows, sum_e: PerRow) -> PerRow:
    r"""$\sum_l e^{s_l}$, or where XLA fuses it with what it divides if that is all, the largest $e^{s_k}$ instead."""
    return jnp.exp(s.max(-1)) if MAX_LAST < s.shape[-1] < MIN_VECTORIZED else sum_e


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


def entry_or_zero(x: Rows, i: Index) -> PerRow:
    """$x_i$, or 0 for an index that no class has. Differentiated, it is a scatter, which takes longer than few sums."""
    if x.shape[-1] <= MAX_WRITTEN_OUT or is_sharded(x, i):
        return total(jnp.where(is_class(i, x), x, 0))
    return jnp.take_along_axis(x, i[..., None], -1, mode="fill", fill_value=0)[..., 0]


def mean_of(x: Rows, e: Rows, sum_e: PerRow) -> tuple[PerRow, Right]:
    r"""$\sum_k e_k x_k / \sum_k e_k$, of which $e_k x_k$ may over- or underflow where $g_k x_k$ doesn't.

    Of few classes, e is scaled to a sum of about 1, by a power of two. Of many, that takes longer than to see whether
    something is lost.
    """
    if e.shape[-1] < MIN_VECTORIZED:
        unit = 1 / lax.reduce_precision(sum_e, jnp.finfo(sum_e.dtype).nexp, 0)
        mean = total(e * unit[..., None] * x) / (sum_e * unit)
        return mean, jnp.isfinite(mean)
    return quotient(total(e * x), sum_e)


def mean_shifted(t: Rows, t_i: PerRow, s: Rows, e: Rows, sum_e: PerRow) -> tuple[PerRow, Right]:
    r"""The same of $t_k - t_i$, which is not stored where that takes longer than $e^{s_k}$ does."""
    if s.shape[-1] < MIN_VECTORIZED or not is_large(s, MIN_FRESH // s.itemsize):
        return mean_of(t - t_i[..., None], e, sum_e)
    # In a branch, XLA stores no differences; and e, which isn't used there, may become the result.
    unshifted, shifted = (lambda: total(jnp.exp(s) * t)), (lambda: total(jnp.exp(s) * (t - t_i[..., None])))
    return quotient(lax.cond((t_i == 0).all(), unshifted, shifted), sum_e)


def quotient(products: PerRow, sum_e: PerRow) -> tuple[PerRow, Right]:
    r"""$\sum_k e_k x_k / \sum_k e_k$, and whether no $e_k x_k$ over- or underflows of which $g_k x_k$ does not."""
    return products / sum_e, jnp.isfinite(products) & ((sum_e >= 0.5) | (jnp.abs(products) >= MIN_PRODUCTS))


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
