"""Task 21, line by line: the two-layer network, R = L(g(B·σ(Ax))). Derivatives of a number are row vectors."""

from collections.abc import Iterator
from typing import Any

from manual_grads.derivations.lines import Chain, Draw, Line, Misprint
from manual_grads.derivations.numbers import I, derivative, diag, outer, vector
from manual_grads.derivations.task18 import sigma
from manual_grads.derivations.task19_1 import g as g_k
from manual_grads.derivations.task19_2 import R as L

# Of the networks: inputs, hidden units, classes.
SIZES = ((2, 2, 2), (2, 3, 2))


def w(x: Any, A: Any) -> Any:
    """$w(x) = Ax$."""
    return A @ x


def v(x: Any, A: Any, B: Any) -> Any:
    """$v(x) = B·σ(Ax)$."""
    return B @ sigma(A @ x)


def g(scores: Any) -> Any:
    """$g(v)$, the softmax of Task 19, as a vector."""
    return vector([g_k(scores, k) for k in range(len(scores))])


def sigma_prime(sums: Any) -> Any:
    """$σ'(w) = σ(w)(1 − σ(w))$, the last line of Task 18."""
    return sigma(sums) * (1 - sigma(sums))


def g_minus_y(scores: Any, y: int) -> Any:
    """$g(v) − y$, y being the one-hot vector of the label."""
    return vector([g_k(scores, k) - I(y == k) for k in range(len(scores))])


def R(x: Any, A: Any, B: Any, y: int) -> Any:
    """$R = L(g(B·σ(Ax)))$."""
    return L(g(B @ sigma(A @ x)), y)


def three_factors(x: Any, A: Any, B: Any, y: int) -> Any:
    """$∂L/∂g · ∂g/∂v · ∂v/∂x$."""
    at = v(x, A, B)
    return derivative(lambda p: L(p, y), g(at)) @ derivative(g, at) @ derivative(lambda x: v(x, A, B), x)


def networks(draw: Draw) -> Iterator[tuple[Any, ...]]:
    """A network and a label: (x, A, B, y)."""
    for inputs, hidden, classes in SIZES:
        x, A, B = draw("x", inputs), draw("A", hidden, inputs), draw("B", classes, hidden)
        yield from ((x, A, B, y) for y in range(classes))


LOSS = Chain(
    task="21",
    cases=networks,
    lines=(
        Line("R", R),
        Line("L(g(B·σ(Ax)))", lambda x, A, B, y: L(g(B @ sigma(A @ x)), y)),
        Line("L(g(v(x)))", lambda x, A, B, y: L(g(v(x, A, B)), y)),
    ),
)

INPUT_GRADIENT = Chain(
    task="21",
    cases=networks,
    lines=(
        Line("∂R/∂x", lambda x, A, B, y: derivative(lambda x: R(x, A, B, y), x)),
        Line("∂L/∂g · ∂g/∂v · ∂v/∂x", three_factors),
        Line("∂L/∂g · ∂g/∂v · ∂v/∂x (once more)", three_factors),
        Line(
            "∂L/∂v · ∂v/∂x",
            lambda x, A, B, y: derivative(lambda u: L(g(u), y), v(x, A, B)) @ derivative(lambda x: v(x, A, B), x),
        ),
        Line(
            "∂L/∂v · ∂(B·σ(w))/∂x",
            lambda x, A, B, y: (
                derivative(lambda u: L(g(u), y), v(x, A, B)) @ derivative(lambda x: B @ sigma(w(x, A)), x)
            ),
        ),
        Line(
            "∂L/∂v · ∂(B·σ(w))/∂σ · ∂σ/∂x",
            lambda x, A, B, y: (
                derivative(lambda u: L(g(u), y), v(x, A, B))
                @ derivative(lambda h: B @ h, sigma(A @ x))
                @ derivative(lambda x: sigma(A @ x), x)
            ),
        ),
        Line(
            "∂R/∂v · ∂(B·σ(Ax))/∂σ(Ax) · ∂σ(Ax)/∂Ax · ∂Ax/∂x",
            lambda x, A, B, y: (
                derivative(lambda u: L(g(u), y), v(x, A, B))
                @ derivative(lambda h: B @ h, sigma(A @ x))
                @ derivative(sigma, A @ x)
                @ derivative(lambda x: A @ x, x)
            ),
        ),
        Line(
            "(g − y) · B · diag(σ') · A",
            lambda x, A, B, y: g_minus_y(v(x, A, B), y) @ B @ diag(sigma_prime(A @ x)) @ A,
        ),
    ),
)

