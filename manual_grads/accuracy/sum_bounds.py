r"""The derived bounds of what may cancel: errors in u of the magnitude, the same sum with absolute values.

Each function's terms are those of its steps, to first order, on the way to an entry on which they are most. A sum of n
terms of any sign has an error of u times its magnitude for every addition that a term takes part in, a product of a
matrix and a vector one of n u (Higham, "Accuracy and Stability of Numerical Algorithms", sections 3.1 and 4.2). What
may underflow is in the magnitudes of `truths` and `network`, as their floor.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp

from manual_grads.accuracy.bounds import (
    LAST_ROUNDING,
    Form,
    Term,
    forms_of,
    in_ulp,
    log_sum_terms,
    sigmoid,
    sigmoid_grad,
    size,
    times,
    unit,
)


class Sizes(NamedTuple):
    """How many terms the sums of one example have."""

    classes: int
    hidden: int = 0
    inputs: int = 0


Derivation = Callable[[Form, str, Sizes], list[Term]]


def probability(form: Form, sizes: Sizes) -> list[Term]:
    r"""Of $g_l = e_l / \sum e$, which isn't the result: the sum, of the others and $e_i$; and the division, by 1 u."""
    return [
        *times(2, form.exponential),
        Term("the row's sum", form.additions(sizes.classes)),
        Term("e_i, added", 1),
        Term("the division", 1),
    ]


def jacobian_product(form: Form, dtype: str, sizes: Sizes) -> list[Term]:
    r"""$g_k (d_k - \sum_l g_l d_l)$, $d = t - t_i$ where a class i has more than half.

    The error of $g_k d_k$ is α u of $g_k |d_k|$: of $g_k$, and a u for $t - t_i$ and for the difference. That of
    $g_k \sum g d$ is β u of $g_k \sum g |d|$: of $g_k$, of the mean, and the same two. Where there is such a class,
    $|d_k| \leq |t_k| + |t_i|$ and $\sum g |d| \leq \sum_{l \neq i} g_l |t_l| + (1 - g_i) |t_i|$; with $g_i \geq 1/2$,
    that is 2α + β u of $g_k (|t_k| + \sum g |t|)$ at the most. Elsewhere it is β u.
    """
    del dtype
    return [
        *times(8, form.exponential),
        Term("4 × Σ e", 4 * form.additions(sizes.classes)),
        Term("4 × the division by it", 4),
        Term("3 × t − t_i", 3),
        Term("3 × d − Σ g d", 3),
        Term("e d", 1),
        Term("Σ e d", form.additions(sizes.classes)),
        Term("the last product", LAST_ROUNDING),
    ]


def weighted_jacobian_product(form: Form, dtype: str, sizes: Sizes) -> list[Term]:
    r"""The same of $(\sum_k y_k) t$."""
    weighted = [Term("Σ y", form.additions(sizes.classes)), Term("its product with t", 1)]
    return [*weighted, *jacobian_product(form, dtype, sizes)]


def gradient(form: Form, dtype: str, sizes: Sizes) -> list[Term]:
    r"""$(\sum y) g_l - y_l$; for one class, which errs more, $(\sum_{k \neq i} y_k) g_i - y_i \sum_{l \neq i} g_l$."""
    del dtype
    weighted = [Term("Σ y", form.additions(sizes.classes)), Term("Σ y − y_i", 1), Term("its product with g_i", 1)]
    return [*probability(form, sizes), *weighted, Term("the difference", LAST_ROUNDING)]


def rounded(terms: list[Term]) -> list[Term]:
    """Terms of an intermediate result, whose last rounding is a whole u."""
    *others, last = terms
    return [*others, last._replace(size=1.0)]


def vjp(form: Form, dtype: str, sizes: Sizes) -> list[Term]:
    """$c$ times the gradient."""
    return [*rounded(gradient(form, dtype, sizes)), Term("its product with c", LAST_ROUNDING)]


def jvp(form: Form, dtype: str, sizes: Sizes) -> list[Term]:
    r"""$\sum_l \partial_l (t_l - \bar t)$, which is $\sum_l \partial_l t_l$ for any $\bar t$.

    The gradient's error is relative to $w_l = (\sum |y|) g_l + |y_l|$, and $\sum w |t - \bar t| \leq 2 \sum w |t|$, for
    $\bar t$ is a mean with these weights. For a one-hot y it is relative to $|\partial_l|$, and
    $\sum |\partial| |t - \bar t| \leq 3 \sum |\partial| |t|$.
    """
    added = [Term("t − t̄", 1), Term("its product with ∂", 1), Term("Σ ∂ (t − t̄)", form.additions(sizes.classes))]
    one_hot = [*probability(form, sizes), *added]
    soft = [*rounded(gradient(form, dtype, sizes)), *added]
    return max(times(2, soft), times(3, one_hot), key=size)


