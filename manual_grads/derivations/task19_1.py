"""Task 19.1, line by line: softmax and its Jacobian. Classes are numbered from 0 here, from 1 in the document."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from manual_grads.derivations.lines import Chain, Draw, Line
from manual_grads.derivations.numbers import I, classes, derivative, exp, sum_over

# Numbers of classes: with two, a sum over the others is one term; with four, there are pairs of others.
SIZES = (2, 3, 4)


def total(s: Any) -> Any:
    """$Σ_i e^{s_i}$."""
    return sum_over(s, lambda i: exp(s[i]))


def g(s: Any, k: int) -> Any:
    """$g_k(s) = e^{s_k} / Σ_l e^{s_l}$, as the document writes it."""
    return exp(s[k]) / total(s)


def logits_and_class(draw: Draw, sizes: Sequence[Any] = SIZES) -> Iterator[tuple[Any, ...]]:
    """Logits and a class: (s, k)."""
    for K in sizes:
        s = draw("s", K)
        yield from ((s, k) for k in classes(K))


def two_classes(draw: Draw, sizes: Sequence[Any] = SIZES) -> Iterator[tuple[Any, ...]]:
    """Logits and two of their classes: (s, k, l)."""
    for K in sizes:
        s = draw("s", K)
        yield from ((s, k, l) for k, l in product(classes(K), repeat=2))


def different_classes(draw: Draw, sizes: Sequence[Any] = SIZES) -> Iterator[tuple[Any, ...]]:
    """Logits and two different classes: (s, k, l) with k ≠ l."""
    return ((s, k, l) for s, k, l in two_classes(draw, sizes) if k != l)


def equal_classes(draw: Draw, sizes: Sequence[Any] = SIZES) -> Iterator[tuple[Any, ...]]:
    """Logits and a class twice: (s, k, l) with k = l."""
    return ((s, k, l) for s, k, l in two_classes(draw, sizes) if k == l)


SOFTMAX = Chain(
    task="19",
    cases=logits_and_class,
    lines=(
        Line("g_k(s_1, …, s_K)", g, reason="the k-th output of the softmax, by its name"),
        Line(
            "e^s_k / Σe^s_l",
            lambda s, k: exp(s[k]) / total(s),
            reason="its definition: an exponential, divided by the sum of all",
        ),
    ),
)

SOFTMAX_OFF_DIAGONAL = Chain(
    task="19.1",
    cases=different_classes,
    lines=(
        Line(
            "∂g_k/∂s_l, k ≠ l",
            lambda s, k, l: derivative(lambda s: g(s, k), s)[l],
            reason="what is looked for, for another class's logit",
        ),
        Line(
            "∂/∂s_l (e^s_k / Σe^s_i)",
            lambda s, k, l: derivative(lambda s: exp(s[k]) / total(s), s)[l],
            reason="g_k is written out",
        ),
        Line(
            "−e^s_k e^s_l / (Σe^s_i)²",
            lambda s, k, l: -exp(s[k]) * exp(s[l]) / total(s) ** 2,
            reason="(1/u)′ = −u′/u²: the numerator doesn't depend on s_l, and of the sum only the term e^s_l does",
        ),
        Line(
            "e^s_k/Σe^s_i · (−e^s_l/Σe^s_i)",
            lambda s, k, l: exp(s[k]) / total(s) * (-exp(s[l]) / total(s)),
            reason="the square is shared out between the two exponentials",
        ),
        Line(
            "g_k (0 − g_l)",
            lambda s, k, l: g(s, k) * (0 - g(s, l)),
            reason="each fraction is a softmax; the 0 is there to be seen beside the 1 of the other case",
        ),
    ),
)

SOFTMAX_DIAGONAL = Chain(
    task="19.1",
    cases=equal_classes,
    lines=(
        Line(
            "∂g_k/∂s_l, k = l",
            lambda s, k, l: derivative(lambda s: g(s, k), s)[l],
            reason="what is looked for, for the class's own logit",
        ),
        Line("∂g_l/∂s_l", lambda s, k, l: derivative(lambda s: g(s, l), s)[l], reason="k and l are the same class"),
        Line(
            "∂/∂s_l (e^s_l / Σe^s_i)",
            lambda s, k, l: derivative(lambda s: exp(s[l]) / total(s), s)[l],
            reason="g_l is written out",
        ),
        Line(
            "e^s_l (Σe^s_i)⁻¹ + e^s_l (−e^s_l/(Σe^s_i)²)",
            lambda s, k, l: exp(s[l]) * total(s) ** -1 + exp(s[l]) * (-exp(s[l]) / total(s) ** 2),
            reason="the product rule for e^s_l · u⁻¹: the numerator depends on s_l as well",
        ),
        Line(
            "e^s_l/Σe^s_i · (1 − e^s_l/Σe^s_i)",
            lambda s, k, l: exp(s[l]) / total(s) * (1 - exp(s[l]) / total(s)),
            reason="e^s_l/Σe^s_i is a common factor",
        ),
        Line("g_l (1 − g_l)", lambda s, k, l: g(s, l) * (1 - g(s, l)), reason="both fractions are g_l"),
        Line(
            "g_k (1 − g_l)",
            lambda s, k, l: g(s, k) * (1 - g(s, l)),
            reason="k = l, so that the first factor may be called g_k: this has the form of the other case",
        ),
    ),
)

SOFTMAX_JACOBIAN = Chain(
    task="19.1",
    cases=two_classes,
    lines=(
        Line("∂g_k/∂s_l", lambda s, k, l: derivative(lambda s: g(s, k), s)[l], reason="both cases together"),
        Line(
            "g_k (I(k=l) − g_l)",
            lambda s, k, l: g(s, k) * (I(k == l) - g(s, l)),
            reason="I(k=l) is 1 in the one case and 0 in the other",
        ),
    ),
)

CHAINS = (SOFTMAX, SOFTMAX_OFF_DIAGONAL, SOFTMAX_DIAGONAL, SOFTMAX_JACOBIAN)
