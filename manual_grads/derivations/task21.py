"""Task 21, line by line: the two-layer network, R = L(g(B·σ(Ax))). Derivatives of a number are row vectors."""

from collections.abc import Iterator, Sequence
from typing import Any

from manual_grads.derivations.lines import Chain, Draw, Line, Misprint
from manual_grads.derivations.numbers import I, classes, derivative, diag, for_each, outer
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
    return for_each(scores, lambda k: g_k(scores, k))


def sigma_prime(sums: Any) -> Any:
    """$σ'(w) = σ(w)(1 − σ(w))$, the last line of Task 18."""
    return sigma(sums) * (1 - sigma(sums))


def g_minus_y(scores: Any, y: int) -> Any:
    """$g(v) − y$, y being the one-hot vector of the label."""
    return for_each(scores, lambda k: g_k(scores, k) - I(y == k))


def R(x: Any, A: Any, B: Any, y: int) -> Any:
    """$R = L(g(B·σ(Ax)))$."""
    return L(g(B @ sigma(A @ x)), y)


def three_factors(x: Any, A: Any, B: Any, y: int) -> Any:
    """$∂L/∂g · ∂g/∂v · ∂v/∂x$."""
    at = v(x, A, B)
    return derivative(lambda p: L(p, y), g(at)) @ derivative(g, at) @ derivative(lambda x: v(x, A, B), x)


def networks(draw: Draw, sizes: Sequence[Any] = SIZES) -> Iterator[tuple[Any, ...]]:
    """A network and a label: (x, A, B, y)."""
    for inputs, hidden, K in sizes:
        x, A, B = draw("x", inputs), draw("A", hidden, inputs), draw("B", K, hidden)
        yield from ((x, A, B, y) for y in classes(K))


LOSS = Chain(
    task="21",
    cases=networks,
    sizes=("inputs", "hidden", "K"),
    lines=(
        Line("R", R, reason="the network's loss for one example"),
        Line(
            "L(g(B·σ(Ax)))",
            lambda x, A, B, y: L(g(B @ sigma(A @ x)), y),
            reason="its definition: a linear layer, the sigmoid, a linear layer, softmax, log-loss",
        ),
        Line("L(g(v(x)))", lambda x, A, B, y: L(g(v(x, A, B)), y), reason="v(x) = B·σ(Ax) gets a name"),
    ),
)

INPUT_GRADIENT = Chain(
    task="21",
    cases=networks,
    sizes=("inputs", "hidden", "K"),
    lines=(
        Line(
            "∂R/∂x",
            lambda x, A, B, y: derivative(lambda x: R(x, A, B, y), x),
            reason="what is looked for, a row vector",
        ),
        Line(
            "∂L/∂g · ∂g/∂v · ∂v/∂x",
            three_factors,
            reason="the chain rule: the factors are Jacobians, the outermost first",
        ),
        Line("∂L/∂g · ∂g/∂v · ∂v/∂x (once more)", three_factors, reason="the document writes it twice"),
        Line(
            "∂L/∂v · ∂v/∂x",
            lambda x, A, B, y: derivative(lambda u: L(g(u), y), v(x, A, B)) @ derivative(lambda x: v(x, A, B), x),
            reason="the first two factors are one: the derivative of the log-loss of a softmax",
        ),
        Line(
            "∂L/∂v · ∂(B·σ(w))/∂x",
            lambda x, A, B, y: (
                derivative(lambda u: L(g(u), y), v(x, A, B)) @ derivative(lambda x: B @ sigma(w(x, A)), x)
            ),
            reason="v is written out, with w = Ax",
        ),
        Line(
            "∂L/∂v · ∂(B·σ(w))/∂σ · ∂σ/∂x",
            lambda x, A, B, y: (
                derivative(lambda u: L(g(u), y), v(x, A, B))
                @ derivative(lambda h: B @ h, sigma(A @ x))
                @ derivative(lambda x: sigma(A @ x), x)
            ),
            reason="the chain rule once more, for the second layer's input σ",
        ),
        Line(
            "∂R/∂v · ∂(B·σ(Ax))/∂σ(Ax) · ∂σ(Ax)/∂Ax · ∂Ax/∂x",
            lambda x, A, B, y: (
                derivative(lambda u: L(g(u), y), v(x, A, B))
                @ derivative(lambda h: B @ h, sigma(A @ x))
                @ derivative(sigma, A @ x)
                @ derivative(lambda x: A @ x, x)
            ),
            reason="and once more, for the first layer's output Ax",
        ),
        Line(
            "(g − y) · B · diag(σ') · A",
            lambda x, A, B, y: g_minus_y(v(x, A, B), y) @ B @ diag(sigma_prime(A @ x)) @ A,
            reason="each factor in its closed form: the four short derivations below",
        ),
    ),
)

