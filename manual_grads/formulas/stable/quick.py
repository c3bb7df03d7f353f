r"""The forms for logits that are neither large nor far apart, as most are: of $e^{s_k}$ itself, without a shift.

Nothing is subtracted from a logit, so that nothing is rounded before the exponential. Each function returns its result
and, for each row, whether that is right: elsewhere something overflows or underflows that matters, and
`rows.with_quick` has the row computed with care. What they need of each row is found in `parts`.
"""

import jax.numpy as jnp

from manual_grads.formulas.stable.classes import entry
from manual_grads.formulas.stable.parts import (
    Weighted,
    in_groups,
    is_few,
    of_direction,
    of_heaviest,
    of_label,
    of_largest,
    of_weights,
)
from manual_grads.formulas.stable.reductions import is_divided
from manual_grads.formulas.stable.row_sums import (
    Index,
    PerRow,
    Right,
    Rows,
    exponentials,
    mean_of,
    none_underflows,
    size_of_sum,
    stored,
    sum_and_weighted,
    summed,
    with_entry,
    within,
)


def probabilities(s: Rows) -> tuple[Rows, Right]:
    r"""$g_k = e^{s_k} / \sum_l e^{s_l}$."""
    e = stored(exponentials(s), s)
    sum_e = summed(e)
    size = size_of_sum(s, sum_e)
    return e / sum_e[..., None], within(size) & none_underflows(s, size)


def log_probabilities(s: Rows) -> tuple[Rows, Right]:
    r"""$\ln g_k = (s_k - m) - \ln \sum_l e^{s_l - m}$, m being the largest logit."""
    at_once = in_groups(s)
    e = exponentials(s) if at_once else stored(exponentials(s), s)
    m, _, log_sum, right = of_largest(s, e, at_once)
    return (s - m[..., None]) - log_sum[..., None], right


def both_probabilities(s: Rows) -> tuple[tuple[Rows, Rows], Right]:
    r"""$\ln g_k$ and $g_k$."""
    e = stored(exponentials(s), s)
    m, sum_e, log_sum, right = of_largest(s, e, in_groups(s))
    log_g, g = (s - m[..., None]) - log_sum[..., None], e / sum_e[..., None]
    return (log_g, g), right & none_underflows(s, sum_e)


def jacobian_product(s: Rows, t: Rows, c: PerRow) -> tuple[Rows, Right]:
    r"""$c\, g_k ((t_k - t_i) - \sum_l g_l (t_l - t_i))$, i being the class that has more than half, if there is one."""
    e, sum_e, t_i, mean, right = of_direction(s, t)
    product = e / sum_e[..., None] * ((t - t_i[..., None]) - mean[..., None]) * c[..., None]
    return product, right & within(sum_e) & none_underflows(s, sum_e)


def index_loss(s: Rows, i: Index) -> tuple[PerRow, Right]:
    r"""$\ln(1 + \sum_{l \neq i} e^{s_l} / e^{s_i})$."""
    _, others, e_i = of_label(s, i, in_groups(s))
    return jnp.log1p(others / e_i), within(others, e_i)


def index_vjp(s: Rows, i: Index, c: PerRow) -> tuple[Rows, Right]:
    r"""$c\, g_l$, and for the label $-c \sum_{l \neq i} g_l$."""
    return index_vjp_of(of_label(s, i, is_few(s)), s, i, c)


def index_vjp_of(parts: tuple[Rows, PerRow, PerRow], s: Rows, i: Index, c: PerRow) -> tuple[Rows, Right]:
    """The same, of what is found of each row."""
    e, others, e_i = parts
    sum_e = others + e_i
    gradient = with_entry(e / sum_e[..., None], i, -others / sum_e) * c[..., None]
    return gradient, within(sum_e, others) & none_underflows(s, sum_e)


def index_loss_and_gradient(s: Rows, i: Index) -> tuple[tuple[PerRow, Rows], Right]:
    """R and ∂R/∂s, of the same exponentials."""
    _, others, e_i = parts = of_label(s, i, is_few(s))
    gradient, right = index_vjp_of(parts, s, i, jnp.ones(i.shape, s.dtype))
    return (jnp.log1p(others / e_i), gradient), right & within(others, e_i)


def index_jvp(s: Rows, i: Index, t: Rows) -> tuple[PerRow, Right]:
    r"""$\sum_{l \neq i} g_l (t_l - t_i)$."""
    e, others, e_i = of_label(s, i, is_few(s))
    sum_e = others + e_i
    mean, right = mean_of(t - entry(t, i)[..., None], e, sum_e)
    return mean, right & within(sum_e, others) & none_underflows(s, sum_e)


def distribution_loss(s: Rows, y: Rows) -> tuple[PerRow, Right]:
    r"""$\sum_k y_k (m - s_k) + (\sum_k y_k) \ln \sum_l e^{s_l - m}$, m being the largest logit."""
    at_once = is_divided(s.shape[-1])
    e = exponentials(s) if at_once else stored(exponentials(s), s)
    m, _, log_sum, right = of_largest(s, e, at_once)
    weight, cost = sum_and_weighted(y, m[..., None] - s)
    value = cost + weight * log_sum
    return value, right & ~jnp.isnan(value)  # 0 · ∞, at a class without weight


def distribution_vjp(s: Rows, y: Rows, c: PerRow) -> tuple[Rows, Right]:
    r"""$c ((\sum_k y_k) g_l - y_l)$, and for one class $c ((\sum_{k \neq i} y_k) g_i - y_i \sum_{l \neq i} g_l)$."""
    return distribution_vjp_of(of_weights(s, y), s, y, c)


def distribution_vjp_of(parts: Weighted, s: Rows, y: Rows, c: PerRow) -> tuple[Rows, Right]:
    """The same, of what is found of each row."""
    e, i, e_i, others, y_i, others_y = parts
    sum_e, weight = others + e_i, others_y + y_i
    at_i = others_y * (e_i / sum_e) - y_i * (others / sum_e)
    gradient = with_entry(e / sum_e[..., None] * weight[..., None] - y, i, at_i) * c[..., None]
    return gradient, within(sum_e, others) & none_underflows(s, sum_e)


def distribution_loss_and_gradient(s: Rows, y: Rows) -> tuple[tuple[PerRow, Rows], Right]:
    """R and ∂R/∂s, of the same exponentials."""
    one = jnp.ones(s.shape[:-1], s.dtype)
    if not is_divided(s.shape[-1]):
        (value, value_right), (gradient, gradient_right) = distribution_loss(s, y), distribution_vjp(s, y, one)
        return (value, gradient), value_right & gradient_right
    e = stored(exponentials(s), s)
    m, _, log_sum, value_right = of_largest(s, e, True)
    parts, (cost,) = of_heaviest(e, y, y * (m[..., None] - s))
    value = cost + (parts.others_y + parts.y_i) * log_sum
    gradient, gradient_right = distribution_vjp_of(parts, s, y, one)
    return (value, gradient), value_right & gradient_right & ~jnp.isnan(value)  # 0 · ∞, at a class without weight
