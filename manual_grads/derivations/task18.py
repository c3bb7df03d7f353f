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
    sizes=(),
    lines=(
        Line("σ(z)", sigma, reason="the sigmoid, by its name"),
        Line("1 / (1 + e^(−z))", lambda z: 1 / (1 + exp(-z)), reason="what the name stands for"),
    ),
)

SIGMOID_DERIVATIVE = Chain(
    task="18",
    cases=numbers,
    sizes=(),
    lines=(
        Line(
            "σ'(z)",
            lambda z: derivative(sigma, z),
            reason="what is looked for: the derivative of 1/u with u = 1 + e^(−z)",
        ),
        Line(
            "−(1 + e^(−z))' / (1 + e^(−z))²",
            lambda z: -derivative(lambda z: 1 + exp(-z), z) / (1 + exp(-z)) ** 2,
            reason="(1/u)′ = −u′/u²: the reciprocal's rule",
        ),
        Line(
            "−((−1)·e^(−z)) / (1 + e^(−z))²",
            lambda z: -((-1) * exp(-z)) / (1 + exp(-z)) ** 2,
            reason="u′ = (1 + e^(−z))′ = −e^(−z): the chain rule, the inner derivative being −1",
        ),
        Line("e^(−z) / (1 + e^(−z))²", lambda z: exp(-z) / (1 + exp(-z)) ** 2, reason="two minus signs cancel"),
        Line(
            "1/(1 + e^(−z)) · e^(−z)/(1 + e^(−z))",
            lambda z: 1 / (1 + exp(-z)) * (exp(-z) / (1 + exp(-z))),
            reason="the square is shared out: one factor 1 + e^(−z) under each fraction",
        ),
        Line(
            "σ · (1 + e^(−z) − 1)/(1 + e^(−z))",
            lambda z: sigma(z) * ((1 + exp(-z) - 1) / (1 + exp(-z))),
            reason="the first fraction is σ; in the second, 1 is added to the numerator and taken away again",
        ),
        Line(
            "σ·(1 − 1/(1 + e^(−z)))",
            lambda z: sigma(z) * (1 - 1 / (1 + exp(-z))),
            reason="the fraction is split in two, of which the first is 1",
        ),
        Line(
            "σ·(1 − σ)",
            lambda z: sigma(z) * (1 - sigma(z)),
            reason="what is subtracted is σ: the derivative needs the value alone",
        ),
    ),
)

CHAINS = (SIGMOID, SIGMOID_DERIVATIVE)
