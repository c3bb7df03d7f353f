r"""Beyond the document: what language models put around the loss of a linear layer, $R = L(g(\alpha Bh + b))$.

Each option of `nn.linear_softmax_cross_entropy` has a chain, and all of them together have one.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from manual_grads.derivations.lines import Chain, Draw, Line
from manual_grads.derivations.numbers import I, classes, derivative, exp, for_each, log, outer, size, sum_over
from manual_grads.derivations.task19_1 import g, total
from manual_grads.derivations.task19_3 import R

TASK = "beyond"


def ln_Z(s: Any) -> Any:
    """$ln Z = ln Σ_k e^{s_k}$."""
    return log(total(s))


def tanh(z: Any) -> Any:
    """$tanh z = (1 − e^{−2z}) / (1 + e^{−2z})$."""
    return (1 - exp(-2 * z)) / (1 + exp(-2 * z))


def cap(s: Any, c: Any) -> Any:
    """$s' = c·tanh(s/c)$, elementwise."""
    return c * tanh(s / c)


def smoothed(y: int, k: int, eps: Any, K: Any) -> Any:
    """$y'_k = (1 − ε) I(k=y) + ε/K$."""
    return (1 - eps) * I(k == y) + eps / K


def R_smoothed(s: Any, y: int, eps: Any) -> Any:
    """$−Σ_k y'_k ln g_k$."""
    return -sum_over(s, lambda k: smoothed(y, k, eps, size(s)) * log(g(s, k)))


def cost(s: Any, y: int, eps: Any, lam: Any, w: Any) -> Any:
    """$w_y R + λ (ln Z)²$, R being the loss of the smoothed label."""
    return w * R_smoothed(s, y, eps) + lam * ln_Z(s) ** 2


def a_logit_and_a_cap(draw: Draw) -> Iterator[tuple[Any, ...]]:
    """A logit and a cap: (s, c)."""
    yield draw("s"), draw("c", positive=True)


def logits_label_class_and_number(draw: Draw, sizes: Sequence[Any] = (2, 3)) -> Iterator[tuple[Any, ...]]:
    """Logits, a label, a class and a number: (s, y, l, a)."""
    for K in sizes:
        s, number = draw("s", K), draw("a", positive=True)
        yield from ((s, y, l, number) for y in classes(K) for l in classes(K))


def everything(draw: Draw, sizes: Sequence[Any] = (2,)) -> Iterator[tuple[Any, ...]]:
    """Logits before the cap, a label, a class, and the numbers c, ε, λ and w_y."""
    for K in sizes:
        s, numbers = draw("s", K), [draw(name, positive=True) for name in ("c", "ε", "λ", "w")]
        yield from ((s, y, l, *numbers) for y in classes(K) for l in classes(K))


def layers(draw: Draw, sizes: Sequence[Any] = ((2, 2),)) -> Iterator[tuple[Any, ...]]:
    """A layer with bias and scale, and a label: (h, B, b, α, y)."""
    for features, K in sizes:
        h, B, b, scale = draw("h", features), draw("B", K, features), draw("b", K), draw("α", positive=True)
        yield from ((h, B, b, scale, y) for y in classes(K))


def logits(h: Any, B: Any, b: Any, scale: Any) -> Any:
    """$s = α B h + b$."""
    products = B @ h
    return for_each(b, lambda k: scale * products[k] + b[k])


def g_minus_y(h: Any, B: Any, b: Any, scale: Any, y: int) -> Any:
    """$g(s) − y$ as a vector."""
    s = logits(h, B, b, scale)
    return for_each(s, lambda k: g(s, k) - I(k == y))


def loss(h: Any, B: Any, b: Any, scale: Any, y: int) -> Any:
    """$R(α B h + b)$."""
    return R(logits(h, B, b, scale), y)


BIAS = Chain(
    TASK,
    layers,
    sizes=("features", "K"),
    lines=(
        Line(
            "∂R/∂b",
            lambda h, B, b, scale, y: derivative(lambda b: loss(h, B, b, scale, y), b),
            reason="what is looked for, for the bias",
        ),
        Line(
            "∂R/∂s · ∂(αBh + b)/∂b",
            lambda h, B, b, scale, y: derivative(lambda s: R(s, y), logits(h, B, b, scale)),
            reason="the chain rule; b is added to s, so that ∂s/∂b is the identity",
        ),
        Line("g − y", g_minus_y, reason="Task 19.3"),
    ),
)

