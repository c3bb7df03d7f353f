r"""The forms for logits that are neither large nor far apart, as most are: of $e^{s_k}$ itself, without a shift.

Nothing is subtracted from a logit, so that nothing is rounded before the exponential. Each function returns its result
and, for each row, whether that is right: elsewhere something overflows or underflows that matters, and
`rows.with_quick` has the row computed with care.

How fast XLA's loops over classes are on a CPU depends on how many there are: see `exponentials`, `total`, `stored`.
"""

from typing import Any

import jax.numpy as jnp
from jax import lax
from jax.lax import Precision
from jaxtyping import Array, Bool, Float, Int

from manual_grads.formulas.stable.classes import entry, mean_class, scattered, selected
from manual_grads.formulas.stable.sums import LARGE_ARRAY_SIZE

# Classes up to which a row's sum is written out, for one loop over rows.
MAX_WRITTEN_OUT = 4
# Classes up to which it is a product with ones: added one after the other, so many terms lose up to 4 ULP.
MAX_MULTIPLIED = 32
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


def probabilities(s: Rows) -> tuple[Rows, Right]:
    r"""$g_k = e^{s_k} / \sum_l e^{s_l}$."""
    e = stored(exponentials(s), s)
    sum_e = total(e)
    return e / sum_e[..., None], within(sum_e) & none_underflows(s, sum_e)


def log_probabilities(s: Rows) -> tuple[Rows, Right]:
    r"""$\ln g_k = (s_k - m) - \ln \sum_l e^{s_l - m}$, m being the largest logit."""
    m = s.max(-1)
    e = stored(exponentials(s), s)
    log_sum, right = log_sum_by(s, e, total(e), m)
    return (s - m[..., None]) - log_sum[..., None], right


def both_probabilities(s: Rows) -> tuple[tuple[Rows, Rows], Right]:
    r"""$\ln g_k$ and $g_k$."""
    m = s.max(-1)
    e = stored(exponentials(s), s)
    sum_e = total(e)
    log_sum, right = log_sum_by(s, e, sum_e, m)
    return ((s - m[..., None]) - log_sum[..., None], e / sum_e[..., None]), right & none_underflows(s, sum_e)


def log_sum_by(s: Rows, e: Rows, sum_e: PerRow, m: PerRow) -> tuple[PerRow, Right]:
    r"""$\ln \sum_l e^{s_l - m}$: of nearly 1 where one class has nearly everything, and then by the others' sum.

    The others are those whose logits are less, all of them where one class has more than half. The exponentials are not
    compared: that of m is computed apart, and need not be one of e to the last bit.
    """
    largest = jnp.exp(m)
    others = total(jnp.where(s < m[..., None], e, 0))
    dominated = sum_e < 2 * largest
    log_sum = jnp.where(dominated, jnp.log1p(others / largest), jnp.log(sum_e / largest))
    return log_sum, within(sum_e, largest) & (~dominated | (others >= MIN_SUM))


def jacobian_product(s: Rows, t: Rows) -> tuple[Rows, Right]:
    r"""$g_k ((t_k - t_i) - \sum_l g_l (t_l - t_i))$, i being the class that has more than half, if there is one."""
    e = stored(exponentials(s), s)
    sum_e = total(e)
    i = mean_class(e, sum_e)
    t_i = jnp.where(jnp.exp(entry(s, i)) > sum_e / 2, entry(t, i), 0)
    difference = t - t_i[..., None]
    mean, right = mean_of(difference, e, sum_e)
    return e / sum_e[..., None] * (difference - mean[..., None]), right & within(sum_e) & none_underflows(s, sum_e)


def index_loss(s: Rows, i: Index) -> tuple[PerRow, Right]:
    r"""$\ln(1 + \sum_{l \neq i} e^{s_l} / e^{s_i})$."""
    _, others, e_i = parts(s, i)
    return jnp.log1p(others / e_i), within(others, e_i)


def index_vjp(s: Rows, i: Index, c: PerRow) -> tuple[Rows, Right]:
    r"""$c\, g_l$, and for the label $-c \sum_{l \neq i} g_l$."""
    e, others, e_i = parts(s, i)
    sum_e = others + e_i
    gradient = with_entry(e / sum_e[..., None], i, -others / sum_e) * c[..., None]
    return gradient, within(sum_e, others) & none_underflows(s, sum_e)