FACTOR_R_V = Chain(
    task="21",
    cases=networks,
    sizes=("inputs", "hidden", "K"),
    lines=(
        Line("∂R/∂v", lambda x, A, B, y: derivative(lambda u: L(g(u), y), v(x, A, B)), reason="the first factor"),
        Line(
            "g − y, y one-hot",
            lambda x, A, B, y: g_minus_y(v(x, A, B), y),
            Misprint(
                "g − y",
                lambda x, A, B, y: g(v(x, A, B)) - (y + 1),
                "in Task 19 y is the number of a class (from 1); what is subtracted here is its one-hot vector",
            ),
            reason="Task 19.3, for all classes at once",
        ),
    ),
)

FACTOR_V_SIGMA = Chain(
    task="21",
    cases=networks,
    sizes=("inputs", "hidden", "K"),
    lines=(
        Line(
            "∂(B·σ(Ax))/∂σ(Ax)",
            lambda x, A, B, y: derivative(lambda h: B @ h, sigma(A @ x)),
            reason="the second factor",
        ),
        Line("B", lambda x, A, B, y: B, reason="a linear function's Jacobian is its matrix"),
    ),
)

FACTOR_SIGMA_W = Chain(
    task="21",
    cases=networks,
    sizes=("inputs", "hidden", "K"),
    lines=(
        Line("∂σ(Ax)/∂Ax", lambda x, A, B, y: derivative(sigma, A @ x), reason="the third factor"),
        Line(
            "diag(σ')",
            lambda x, A, B, y: diag(sigma_prime(A @ x)),
            reason="each output depends on its own input alone, so the Jacobian is diagonal (Task 18)",
        ),
    ),
)

FACTOR_W_X = Chain(
    task="21",
    cases=networks,
    sizes=("inputs", "hidden", "K"),
    lines=(
        Line("∂Ax/∂x", lambda x, A, B, y: derivative(lambda x: A @ x, x), reason="the fourth factor"),
        Line("A", lambda x, A, B, y: A, reason="a linear function's Jacobian is its matrix"),
    ),
)

A_GRADIENT = Chain(
    task="21",
    cases=networks,
    sizes=("inputs", "hidden", "K"),
    lines=(
        Line(
            "∂R/∂A",
            lambda x, A, B, y: derivative(lambda A: R(x, A, B, y), A),
            reason="what is looked for, a matrix of A's shape",
        ),
        Line(
            "((g − y) · B · diag(σ'))ᵀ xᵀ",
            lambda x, A, B, y: outer(g_minus_y(v(x, A, B), y) @ B @ diag(sigma_prime(A @ x)), x),
            Misprint(
                "(g − y) · B · diag(σ') · x",
                lambda x, A, B, y: g_minus_y(v(x, A, B), y) @ B @ diag(sigma_prime(A @ x)) @ x,
                "the shapes don't multiply: [hidden] · [inputs]; it is an outer product, hidden × inputs, as A is",
            ),
            reason="A_ij enters only through w_i, where it is multiplied by x_j: an outer product",
        ),
    ),
)

B_GRADIENT = Chain(
    task="21",
    cases=networks,
    sizes=("inputs", "hidden", "K"),
    lines=(
        Line(
            "∂R/∂B",
            lambda x, A, B, y: derivative(lambda B: R(x, A, B, y), B),
            reason="what is looked for, a matrix of B's shape",
        ),
        Line(
            "(g − y)ᵀ σ(Ax)ᵀ",
            lambda x, A, B, y: outer(g_minus_y(v(x, A, B), y), sigma(A @ x)),
            Misprint(
                "(g − y) · σ(Ax)",
                lambda x, A, B, y: g_minus_y(v(x, A, B), y) @ sigma(A @ x),
                "the shapes don't multiply: [classes] · [hidden]; it is an outer product, classes × hidden, as B is",
            ),
            reason="B_kj enters only through v_k, where it is multiplied by σ(Ax)_j: an outer product",
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