SCALE = Chain(
    TASK,
    layers,
    sizes=("features", "K"),
    lines=(
        Line(
            "∂R/∂α",
            lambda h, B, b, scale, y: derivative(lambda scale: loss(h, B, b, scale, y), scale),
            reason="what is looked for, for the scale of all logits",
        ),
        Line(
            "(g − y) · Bh",
            lambda h, B, b, scale, y: g_minus_y(h, B, b, scale, y) @ (B @ h),
            reason="the chain rule: ∂s/∂α = Bh",
        ),
        Line(
            "((g − y) · B) · h",
            lambda h, B, b, scale, y: (g_minus_y(h, B, b, scale, y) @ B) @ h,
            reason="put in other brackets: it is ∂R/∂h, but for α, times h, and needs no logits",
        ),
    ),
)

SCALED_HIDDEN = Chain(
    TASK,
    layers,
    sizes=("features", "K"),
    lines=(
        Line(
            "∂R/∂h",
            lambda h, B, b, scale, y: derivative(lambda h: loss(h, B, b, scale, y), h),
            reason="what is looked for, for the features",
        ),
        Line(
            "α (g − y) · B",
            lambda h, B, b, scale, y: scale * (g_minus_y(h, B, b, scale, y) @ B),
            reason="the chain rule: ∂s/∂h = αB",
        ),
    ),
)

SCALED_WEIGHTS = Chain(
    TASK,
    layers,
    sizes=("features", "K"),
    lines=(
        Line(
            "∂R/∂B",
            lambda h, B, b, scale, y: derivative(lambda B: loss(h, B, b, scale, y), B),
            reason="what is looked for, for the weights",
        ),
        Line(
            "α (g − y)ᵀ hᵀ",
            lambda h, B, b, scale, y: scale * outer(g_minus_y(h, B, b, scale, y), h),
            reason="B_kj enters only through s_k, where it is multiplied by α h_j",
        ),
    ),
)

SOFT_CAP = Chain(
    TASK,
    a_logit_and_a_cap,
    sizes=(),
    lines=(
        Line(
            "∂(c·tanh(s/c))/∂s",
            lambda s, c: derivative(lambda s: cap(s, c), s),
            reason="what is looked for: how much of a logit's change the cap lets through",
        ),
        Line(
            "1 − tanh²(s/c)",
            lambda s, c: 1 - tanh(s / c) ** 2,
            reason="tanh′ = 1 − tanh², and the two factors c and 1/c cancel",
        ),
        Line(
            "1 − (s'/c)²", lambda s, c: 1 - (cap(s, c) / c) ** 2, reason="s' = c·tanh(s/c): the capped logit is enough"
        ),
        Line(
            "4e / (1 + e)², e = e^(−2s/c)",
            lambda s, c: 4 * exp(-2 * s / c) / (1 + exp(-2 * s / c)) ** 2,
            reason="both are written out with e; nothing is subtracted, so that no digit is lost",
        ),
    ),
)

SMOOTHED_LOSS = Chain(
    TASK,
    logits_label_class_and_number,
    (
        Line(
            "−Σ_k y'_k ln g_k",
            lambda s, y, l, eps: R_smoothed(s, y, eps),
            reason="the loss of a label that is smoothed: y' = (1 − ε) y + ε/K",
        ),
        Line(
            "(1 − ε)(ln Z − s_y) + ε/K Σ_k (ln Z − s_k)",
            lambda s, y, l, eps: (1 - eps) * (ln_Z(s) - s[y]) + eps / size(s) * sum_over(s, lambda k: ln_Z(s) - s[k]),
            reason="ln g_k = s_k − ln Z, and y' is written out",
        ),
        Line(
            "R + ε/K Σ_k (s_y − s_k)",
            lambda s, y, l, eps: R(s, y) + eps / size(s) * sum_over(s, lambda k: s[y] - s[k]),
            reason="ln Z − s_y is R; the rest is the difference to it",
        ),
    ),
)