def index_loss_and_gradient(s: Rows, i: Index) -> tuple[tuple[PerRow, Rows], Right]:
    """R and ∂R/∂s, of the same exponentials."""
    (value, value_right), (gradient, gradient_right) = index_loss(s, i), index_vjp(s, i, jnp.ones(i.shape, s.dtype))
    return (value, gradient), value_right & gradient_right


def index_jvp(s: Rows, i: Index, t: Rows) -> tuple[PerRow, Right]:
    r"""$\sum_{l \neq i} g_l (t_l - t_i)$."""
    e, others, e_i = parts(s, i)
    sum_e = others + e_i
    mean, right = mean_of(t - entry(t, i)[..., None], e, sum_e)
    return mean, right & within(sum_e, others) & none_underflows(s, sum_e)


def distribution_loss(s: Rows, y: Rows) -> tuple[PerRow, Right]:
    r"""$\sum_k y_k (m - s_k) + (\sum_k y_k) \ln \sum_l e^{s_l - m}$, m being the largest logit."""
    m = s.max(-1)
    e = stored(exponentials(s), s)
    log_sum, right = log_sum_by(s, e, total(e), m)
    value = total(y * (m[..., None] - s)) + total(y) * log_sum
    return value, right & ~jnp.isnan(value)  # 0 · ∞, at a class without weight


def distribution_vjp(s: Rows, y: Rows, c: PerRow) -> tuple[Rows, Right]:
    r"""$c ((\sum_k y_k) g_l - y_l)$, and for one class $c ((\sum_{k \neq i} y_k) g_i - y_i \sum_{l \neq i} g_l)$."""
    weight = total(y)
    i = mean_class(y, weight)
    e, others, e_i = parts(s, i)
    sum_e, y_i = others + e_i, entry(y, i)
    at_i = (weight - y_i) * (e_i / sum_e) - y_i * (others / sum_e)
    gradient = with_entry(e / sum_e[..., None] * weight[..., None] - y, i, at_i) * c[..., None]
    return gradient, within(sum_e, others) & none_underflows(s, sum_e)


def distribution_loss_and_gradient(s: Rows, y: Rows) -> tuple[tuple[PerRow, Rows], Right]:
    """R and ∂R/∂s, of the same exponentials."""
    one = jnp.ones(s.shape[:-1], s.dtype)
    (value, value_right), (gradient, gradient_right) = distribution_loss(s, y), distribution_vjp(s, y, one)
    return (value, gradient), value_right & gradient_right


def parts(s: Rows, i: Index) -> tuple[Rows, PerRow, PerRow]:
    """The exponentials with a 0 for class i, their sum, and that of class i."""
    if s.shape[-1] > MAX_WRITTEN_OUT:
        e = with_entry(exponentials(s), i, 0)
        return e, total(e), jnp.exp(entry(s, i))
    e = [jnp.exp(s[..., k]) for k in range(s.shape[-1])]
    others = pairwise([jnp.where(i == k, 0, e_k) for k, e_k in enumerate(e)])
    e_i = pairwise([jnp.where(i == k, e_k, 0) for k, e_k in enumerate(e)])
    return with_entry(jnp.exp(s), i, 0), others, jnp.where(i < len(e), e_i, jnp.nan)


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
    if classes <= MAX_MULTIPLIED or x.size < LARGE_ARRAY_SIZE:
        return jnp.matmul(x, jnp.ones(classes, x.dtype), precision=Precision.HIGHEST)
    return x.sum(-1)


def pairwise(terms: list[PerRow]) -> PerRow:
    """The sum of a few terms."""
    while len(terms) > 1:
        terms = [sum(terms[k + 1 : k + 2], terms[k]) for k in range(0, len(terms), 2)]
    return terms[0]


def stored(e: Rows, s: Rows) -> Rows:
    """`e`, the exponentials of s, none of them computed again: a scatter's result, which XLA doesn't repeat."""
    if e.shape[-1] < MIN_VECTORIZED:  # a product's operand is stored anyway
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
        return total(e * unit[..., None] * x) / (sum_e * unit), jnp.ones(sum_e.shape, bool)
    products = total(e * x)
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
