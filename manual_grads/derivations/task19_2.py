"""Task 19.2, line by line: log-loss and its gradient with respect to the probabilities."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from manual_grads.derivations.lines import Chain, Draw, Line, Misprint
from manual_grads.derivations.numbers import I, classes, derivative, log, sum_over
from manual_grads.derivations.task19_1 import SIZES


def R(g: Any, y: int) -> Any:
    """$R = −Σ_k I(y=k) ln g_k$, as the document writes it."""
    return -sum_over(g, lambda k: I(y == k) * log(g[k]))


def probabilities_label_and_class(draw: Draw, sizes: Sequence[Any] = SIZES) -> Iterator[tuple[Any, ...]]:
    """Probabilities (any positive numbers will do), a label and a class: (g, y, k)."""
    for K in sizes:
        g = draw("g", K, positive=True)
        yield from ((g, y, k) for y, k in product(classes(K), repeat=2))


LOGLOSS_GRADIENT = Chain(
    task="19.2",
    cases=probabilities_label_and_class,
    lines=(
        Line(
            "∂R/∂g_k",
            lambda g, y, k: derivative(lambda g: R(g, y), g)[k],
            reason="what is looked for, for each probability",
        ),
        Line(
            "∂/∂g_k (−Σ_j I(y=j) ln g_j)",
            lambda g, y, k: derivative(lambda g: -sum_over(g, lambda j: I(y == j) * log(g[j])), g)[k],
            reason="R is written out; j runs over the classes, since k is taken",
        ),
        Line(
            "∂/∂g_k (−I(y=k) ln g_k)",
            lambda g, y, k: derivative(lambda g: -I(y == k) * log(g[k]), g)[k],
            Misprint(
                "∂/∂g_k (−I(y) ln g_k)",
                lambda g, y, k: derivative(lambda g: -log(g[k]), g)[k],
                "the indicator has lost its '= k': without it, every class has the label's gradient",
            ),
            reason="only the term of g_k depends on g_k",
        ),
        Line(
            "−I(y=k) ∂/∂g_k ln g_k",
            lambda g, y, k: -I(y == k) * derivative(lambda g: log(g[k]), g)[k],
            Misprint(
                "−I(y) ∂/∂g_k Σ_k ln g_k",
                lambda g, y, k: -derivative(lambda g: sum_over(g, lambda j: log(g[j])), g)[k],
                "an indicator that depends on k can't be pulled out of the sum over k",
            ),
            reason="the indicator is a constant",
        ),
        Line(
            "−I(y=k) · 1/g_k",
            lambda g, y, k: -I(y == k) * (1 / g[k]),
            Misprint("−I(y) · 1/g_k", lambda g, y, k: -(1 / g[k]), "the '= k' is still missing"),
            reason="(ln u)′ = 1/u",
        ),
        Line(
            "−I(y=k)/g_k",
            lambda g, y, k: -I(y == k) / g[k],
            Misprint("−I(y)/g_k", lambda g, y, k: -1 / g[k], "the '= k' is still missing, here in the result"),
            reason="as one fraction",
        ),
    ),
)

CHAINS = (LOGLOSS_GRADIENT,)