SMOOTHED_GRADIENT = Chain(
    TASK,
    logits_label_class_and_number,
    (
        Line(
            "∂(−Σ_k y'_k ln g_k)/∂s_l",
            lambda s, y, l, eps: derivative(lambda s: R_smoothed(s, y, eps), s)[l],
            reason="what is looked for",
        ),
        Line(
            "Σ_k y'_k (g_l − I(k=l))",
            lambda s, y, l, eps: sum_over(s, lambda k: smoothed(y, k, eps, size(s)) * (g(s, l) - I(k == l))),
            reason="each −ln g_k has the derivative g_l − I(k=l) (Task 19.3)",
        ),
        Line(
            "g_l − y'_l",
            lambda s, y, l, eps: g(s, l) - smoothed(y, l, eps, size(s)),
            reason="the smoothed label adds up to 1",
        ),
        Line(
            "(g_l − I(l=y)) + ε (I(l=y) − 1/K)",
            lambda s, y, l, eps: (g(s, l) - I(l == y)) + eps * (I(l == y) - 1 / _number(s[l], size(s))),
            reason="y'_l is written out: the gradient without smoothing, and what smoothing adds",
        ),
    ),
)

Z_LOSS = Chain(
    TASK,
    logits_label_class_and_number,
    (
        Line(
            "∂(R + λ (ln Z)²)/∂s_l",
            lambda s, y, l, lam: derivative(lambda s: R(s, y) + lam * ln_Z(s) ** 2, s)[l],
            reason="what is looked for",
        ),
        Line(
            "g_l − I(l=y) + 2λ ln Z · g_l",
            lambda s, y, l, lam: g(s, l) - I(l == y) + 2 * lam * ln_Z(s) * g(s, l),
            reason="∂R/∂s_l (Task 19.3), and the chain rule with ∂ ln Z/∂s_l = g_l",
        ),
        Line(
            "g_l (1 + 2λ ln Z) − I(l=y)",
            lambda s, y, l, lam: g(s, l) * (1 + 2 * lam * ln_Z(s)) - I(l == y),
            reason="g_l is a common factor",
        ),
    ),
)

CLASS_WEIGHT = Chain(
    TASK,
    logits_label_class_and_number,
    (
        Line("∂(w_y R)/∂s_l", lambda s, y, l, w: derivative(lambda s: w * R(s, y), s)[l], reason="what is looked for"),
        Line(
            "w_y (g_l − I(l=y))",
            lambda s, y, l, w: w * (g(s, l) - I(l == y)),
            reason="the label's weight is a constant",
        ),
    ),
)

ALL = Chain(
    TASK,
    everything,
    (
        Line(
            "∂(w_y R(s') + λ (ln Z(s'))²)/∂s_l, s' = c·tanh(s/c)",
            lambda s, y, l, c, eps, lam, w: derivative(lambda s: cost(cap(s, c), y, eps, lam, w), s)[l],
            reason="what is looked for, with every option at once",
        ),
        Line(
            "(w_y (g_l − y'_l) + 2λ ln Z · g_l) (1 − (s'_l/c)²)",
            lambda s, y, l, c, eps, lam, w: (
                (w * (g(cap(s, c), l) - smoothed(y, l, eps, size(s))) + 2 * lam * ln_Z(cap(s, c)) * g(cap(s, c), l))
                * (1 - (cap(s, c)[l] / c) ** 2)
            ),
            reason="all of the above, at the capped logits; the cap's own derivative comes last, by the chain rule",
        ),
    ),
)


def _number(s_l: Any, n: Any) -> Any:
    """The integer n as a number of the kind that s_l is: its inverse is then exact for symbols, too."""
    return n + 0 * s_l


CHAINS = (
    BIAS,
    SCALE,
    SCALED_HIDDEN,
    SCALED_WEIGHTS,
    SOFT_CAP,
    SMOOTHED_LOSS,
    SMOOTHED_GRADIENT,
    Z_LOSS,
    CLASS_WEIGHT,
    ALL,
)
