r"""The bounds that are derived: each function's error for any input, as a sum of named terms.

Terms are in u, half an ULP of 1, relative to the result, to first order. An error of n u before the last rounding is at
most n ULP of the result, and the last rounding half an ULP.

A relative error δ of each exponential makes of $g_k$ one of $(1 - g_k) δ_k - \sum_{l \neq k} g_l δ_l$: no more than 2δ.
Nothing else amplifies: the error of an exponential's argument, which it would multiply by $|s_k - m|$, is carried by
two-sum (or nothing is subtracted), and is in the measured error of the exponential.
"""

from collections.abc import Callable
from math import ceil, log, log2
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from manual_grads.accuracy.unit_bounds import UNIT_BOUNDS
from manual_grads.formulas.stable.reductions import is_divided, widths
from manual_grads.formulas.stable.softmax import MAX_COMPENSATED

# In ULP.
LAST_ROUNDING = 0.5
# In ULP: an error is known no better, by a ball.
KNOWN_TO = 2.0**-20


class Term(NamedTuple):
    """A part of a bound."""

    name: str
    size: float  # in u of the result; the last rounding's, and that of a function which is the last step, in ULP


class Form(NamedTuple):
    """What the forms of a format are made of, for some sizes: the table to change when a form is."""

    name: str
    exponential: list[Term]  # what its relative error consists of
    largest: float  # the error of the row's largest exponential, which others are divided by; 0: it is a power of two
    additions: Callable[[int], float]  # the error of a row's sum of positive terms: how many a term takes part in
    of_losses: Callable[[int], float]  # the same of the sums of a loss and of log-softmax


def in_blocks(terms: int) -> float:
    """XLA's for many rows on a CPU, as `trees` finds it: up to 32 terms one after the other, and then as few as here.

    Blocks of 1024 are added one after the other: that is most of the bound where terms are very many.
    """
    if terms < 64:
        return terms - 1 if terms <= 32 else 32
    return ceil(log2(min(terms, 1024))) + 6 + terms // 1024


def in_groups(terms: int) -> float:
    """That of `reductions`: one term of a group after the other, and from the second time on, what is lost of each.

    Where the terms can't be divided into groups, and where XLA's own sum is taken, it is that one's.
    """
    groups = widths(terms)
    return max(in_blocks(terms), sum(groups) - 1 if groups and is_divided(terms) else 0)


def compensated(terms: int) -> float:
    """As if rounded once: what the additions round off is added, too."""
    return min(1, terms - 1)


def unit(name: str, dtype: str) -> float:
    """The measured relative error of a function, in u."""
    return UNIT_BOUNDS[name, dtype].relative


def unit_ulp(name: str, dtype: str) -> float:
    """The measured error of a function, in ULP of its result."""
    return UNIT_BOUNDS[name, dtype].ulp


def scaled(dtype: str) -> list[Term]:
    """What is added to the argument r, of which |r| ≤ ln 2 / 2, is rounded there once more."""
    return [Term("e^(s − m), scaled", unit("scaled exp", dtype)), Term("what s − m rounds off, added to r", log(2) / 2)]


def plain(dtype: str) -> list[Term]:
    """Nothing is subtracted before."""
    return [Term("e^s", unit("exp, not near overflow", dtype))]


def forms(dtype: str) -> list[Form]:
    """The forms that a format may be computed in."""
    return [
        Form("few numbers", scaled(dtype), 0.0, compensated, compensated),
        Form("many numbers", scaled(dtype), 0.0, *2 * [compensated if dtype == "float64" else in_blocks]),
        Form("many numbers, by the quick forms", plain(dtype), size(plain(dtype)), in_blocks, in_groups),
    ]


def forms_of(name: str, dtype: str) -> list[Form]:
    """Those that a function may be computed in."""
    return forms(dtype)[:2] if name in ALWAYS_CAREFUL else forms(dtype)


def size(terms: list[Term]) -> float:
    """Their sum."""
    return sum(term.size for term in terms)


def times(n: float, terms: list[Term]) -> list[Term]:
    """Terms that count n times."""
    return [Term(f"{n:g} × {term.name}", n * term.size) for term in terms]


def sigmoid(dtype: str) -> list[Term]:
    """$1 / (1 + e)$: the sum has at most the error of e, and its own."""
    e = unit("exp, not near overflow", dtype)
    return [Term("e^(−z)", e), Term("1 + e", 1), Term("the division", LAST_ROUNDING)]


