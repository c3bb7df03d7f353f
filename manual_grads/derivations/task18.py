"""Task 18, line by line: the derivative of the sigmoid."""

from collections.abc import Iterator
from typing import Any

from manual_grads.derivations.lines import Chain, Draw, Line
from manual_grads.derivations.numbers import derivative, exp


def sigma(z: Any) -> Any:
    """$σ(z) = 1 / (1 + e^{-z})$, as the document writes it."""
    return 1 / (1 + exp(-z))


def numbers(draw: Draw) -> Iterator[tuple[Any, ...]]:
    """A number z."""
    yield (draw("z"),)


SIGMOID = Chain(
    task="18",
    cases=numbers,
    lines=(Line("σ(z)", sigma), Line("1 / (1 + e^(−z))", lambda z: 1 / (1 + exp(-z)))),
)

SIGMOID_DERIVATIVE = Chain(
    task="18",
    cases=numbers,
    lines=(
        Line("σ'(z)", lambda z: derivative(sigma, z)),
        Line("−(1 + e^(−z))' / (1 + e^(−z))²", lambda z: -derivative(lambda z: 1 + exp(-z), z) / (1 + exp(-z)) ** 2),
        Line("−((−1)·e^(−z)) / (1 + e^(−z))²", lambda z: -((-1) * exp(-z)) / (1 + exp(-z)) ** 2),
        Line("e^(−z) / (1 + e^(−z))²", lambda z: exp(-z) / (1 + exp(-z)) ** 2),
        Line("1/(1 + e^(−z)) · e^(−z)/(1 + e^(−z))", lambda z: 1 / (1 + exp(-z)) * (exp(-z) / (1 + exp(-z)))),
        Line("σ · (1 + e^(−z) − 1)/(1 + e^(−z))", lambda z: sigma(z) * ((1 + exp(-z) - 1) / (1 + exp(-z)))),
        Line("σ·(1 − 1/(1 + e^(−z)))", lambda z: sigma(z) * (1 - 1 / (1 + exp(-z)))),
        Line("σ·(1 − σ)", lambda z: sigma(z) * (1 - sigma(z))),
    ),
)

CHAINS = (SIGMOID, SIGMOID_DERIVATIVE)
