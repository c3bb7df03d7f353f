r"""The forms in which softmax, its logarithm and its Jacobian (Task 19.1) are computed, so that nothing cancels.

Everything is in the dtype of computation, of arguments that are checked already. A form that is named `…_by` takes the
exponential to use; the one without chooses the fastest that is exact.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from manual_grads.formulas.stable.classes import entry, mean_class
from manual_grads.formulas.stable.exponentials import Exponential, largest_of, stored_exp, with_exponential
from manual_grads.formulas.stable.small_sums import small_sum
from manual_grads.formulas.stable.sums import row_sum


def probabilities_by(
    exp: Exponential, s: Float[Array, "*batch classes"], m: Float[Array, "*batch"]
) -> Float[Array, "*batch classes"]:
    r"""$g_k = e^{s_k - m} / \sum_l e^{s_l - m}$, m being the largest logit.

    Textbook: $e^{s_k} / \sum_l e^{s_l}$, Task 19's line "e^s_k / Σe^s_l".
    """
    e, p = exp.of(s, m), exp.normalizer(m)
    return e * (p / (row_sum(e) * p))[..., None]


def log_probabilities_by(
    exp: Exponential, s: Float[Array, "*batch classes"], m: Float[Array, "*batch"]
) -> Float[Array, "*batch classes"]:
    r"""$\ln g_k = (s_k - m) - \ln \sum_l e^{s_l - m}$, m being the largest logit.

    Where one class dominates, that sum is 1 plus the small sum of the others, and its logarithm is log1p of the latter.

    Textbook: $s_k - \ln \sum_l e^{s_l}$, a term of Task 19.3's line "−Σ_k I(y=k) (s_k − ln Σe^s_i)".
    """
    e, p = exp.of(s, m), exp.normalizer(m)
    total, largest, others = row_sum(e) * p, largest_of(exp, m), small_sum(sum_of_others, e, exp, s, m)
    log_sum = jnp.where(total < 2 * largest, jnp.log1p(others / largest), jnp.log(total / largest))
    return (s - m[..., None]) - log_sum[..., None]


def sum_of_others(e: Float[Array, "*batch classes"]) -> Float[Array, "*batch"]:
    """The sum of those that don't dominate their row.

    At most one class can hold more than half of the total: then this sum is small, and the digits that it has on its
    own would be lost in a difference from the total.
    """
    return row_sum(jnp.where(e > (row_sum(e) / 2)[..., None], 0, e))


def weighted_jacobian(
    weight: Float[Array, "*batch"], s: Float[Array, "*batch classes"]
) -> Float[Array, "*batch classes classes"]:
    r"""$w g_k (I(k=l) - g_l)$, where $1 - g_k = \sum_{l \neq k} g_l$ for a dominant class k.

    Only there does that subtraction cancel (it would be 0 for every saturated one). The products are scaled last, by
    $w / (\sum_l e_l)^2$: symmetric to the last bit, and not underflown where $w g_k g_l$ isn't (for w above 2⁻⁴⁶).

    Textbook: Task 19.1's line "g_k (I(k=l) − g_l)", times w.
    """
    e = stored_exp(s)
    total, others = row_sum(e)[..., None], sum_of_others(e)[..., None]
    diagonal = jnp.eye(e.shape[-1], dtype=bool)
    complement = jnp.where(e > total / 2, others, total - e)
    factor = jnp.where(diagonal, complement[..., None, :], -e[..., None, :])  # I(k=l) - g_l
    return e[..., :, None] * factor * (weight[..., None] / total**2)[..., None]


def jacobian_product_by(
    exp: Exponential, s: Float[Array, "*batch classes"], m: Float[Array, "*batch"], t: Float[Array, "*batch classes"]
) -> Float[Array, "*batch classes"]:
    r"""$g_k ((t_k - t_i) - \sum_l g_l (t_l - t_i))$, i being the dominant class, if there is one.

    J annihilates constants, so t may be shifted: where one class has nearly everything, by its own $t_i$, so that its
    entry becomes a sum over the others instead of the difference of two nearly equal numbers.

    Textbook: $g_k (t_k - \sum_l g_l t_l)$, Task 19.1's line "g_k (I(k=l) − g_l)" times t.
    """
    e, p = exp.of(s, m), exp.normalizer(m)
    total = row_sum(e)
    scale = 1 / (total * p)
    t_i, minus_t_i = dominant_entry(e, total, t)
    mean = row_sum(e * p[..., None] * (t - t_i[..., None])) * scale
    return e * (p * scale)[..., None] * ((t + minus_t_i[..., None]) - mean[..., None])


def dominant_entry(
    e: Float[Array, "*batch classes"], total: Float[Array, "*batch"], t: Float[Array, "*batch classes"]
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """The entry of t for the class that has more than half of the row's total, or 0 if none has; and minus that.

    Both, as XLA would write down, class by class, what is used twice; and as results of a conditional, so that they are
    computed once a row.
    """
    i = mean_class(e, total)
    dominant, candidate = entry(e, i) > total / 2, entry(t, i)

    def chosen() -> tuple[Array, Array]:
        t_i = jnp.where(dominant, candidate, 0)
        return t_i, -t_i

    return lax.cond(dominant.any(), chosen, lambda: (jnp.zeros_like(total), jnp.zeros_like(total)))


probabilities, log_probabilities = with_exponential(probabilities_by), with_exponential(log_probabilities_by)
jacobian_product = with_exponential(jacobian_product_by)