def sigmoid_grad(dtype: str) -> list[Term]:
    """$e / (1 + e (2 + e))$: an error δ of e makes one of δ (1 − e)/(1 + e); e (2 + e) is up to ¾ of what divides."""
    e_error = unit("exp, not near overflow", dtype)

    def share(e: float) -> float:
        return e * (2 + e) / (1 + e) ** 2

    e = max((i / 1000 for i in range(1001)), key=lambda e: e_error * (1 - e) / (1 + e) + 2 * share(e))
    return [
        Term(f"e^(−|z|), where the sum is largest, e = {e:g}", e_error * (1 - e) / (1 + e)),
        Term("2 + e and its product with e", 2 * share(e)),
        Term("1 + e (2 + e)", 1),
        Term("the division", LAST_ROUNDING),
    ]


def softmax(form: Form, dtype: str, classes: int) -> list[Term]:
    r"""$e_k / \sum e$."""
    del dtype
    return [
        *times(2, form.exponential),
        Term("the row's sum", form.additions(classes)),
        Term("the division", LAST_ROUNDING),
    ]


def log_sum(form: Form, dtype: str, classes: int) -> list[Term]:
    r"""$\ln (1 + o)$ relative to itself, o being the others' share of the largest: o ≤ (1 + o) ln(1 + o)."""
    divided = [Term("the largest, and the division by it", form.largest + 1)] if form.largest else []
    by_log1p = [Term("log1p", unit("log1p, from 0", dtype)), *form.exponential, *divided]
    return [*by_log1p, Term("the others' sum", form.of_losses(classes))]


def log_softmax(form: Form, dtype: str, classes: int) -> list[Term]:
    r"""$-((m - s_k) + \ln \sum e)$, of which neither is negative; from a sum of 2 on, its error is over ln 2."""
    return [*log_sum_terms(form, dtype, classes), Term("(s − m) − ln Σ", LAST_ROUNDING)]


def log_sum_terms(form: Form, dtype: str, classes: int) -> list[Term]:
    r"""$\ln Σ$ by the logarithm of a sum Σ of 2 at least, or by log1p of the others' sum: whichever errs more.

    The others' exponentials are 1 − 1/Σ of the sum, and (1 − 1/Σ) / ln Σ is at most 1 / (2 ln 2), for it decreases.
    """
    divided = form.largest + 1 if form.largest else 0
    by_log = [
        Term("log", unit("log", dtype)),
        *times(1 / log(2) / 2, form.exponential),
        Term("the row's sum, divided by ln 2", (form.of_losses(classes) + divided) / log(2)),
    ]
    return max(by_log, log_sum(form, dtype, classes), key=size)


def loss(form: Form, dtype: str, classes: int) -> list[Term]:
    r"""Where the label has the largest logit, log1p of the others' sum; else $δ + \ln T$ with $δ = m - s_i$."""
    label_leads = log_sum(form, dtype, classes)
    label_leads[0] = Term("log1p, the last step", unit_ulp("log1p, from 0", dtype))
    return max(label_leads, loss_of_another(form, dtype, classes), key=size)


def loss_of_another(form: Form, dtype: str, classes: int) -> list[Term]:
    r"""$δ + \ln T$, T = 1 + x and $x = \sum_{l \neq i} e_l - (1 - e_i)$, where that is worst: its error is over T.

    It is worst at few classes and small δ: of the larger values that others have, the errors are a smaller part.
    """
    divided = form.largest + 1 if form.largest else 0
    # A grid of δ, and of the exponentials beside e_i and the largest.
    delta, more = np.meshgrid(np.linspace(0, 10, 501), np.linspace(0, min(classes - 2, 10), 101), indexing="ij")
    e_i = np.exp(-delta)
    x = e_i + more
    value = delta + np.log1p(x)
    sizes = {
        "m − s_i": delta / value,
        "log1p": unit("log1p, from 0", dtype) * np.log1p(x) / value,
        "the exponentials": size(form.exponential) * x / ((1 + x) * value),
        "the others' sum": form.of_losses(classes) * (1 + more) / ((1 + x) * value),
        "1 − e_i, and its subtraction": (1 - e_i + x) / ((1 + x) * value),
        "the largest, and the division by it": divided * x / ((1 + x) * value),
    }
    worst = np.argmax(sum(sizes.values()))
    terms = [Term(name, float(part.flat[worst])) for name, part in sizes.items()]
    return [*terms, Term("the last addition", LAST_ROUNDING)]