def cross_entropy(form: Form, dtype: str, sizes: Sizes) -> list[Term]:
    r"""$\sum_k y_k (m - s_k) + (\sum_k y_k) \ln \sum_l e^{s_l - m}$: neither factor of y is negative."""
    by_logits = [Term("m − s", 1), Term("its product with y", 1), Term("their sum", form.of_losses(sizes.classes))]
    by_log = [
        *log_sum_terms(form, dtype, sizes.classes),
        Term("Σ y", form.of_losses(sizes.classes)),
        Term("its product with ln Σ", 1),
    ]
    return [*max(by_logits, by_log, key=size), Term("the last addition", LAST_ROUNDING)]


def logloss(form: Form, dtype: str, sizes: Sizes) -> list[Term]:
    r"""$-\sum_k y_k \ln g_k$."""
    return [
        Term("ln g", unit("log", dtype)),
        Term("its product with y", 1),
        Term("the row's sum", form.additions(sizes.classes)),
    ]


def scores(dtype: str, sizes: Sizes) -> list[Term]:
    r"""$v = B σ(Ax)$ in u of $|B| (σ + σ' |A| |x|)$: of σ's own error and of that of $Ax$, the larger."""
    hidden = max(rounded(sigmoid(dtype)), [Term("A x", sizes.inputs)], key=size)
    return [*hidden, Term("B σ", sizes.hidden)]


def network_loss(form: Form, dtype: str, sizes: Sizes) -> list[Term]:
    r"""$R(v)$: of its own error, and of what v's makes of it, the larger."""
    return max(cross_entropy(form, dtype, sizes), scores(dtype, sizes), key=size)


def network_gradient(form: Form, dtype: str, sizes: Sizes) -> list[Term]:
    r"""$\partial R / \partial v$, and the slope σ' beside it: the factors of the chain."""
    own = rounded(gradient(form, dtype, sizes))
    slope = max(rounded(sigmoid_grad(dtype)), [Term("A x", sizes.inputs)], key=size)
    return max(own, scores(dtype, sizes), slope, key=size)


def network_gradients(form: Form, dtype: str, sizes: Sizes) -> list[Term]:
    r"""$A^T δ$, $δ = (B^T (g - y)) ∘ σ'$; $δ x^T$ and $(g - y) σ^T$ have fewer."""
    return [
        *network_gradient(form, dtype, sizes),
        Term("Bᵀ(g − y)", sizes.classes),
        *(term._replace(name=f"σ': {term.name}") for term in rounded(sigmoid_grad(dtype))),
        Term("its product with σ'", 1),
        Term("Aᵀ δ", sizes.hidden),
    ]


def network_vjp(form: Form, dtype: str, sizes: Sizes) -> list[Term]:
    r"""The same of $c (g - y)$."""
    return [*network_gradients(form, dtype, sizes), Term("c (g − y)", 1)]


OF_SUMS: dict[str, Derivation] = {
    "softmax_jvp": jacobian_product,
    "softmax_vjp": jacobian_product,
    "logloss": logloss,
    "softmax_cross_entropy": cross_entropy,
    "softmax_cross_entropy_grad": gradient,
    "softmax_cross_entropy_jvp": jvp,
    "softmax_cross_entropy_vjp": vjp,
    "softmax_cross_entropy_hvp": weighted_jacobian_product,
    "two_layer_loss": network_loss,
    "two_layer_grads": network_gradients,
    "two_layer_vjp": network_vjp,
    "two_layer_jacobians": network_gradient,
}


def derivation(name: str, dtype: Any, sizes: Sizes) -> list[Term]:
    """The terms of a function's bound in float32 or float64: of its largest, if several forms may run."""
    wide = jnp.dtype(dtype).name
    sizes = sizes._replace(classes=max(sizes.classes, 2))  # of one, nothing is rounded
    return max((OF_SUMS[name](form, wide, sizes) for form in forms_of(name, wide)), key=size)


def derived(name: str, dtype: Any, sizes: Sizes) -> float:
    """The bound in ULP of the magnitude."""
    return in_ulp(derivation(name, jnp.promote_types(dtype, jnp.float32), sizes), dtype)
