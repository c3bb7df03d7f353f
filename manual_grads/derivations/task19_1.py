"""Task 19.1, line by line: softmax and its Jacobian. Classes are numbered from 0 here, from 1 in the document."""

from collections.abc import Iterator
from itertools import product
from typing import Any

from manual_grads.derivations.lines import Chain, Draw, Line
from manual_grads.derivations.numbers import I, derivative, exp

# Numbers of classes: with two, a sum over the others is one term; with four, there are pairs of others.
SIZES = (2, 3, 4)


def total(s: Any) -> Any:
    """$Σ_i e^{s_i}$."""
    return sum(exp(s_i) for s_i in s)


def g(s: Any, k: int) -> Any:
    """$g_k(s) = e^{s_k} / Σ_l e^{s_l}$, as the document writes it."""
    return exp(s[k]) / total(s)


def logits_and_class(draw: Draw) -> Iterator[tuple[Any, ...]]:
    """Logits and a class: (s, k)."""
    for K in SIZES:
        s = draw("s", K)
        yield from ((s, k) for k in range(K))


def two_classes(draw: Draw) -> Iterator[tuple[Any, ...]]:
    """Logits and two of their classes: (s, k, l)."""
    for K in SIZES:
        s = draw("s", K)
        yield from ((s, k, l) for k, l in product(range(K), repeat=2))


def different_classes(draw: Draw) -> Iterator[tuple[Any, ...]]:
    """Logits and two different classes: (s, k, l) with k ≠ l."""
    return ((s, k, l) for s, k, l in two_classes(draw) if k != l)


def equal_classes(draw: Draw) -> Iterator[tuple[Any, ...]]:
    """Logits and a class twice: (s, k, l) with k = l."""
    return ((s, k, l) for s, k, l in two_classes(draw) if k == l)


SOFTMAX = Chain(
    task="19",
    cases=logits_and_class,
    lines=(
        Line("g_k(s_1, …, s_K)", g),
        Line("e^s_k / Σe^s_l", lambda s, k: exp(s[k]) / total(s)),
    ),
)

SOFTMAX_OFF_DIAGONAL = Chain(
    task="19.1",
    cases=different_classes,
    lines=(
        Line("∂g_k/∂s_l, k ≠ l", lambda s, k, l: derivative(lambda s: g(s, k), s)[l]),
        Line("∂/∂s_l (e^s_k / Σe^s_i)", lambda s, k, l: derivative(lambda s: exp(s[k]) / total(s), s)[l]),
        Line("−e^s_k e^s_l / (Σe^s_i)²", lambda s, k, l: -exp(s[k]) * exp(s[l]) / total(s) ** 2),
        Line("e^s_k/Σe^s_i · (−e^s_l/Σe^s_i)", lambda s, k, l: exp(s[k]) / total(s) * (-exp(s[l]) / total(s))),
        Line("g_k (0 − g_l)", lambda s, k, l: g(s, k) * (0 - g(s, l))),
    ),
)

SOFTMAX_DIAGONAL = Chain(
    task="19.1",
    cases=equal_classes,
    lines=(
        Line("∂g_k/∂s_l, k = l", lambda s, k, l: derivative(lambda s: g(s, k), s)[l]),
        Line("∂g_l/∂s_l", lambda s, k, l: derivative(lambda s: g(s, l), s)[l]),
        Line("∂/∂s_l (e^s_l / Σe^s_i)", lambda s, k, l: derivative(lambda s: exp(s[l]) / total(s), s)[l]),
        Line(
            "e^s_l (Σe^s_i)⁻¹ + e^s_l (−e^s_l/(Σe^s_i)²)",
            lambda s, k, l: exp(s[l]) * total(s) ** -1 + exp(s[l]) * (-exp(s[l]) / total(s) ** 2),
        ),
        Line("e^s_l/Σe^s_i · (1 − e^s_l/Σe^s_i)", lambda s, k, l: exp(s[l]) / total(s) * (1 - exp(s[l]) / total(s))),
        Line("g_l (1 − g_l)", lambda s, k, l: g(s, l) * (1 - g(s, l))),
        Line("g_k (1 − g_l)", lambda s, k, l: g(s, k) * (1 - g(s, l))),
    ),
)

SOFTMAX_JACOBIAN = Chain(
    task="19.1",
    cases=two_classes,
    lines=(
        Line("∂g_k/∂s_l", lambda s, k, l: derivative(lambda s: g(s, k), s)[l]),
        Line("g_k (I(k=l) − g_l)", lambda s, k, l: g(s, k) * (I(k == l) - g(s, l))),
    ),
)

CHAINS = (SOFTMAX, SOFTMAX_OFF_DIAGONAL, SOFTMAX_DIAGONAL, SOFTMAX_JACOBIAN)
