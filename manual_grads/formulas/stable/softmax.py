r"""The forms in which softmax, its logarithm and its Jacobian (Task 19.1) are computed, so that nothing cancels.

Everything is in the dtype of computation, of arguments that are checked already, whatever the logits are. Beside each
stands the one in `quick` that does for most logits.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from manual_grads.formulas.stable import quick
from manual_grads.formulas.stable.classes import entry, mean_class
from manual_grads.formulas.stable.exponentials import FORMATS, scaled_exp, stored_exp
from manual_grads.formulas.stable.rows import with_quick
from manual_grads.formulas.stable.sums import compensated_sum, row_sum

# Classes up to which a compensated sum takes no longer than XLA's, beside the matrix that it is for.
MAX_COMPENSATED = 16


@with_quick(quick.probabilities)
def probabilities(s: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
    r"""$g_k = e^{s_k - m} / \sum_l e^{s_l - m}$, m being the largest logit.

    Textbook: $e^{s_k} / \sum_l e^{s_l}$, Task 19's line "e^s_k / Σe^s_l".
    """
    e, unit = scaled_exp(s, s.max(-1)), FORMATS[s.dtype].unit
    return (e / unit) / (row_sum(e) / unit)[..., None]  # a sum of about 1: differentiated, it is squared


@with_quick(quick.log_probabilities)
def log_probabilities(s: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
    r"""$\ln g_k = (s_k - m) - \ln \sum_l e^{s_l - m}$, m being the largest logit.

    Where one class dominates, that sum is 1 plus the small sum of the others, and its logarithm is log1p of the latter.

    Textbook: $s_k - \ln \sum_l e^{s_l}$, a term of Task 19.3's line "−Σ_k I(y=k) (s_k − ln Σe^s_i)".
    """
    m = s.max(-1)
    e, unit = scaled_exp(s, m), FORMATS[s.dtype].unit
    total, others = row_sum(e) / unit, sum_of_others(e) / unit
    log_sum = jnp.where(total < 2, jnp.log1p(others), jnp.log(total))
    return (s - m[..., None]) - log_sum[..., None]


@with_quick(quick.both_probabilities)
def both_probabilities(
    s: Float[Array, "*batch classes"],
) -> tuple[Float[Array, "*batch classes"], Float[Array, "*batch classes"]]:
    r"""$\ln g_k$ and $g_k$, which have their exponentials in common."""
    return log_probabilities.careful(s), probabilities.careful(s)


def sum_of_others(e: Float[Array, "*batch classes"], add: Callable[[Array], Array] = row_sum) -> Float[Array, "*batch"]:
    """The sum of those that don't dominate their row.

    At most one class can hold more than half of the total: then this sum is small, and the digits that it has on its
    own would be lost in a difference from the total.
    """
    return add(jnp.where(e > (add(e) / 2)[..., None], 0, e))


def weighted_jacobian(
    weight: Float[Array, "*batch"], s: Float[Array, "*batch classes"]
) -> Float[Array, "*batch classes classes"]:
    r"""$w g_k (I(k=l) - g_l)$, where $1 - g_k = \sum_{l \neq k} g_l$ for a dominant class k.

    Only there does that subtraction cancel (it would be 0 for every saturated one). The products are scaled last, by
    $w / (\sum_l e_l)^2$: symmetric to the last bit, and not underflown where $w g_k g_l$ isn't. A w below 1 comes last.

    Textbook: Task 19.1's line "g_k (I(k=l) − g_l)", times w.
    """
    e = stored_exp(s)
    add = compensated_sum if s.shape[-1] <= MAX_COMPENSATED else row_sum
    total, others = add(e)[..., None], sum_of_others(e, add)[..., None]
    diagonal = jnp.eye(e.shape[-1], dtype=bool)
    complement = jnp.where(e > total / 2, others, total - e)
    factor = jnp.where(diagonal, complement[..., None, :], -e[..., None, :])  # I(k=l) - g_l
    small = jnp.abs(weight) < 1
    first, last = jnp.where(small, 1, weight), jnp.where(small, weight, 1)
    return e[..., :, None] * factor * (first[..., None] / total**2)[..., None] * last[..., None, None]


@with_quick(quick.jacobian_product)
def jacobian_product(
    s: Float[Array, "*batch classes"], t: Float[Array, "*batch classes"], c: Float[Array, "*batch"]
) -> Float[Array, "*batch classes"]:
    r"""$c\, g_k ((t_k - t_i) - \sum_l g_l (t_l - t_i))$, i being the dominant class, if there is one.

    J annihilates constants, so t may be shifted: where one class has nearly everything, by its own $t_i$, so that its
    entry becomes a sum over the others instead of the difference of two nearly equal numbers.

    Textbook: $c\, g_k (t_k - \sum_l g_l t_l)$, Task 19.1's line "g_k (I(k=l) − g_l)" times t and c.
    """
    e = scaled_exp(s, s.max(-1)) / FORMATS[s.dtype].unit
    total = row_sum(e)
    i = mean_class(e, total)
    t_i = jnp.where(entry(e, i) > total / 2, entry(t, i), 0)
    difference = t - t_i[..., None]
    g = e / total[..., None]
    mean = row_sum(g * difference)
    return g * (difference - mean[..., None]) * c[..., None]