FACTOR_R_V = Chain(
    task="21",
    cases=networks,
    lines=(
        Line("∂R/∂v", lambda x, A, B, y: derivative(lambda u: L(g(u), y), v(x, A, B))),
        Line(
            "g − y, y one-hot",
            lambda x, A, B, y: g_minus_y(v(x, A, B), y),
            Misprint(
                "g − y",
                lambda x, A, B, y: g(v(x, A, B)) - (y + 1),
                "in Task 19 y is the number of a class (from 1); what is subtracted here is its one-hot vector",
            ),
        ),
    ),
)

FACTOR_V_SIGMA = Chain(
    task="21",
    cases=networks,
    lines=(
        Line("∂(B·σ(Ax))/∂σ(Ax)", lambda x, A, B, y: derivative(lambda h: B @ h, sigma(A @ x))),
        Line("B", lambda x, A, B, y: B),
    ),
)

FACTOR_SIGMA_W = Chain(
    task="21",
    cases=networks,
    lines=(
        Line("∂σ(Ax)/∂Ax", lambda x, A, B, y: derivative(sigma, A @ x)),
        Line("diag(σ')", lambda x, A, B, y: diag(sigma_prime(A @ x))),
    ),
)

FACTOR_W_X = Chain(
    task="21",
    cases=networks,
    lines=(
        Line("∂Ax/∂x", lambda x, A, B, y: derivative(lambda x: A @ x, x)),
        Line("A", lambda x, A, B, y: A),
    ),
)

A_GRADIENT = Chain(
    task="21",
    cases=networks,
    lines=(
        Line("∂R/∂A", lambda x, A, B, y: derivative(lambda A: R(x, A, B, y), A)),
        Line(
            "((g − y) · B · diag(σ'))ᵀ xᵀ",
            lambda x, A, B, y: outer(g_minus_y(v(x, A, B), y) @ B @ diag(sigma_prime(A @ x)), x),
            Misprint(
                "(g − y) · B · diag(σ') · x",
                lambda x, A, B, y: g_minus_y(v(x, A, B), y) @ B @ diag(sigma_prime(A @ x)) @ x,
                "the shapes don't multiply: [hidden] · [inputs]; it is an outer product, hidden × inputs, as A is",
            ),
        ),
    ),
)

B_GRADIENT = Chain(
    task="21",
    cases=networks,
    lines=(
        Line("∂R/∂B", lambda x, A, B, y: derivative(lambda B: R(x, A, B, y), B)),
        Line(
            "(g − y)ᵀ σ(Ax)ᵀ",
            lambda x, A, B, y: outer(g_minus_y(v(x, A, B), y), sigma(A @ x)),
            Misprint(
                "(g − y) · σ(Ax)",
                lambda x, A, B, y: g_minus_y(v(x, A, B), y) @ sigma(A @ x),
                "the shapes don't multiply: [classes] · [hidden]; it is an outer product, classes × hidden, as B is",
            ),
        ),
    ),
)

CHAINS = (
    LOSS,
    INPUT_GRADIENT,
    FACTOR_R_V,
    FACTOR_V_SIGMA,
    FACTOR_SIGMA_W,
    FACTOR_W_X,
    A_GRADIENT,
    B_GRADIENT,
)