def gradient(form: Form, dtype: str, classes: int) -> list[Term]:
    r"""$e_l / (\sum_{k \neq i} e_k + e_i)$, and for the label $\sum_{k \neq i} e_k$ divided by the same."""
    del dtype
    return [
        *times(2, form.exponential),
        Term("the others' sum", form.additions(classes)),
        Term("e_i, added", 1),
        Term("the division", LAST_ROUNDING),
    ]


def jacobian(form: Form, dtype: str, classes: int) -> list[Term]:
    r"""$e_k e_l · 1/(\sum e)^2$; where k leads, on the diagonal, $e_k · \sum_{l \neq k} e_l · 1/(\sum e)^2$.

    Where it doesn't lead, $\sum e - e_k$ is at least half of $\sum e$, and the sum's error counts once and not twice.
    """
    del dtype
    additions = compensated(classes) if classes <= MAX_COMPENSATED else form.additions(classes)
    rounded = [Term("the square, its reciprocal, a product", 3), Term("the last product", LAST_ROUNDING)]
    off_diagonal = [*times(4, form.exponential), Term("2 × the row's sum", 2 * additions)]
    diagonal = [*times(2, form.exponential), Term("2 × the row's sum, the others'", 3 * additions)]
    return [*max(off_diagonal, diagonal, key=size), *rounded]


def hessian(form: Form, dtype: str, classes: int) -> list[Term]:
    r"""The same times $\sum_k y_k$, of which no weight is negative."""
    weighted = [Term("Σ y", form.additions(classes)), Term("its product with the rest", 1)]
    return [*weighted, *jacobian(form, dtype, classes)]


OF_NUMBERS: dict[str, Callable[[str], list[Term]]] = {
    "sigmoid": sigmoid,
    "sigmoid_grad": sigmoid_grad,
    "sigmoid_jacobian": sigmoid_grad,
    "logloss": lambda dtype: [Term("log, the last step", unit_ulp("log", dtype))],
    "logloss_grad": lambda dtype: [Term("the division", LAST_ROUNDING)],
}
OF_ROWS: dict[str, Callable[[Form, str, int], list[Term]]] = {
    "softmax": softmax,
    "log_softmax": log_softmax,
    "softmax_jacobian": jacobian,
    "softmax_cross_entropy": loss,
    "softmax_cross_entropy_grad": gradient,
    "softmax_cross_entropy_hessian": hessian,
}
# What has no quick form.
ALWAYS_CAREFUL = ("softmax_jacobian", "softmax_cross_entropy_hessian", "logloss")


def is_derived(name: str) -> bool:
    """Whether the function's results have a bound of their own, not one of the magnitude."""
    return name in OF_NUMBERS or name in OF_ROWS


def derivation(name: str, dtype: Any, classes: int, few: bool = False) -> list[Term]:
    """The terms of a function's bound in float32 or float64: of the form for few numbers, or of the worst form."""
    dtype = jnp.dtype(dtype).name
    classes = max(classes, 2)  # of one, nothing is rounded
    if name in OF_NUMBERS:
        return OF_NUMBERS[name](dtype)
    may_run = forms_of(name, dtype)[: 1 if few else None]
    return max((OF_ROWS[name](form, dtype, classes) for form in may_run), key=size)


def derived(name: str, dtype: Any, classes: int, few: bool = False) -> float:
    """The bound in ULP of the result; of a 16-bit format, half an ULP beside what float32's is in its ULP."""
    return in_ulp(derivation(name, jnp.promote_types(dtype, jnp.float32), classes, few), dtype)


def in_ulp(terms: list[Term], dtype: Any) -> float:
    """What terms, of float32 or float64, come to in ULP of a result in some format."""
    wide = jnp.promote_types(dtype, jnp.float32)
    bound = size(terms)
    bound += bound**2 * float(jnp.finfo(wide).eps) / 2 + KNOWN_TO  # products of two errors, in ULP
    if wide == jnp.dtype(dtype):
        return bound
    return 0.5 + bound * float(jnp.finfo(wide).eps / jnp.finfo(dtype).eps)
