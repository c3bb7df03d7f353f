r"""The forms in which Task 19.3 is computed: one for class indices, one for distributions, so that nothing cancels.

Everything is in the dtype of computation, of arguments that are checked already, whatever the logits are. Beside each
stands the one in `quick` that does for most logits.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from manual_grads.formulas.inputs import are_indices
from manual_grads.formulas.stable import quick
from manual_grads.formulas.stable.classes import class_of, entry, mean_class, with_entry
from manual_grads.formulas.stable.exponentials import FORMATS, scaled_exp
from manual_grads.formulas.stable.rows import with_quick
from manual_grads.formulas.stable.sums import row_sum, weighted_sum


def loss(s: Float[Array, "*batch classes"], labels: Array) -> Float[Array, "*batch"]:
    r"""$R = -\sum_k y_k \ln g_k$, for class indices or distributions."""
    return index_loss(s, labels) if are_indices(labels) else distribution_loss(s, labels)


def loss_vjp(
    s: Float[Array, "*batch classes"], labels: Array, c: Float[Array, "*batch"]
) -> Float[Array, "*batch classes"]:
    r"""$c\, \partial R / \partial s_l = c ((\sum_k y_k) g_l - y_l)$, for class indices or distributions."""
    return index_vjp(s, labels, c) if are_indices(labels) else distribution_vjp(s, labels, c)


def loss_gradient(s: Float[Array, "*batch classes"], labels: Array) -> Float[Array, "*batch classes"]:
    r"""$\partial R / \partial s_l = (\sum_k y_k) g_l - y_l$, for class indices or distributions."""
    return loss_vjp(s, labels, jnp.ones(s.shape[:-1], s.dtype))


def loss_jvp(
    s: Float[Array, "*batch classes"], labels: Array, t: Float[Array, "*batch classes"]
) -> Float[Array, "*batch"]:
    r"""$\sum_l (\partial R / \partial s_l)\, t_l$, for class indices or distributions."""
    if are_indices(labels):
        return index_jvp(s, labels, t)
    gradient = loss_gradient(s, labels)
    terms = jnp.abs(gradient + labels) + jnp.abs(labels)  # of the gradient: (Σ_k y_k) g_l and y_l
    return row_sum(gradient * (t - common_part(terms, t)[..., None]))


def common_part(weights: Float[Array, "*batch classes"], t: Float[Array, "*batch classes"]) -> Float[Array, "*batch"]:
    r"""$\bar t = \sum_l w_l t_l / \sum_l w_l$: what all of t may be lowered by.

    For $\sum_l \partial_l R = 0$, but for roundings, which a large part that logits have in common would multiply. The
    weights are the sizes of those roundings: then $\sum_l w_l |\bar t|$ is no more than $\sum_l w_l |t_l|$.
    """
    total = row_sum(weights)
    mean = row_sum(weights * t) / jnp.where(total == 0, 1, total)
    return jnp.where(jnp.isfinite(mean), mean, 0)


def total_weight(labels: Array, classes: int) -> Float[Array, "*batch"]:
    r"""$\sum_k y_k$: 1 for a class index, and NaN for one that no class has."""
    return jnp.where(labels < classes, 1.0, jnp.nan) if are_indices(labels) else row_sum(labels)


@with_quick(quick.index_loss)
def index_loss(s: Float[Array, "*batch classes"], i: Int[Array, "*batch"]) -> Float[Array, "*batch"]:
    r"""$(m - s_i) + \ln \sum_l e^{s_l - m}$, m being the largest logit.

    Textbook: $-(s_i - \ln \sum_l e^{s_l})$, Task 19.3's line "−Σ_k I(y=k) (s_k − ln Σe^s_i)".
    """
    m = s.max(-1)
    return (m - entry(s, i)) + log_sum(s, m, i)


@with_quick(quick.distribution_loss)
def distribution_loss(s: Float[Array, "*batch classes"], y: Float[Array, "*batch classes"]) -> Float[Array, "*batch"]:
    r"""$\sum_k y_k (m - s_k) + (\sum_k y_k) \ln \sum_l e^{s_l - m}$; a class without weight costs nothing.

    Textbook: $-\sum_k y_k (s_k - \ln \sum_l e^{s_l})$, Task 19.3's line "−Σ_k I(y=k) (s_k − ln Σe^s_i)" for weights.
    """
    m, weight = s.max(-1), row_sum(y)
    return weighted_sum(y, m[..., None] - s) + weight * log_sum(s, m, class_of(m, s))


def log_sum(
    s: Float[Array, "*batch classes"], m: Float[Array, "*batch"], i: Int[Array, "*batch"]
) -> Float[Array, "*batch"]:
    r"""$\ln \sum_l e^{s_l - m} = \ln(1 + \sum_{l \neq i} e^{s_l - m})$ if $s_i$ is the largest logit, m.

    If it isn't, $1 - e^{s_i - m}$ is taken off that sum; then the logarithm is that of nearly 2, or $m - s_i$, to which
    it is added, is the larger.

    Textbook: the sum as it stands, which is 1 to the last digit where one class has nearly everything.
    """
    _, others, e_i = parts(s, m, i)
    return jnp.log1p(others - (1 - e_i))


def parts(
    s: Float[Array, "*batch classes"], m: Float[Array, "*batch"], i: Int[Array, "*batch"]
) -> tuple[Float[Array, "*batch classes"], Float[Array, "*batch"], Float[Array, "*batch"]]:
    """The exponentials with a 0 for class i, their sum, and that of class i."""
    unit = FORMATS[s.dtype].unit
    e = with_entry(scaled_exp(s, m), i, 0)
    return e / unit, row_sum(e) / unit, scaled_exp(entry(s, i), m) / unit


@with_quick(quick.index_vjp)
def index_vjp(
    s: Float[Array, "*batch classes"], i: Int[Array, "*batch"], c: Float[Array, "*batch"]
) -> Float[Array, "*batch classes"]:
    r"""$c\, g_l$, and for the label $-c \sum_{l \neq i} g_l$, which keeps its digits when $g_i$ rounds to one.

    Textbook: $c (g_l - I(i=l))$, Task 19.3's line "g_l − I(y=l)".
    """
    e, others, e_i = parts(s, s.max(-1), i)
    return with_entry(e, i, -others) / (others + e_i)[..., None] * c[..., None]


@with_quick(quick.index_loss_and_gradient)
def index_loss_and_gradient(
    s: Float[Array, "*batch classes"], i: Int[Array, "*batch"]
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch classes"]]:
    """R and ∂R/∂s, which have their exponentials in common."""
    return index_loss.careful(s, i), index_vjp.careful(s, i, jnp.ones(i.shape, s.dtype))


@with_quick(quick.distribution_vjp)
def distribution_vjp(
    s: Float[Array, "*batch classes"], y: Float[Array, "*batch classes"], c: Float[Array, "*batch"]
) -> Float[Array, "*batch classes"]:
    r"""$c ((\sum_k y_k) g_l - y_l)$, and for one class $c ((\sum_{k \neq i} y_k) g_i - y_i \sum_{l \neq i} g_l)$.

    The two are equal, but the second keeps the label's digits if y is one-hot: then i is the label, and it is a
    single product.

    Textbook: the first for every class, Task 19.3's line "(Σ_k I(y=k)) g_l − I(y=l)" for weights.
    """
    # The class that has all the weight, if one has; its exponential and the sum of the others'.
    weight = row_sum(y)
    i = mean_class(y, weight)
    e, others, e_i = parts(s, s.max(-1), i)
    total, y_i = others + e_i, entry(y, i)
    # Its entry of the gradient, and all the others.
    at_i = (weight - y_i) * (e_i / total) - y_i * (others / total)
    return with_entry(weight[..., None] * (e / total[..., None]) - y, i, at_i) * c[..., None]


@with_quick(quick.distribution_loss_and_gradient)
def distribution_loss_and_gradient(
    s: Float[Array, "*batch classes"], y: Float[Array, "*batch classes"]
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch classes"]]:
    """R and ∂R/∂s, which have their exponentials in common."""
    return distribution_loss.careful(s, y), distribution_vjp.careful(s, y, jnp.ones(s.shape[:-1], s.dtype))


@with_quick(quick.index_jvp)
def index_jvp(
    s: Float[Array, "*batch classes"], i: Int[Array, "*batch"], t: Float[Array, "*batch classes"]
) -> Float[Array, "*batch"]:
    r"""$\sum_{l \neq i} g_l (t_l - t_i)$: the label's entry of the gradient is minus the sum of the others.

    Textbook: $\sum_l (g_l - I(i=l)) t_l$, Task 19.3's line "g_l − I(y=l)" times t.
    """
    e = scaled_exp(s, s.max(-1)) / FORMATS[s.dtype].unit
    return row_sum(e / row_sum(e)[..., None] * (t - entry(t, i)[..., None]))
