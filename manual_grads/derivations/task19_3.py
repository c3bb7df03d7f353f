"""Task 19.3, line by line: log-loss of softmax and its gradient with respect to the logits."""

from collections.abc import Iterator, Sequence
from typing import Any

from manual_grads.derivations.lines import Chain, Draw, Line, Misprint
from manual_grads.derivations.numbers import I, classes, derivative, exp, log, size, sum_over
from manual_grads.derivations.task19_1 import (
    SIZES,
    different_classes,
    equal_classes,
    g,
    logits_and_class,
    total,
    two_classes,
)


def R(s: Any, y: int) -> Any:
    """$R = −Σ_k I(y=k) ln g_k(s)$."""
    return -sum_over(s, lambda k: I(y == k) * log(g(s, k)))


def share(s: Any, y: int, k: int) -> Any:
    """The k-th term of R in its last form: $−I(y=k) (s_k − ln Σ_i e^{s_i})$."""
    return -I(y == k) * (s[k] - log(total(s)))


def logits_label_and_different_classes(draw: Draw, sizes: Sequence[Any] = SIZES) -> Iterator[tuple[Any, ...]]:
    """Logits, a label and two different classes: (s, y, k, l) with k ≠ l."""
    return ((s, y, k, l) for s, k, l in different_classes(draw, sizes) for y in classes(size(s)))


def logits_label_and_equal_classes(draw: Draw, sizes: Sequence[Any] = SIZES) -> Iterator[tuple[Any, ...]]:
    """Logits, a label and a class twice: (s, y, k, l) with k = l."""
    return ((s, y, k, l) for s, k, l in equal_classes(draw, sizes) for y in classes(size(s)))


CROSS_ENTROPY = Chain(
    task="19.3",
    cases=logits_and_class,  # (s, y)
    lines=(
        Line("R", R, reason="the log-loss of a softmax, as a function of the logits"),
        Line(
            "−Σ_k I(y=k) ln g_k",
            lambda s, y: -sum_over(s, lambda k: I(y == k) * log(g(s, k))),
            reason="its definition (Task 19.2)",
        ),
        Line(
            "−Σ_k I(y=k) ln(e^s_k / Σe^s_i)",
            lambda s, y: -sum_over(s, lambda k: I(y == k) * log(exp(s[k]) / total(s))),
            Misprint(
                "−Σ_k I(y=k) ln(e^s_k / (Σe^s_i)²)",
                lambda s, y: -sum_over(s, lambda k: I(y == k) * log(exp(s[k]) / total(s) ** 2)),
                "g_k has no square; with it, the gradient would be 2g − y",
            ),
            reason="g_k is written out (Task 19.1)",
        ),
        Line(
            "−Σ_k I(y=k) (ln e^s_k − ln Σe^s_i)",
            lambda s, y: -sum_over(s, lambda k: I(y == k) * (log(exp(s[k])) - log(total(s)))),
            reason="the logarithm of a quotient is a difference",
        ),
        Line(
            "−Σ_k I(y=k) (s_k − ln Σe^s_i)",
            lambda s, y: -sum_over(s, lambda k: I(y == k) * (s[k] - log(total(s)))),
            reason="ln and e^ cancel: the exponential of the label's logit is never needed",
        ),
    ),
)

CASE_HEADING = "the case is written as if it were all of ∂R/∂s_l; it is the share of the k-th term, and R is their sum"

CROSS_ENTROPY_EQUAL = Chain(
    task="19.3",
    cases=logits_label_and_equal_classes,
    lines=(
        Line(
            "the k-th term's share of ∂R/∂s_l, k = l",
            lambda s, y, k, l: derivative(lambda s: share(s, y, k), s)[l],
            Misprint("∂R/∂s_l, k = l", lambda s, y, k, l: derivative(lambda s: R(s, y), s)[l], CASE_HEADING),
            reason="one term of the sum, differentiated in its own class's logit",
        ),
        Line(
            "∂/∂s_l (−I(y=l) (s_l − ln Σe^s_i))",
            lambda s, y, k, l: derivative(lambda s: -I(y == l) * (s[l] - log(total(s))), s)[l],
            reason="k and l are the same class; the term is written out",
        ),
        Line(
            "−I(y=l) (1 − e^s_l/Σe^s_i)",
            lambda s, y, k, l: -I(y == l) * (1 - exp(s[l]) / total(s)),
            reason="s_l has the derivative 1; ln u has u′/u, and only e^s_l of the sum depends on s_l",
        ),
        Line(
            "−I(y=l) (1 − g_l)", lambda s, y, k, l: -I(y == l) * (1 - g(s, l)), reason="the fraction is g_l (Task 19.1)"
        ),
        Line("−I(y=l) + I(y=l)·g_l", lambda s, y, k, l: -I(y == l) + I(y == l) * g(s, l), reason="multiplied out"),
    ),
)

CROSS_ENTROPY_DIFFERENT = Chain(
    task="19.3",
    cases=logits_label_and_different_classes,
    lines=(
        Line(
            "the k-th term's share of ∂R/∂s_l, k ≠ l",
            lambda s, y, k, l: derivative(lambda s: share(s, y, k), s)[l],
            Misprint("∂R/∂s_l, k ≠ l", lambda s, y, k, l: derivative(lambda s: R(s, y), s)[l], CASE_HEADING),
            reason="one term of the sum, differentiated in another class's logit",
        ),
        Line(
            "∂/∂s_l (−I(y=k) (s_k − ln Σe^s_i))",
            lambda s, y, k, l: derivative(lambda s: -I(y == k) * (s[k] - log(total(s))), s)[l],
            reason="the term is written out",
        ),
        Line(
            "−I(y=k) (−e^s_l/Σe^s_i)",
            lambda s, y, k, l: -I(y == k) * (-exp(s[l]) / total(s)),
            reason="s_k doesn't depend on s_l; ln u has u′/u as before",
        ),
        Line(
            "I(y=k)·g_l",
            lambda s, y, k, l: I(y == k) * g(s, l),
            Misprint(
                "I(y=l)·g_l",
                lambda s, y, k, l: I(y == l) * g(s, l),
                "the indicator of the line before, I(y=k), has become I(y=l)",
            ),
            reason="the fraction is g_l, and two minus signs cancel",
        ),
    ),
)

CROSS_ENTROPY_GRADIENT = Chain(
    task="19.3",
    cases=two_classes,  # (s, y, l)
    lines=(
        Line(
            "∂R/∂s_l",
            lambda s, y, l: derivative(lambda s: R(s, y), s)[l],
            reason="what is looked for: all terms together",
        ),
        Line(
            "∂/∂s_l (−Σ_k I(y=k) (s_k − ln Σe^s_i))",
            lambda s, y, l: derivative(lambda s: sum_over(s, lambda k: share(s, y, k)), s)[l],
            reason="R in its last form",
        ),
        Line(
            "(Σ_k I(y=k)) g_l − I(y=l)",
            lambda s, y, l: sum_over(s, lambda k: I(y == k)) * g(s, l) - I(y == l),
            reason="the sum of both cases: g_l comes from every term, −I(y=l) from the l-th alone",
        ),
        Line(
            "g_l − I(y=l)",
            lambda s, y, l: g(s, l) - I(y == l),
            reason="the indicators add up to 1: an example has one label",
        ),
    ),
)

CHAINS = (CROSS_ENTROPY, CROSS_ENTROPY_EQUAL, CROSS_ENTROPY_DIFFERENT, CROSS_ENTROPY_GRADIENT)
