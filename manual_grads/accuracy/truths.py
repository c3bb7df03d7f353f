r"""The true value of every rule, by balls, with the magnitude that its error is relative to.

Functions here take the arguments of one example as float64 arrays (which hold every format exactly) and compute with
balls at the precision in force. Values are the document's own lines. A magnitude is the same sum with absolute values:
what the error is relative to where terms may cancel; where none do, it is |value|.

`floor` stands for what underflow may take from any intermediate result: one smallest normal number, of the dtype of
computation, in units of its rounding error u. So `magnitude · u` covers that too.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from manual_grads.derivations import balls, task18, task19_1
from manual_grads.derivations.balls import as_balls
from manual_grads.derivations.numbers import diag, exp, log

# Numbers beyond are taken for it: e^(−10⁵) is less than 2⁻¹⁰⁰⁰⁰⁰, far below float64's smallest.
MAX_Z = 1e5


def line_of(chain: Any, text: str) -> Any:
    """The document's line that reads so, as a function."""
    return next(line.value for line in chain.lines if line.text == text)


SIGMOID_SLOPE = line_of(task18.SIGMOID_DERIVATIVE, "e^(−z) / (1 + e^(−z))²")


def sigmoid(z: Any) -> Any:
    """$1 / (1 + e^{−z})$."""
    return task18.sigma(within_reach(z))


def sigmoid_grad(z: Any) -> Any:
    """$e^{−z} / (1 + e^{−z})²$."""
    return SIGMOID_SLOPE(within_reach(z))


def within_reach(z: Any) -> Any:
    """Floats as balls, but ±10⁵ for all beyond: σ and σ' are monotone there, and long below any format's numbers."""
    return z if z.dtype == object else as_balls(np.clip(z, -MAX_Z, MAX_Z))


def sigmoid_jacobian(z: Any) -> Any:
    """$diag(σ')$."""
    return diag(np.asarray(sigmoid_grad(z)))


@lru_cache(maxsize=512)
def exponentials(row: bytes, bits: int) -> tuple[Any, Any, Any]:
    """$s − max s$, $e^{s − max s}$ and its sum, of a row of float64; remembered, since many rules share their rows."""
    del bits  # a key of the memory only: the precision in force
    s = np.frombuffer(row)
    shifted = as_balls(s) - balls.arb(float(s.max()))  # g doesn't change; so that −10³⁰⁸ is within reach
    e = exp(shifted)
    return shifted, e, e.sum()


def shifted_exponentials(s: Any) -> tuple[Any, Any, Any]:
    """$s$, shifted by some number, its exponentials and their sum: of a vector of balls, or of floats."""
    if s.dtype == object:
        return s, exp(s), task19_1.total(s)
    return exponentials(s.tobytes(), balls.flint.ctx.prec)


def softmax(s: Any) -> Any:
    """$e^{s_k} / Σ_l e^{s_l}$."""
    _, e, total = shifted_exponentials(s)
    return e / total


def log_softmax(s: Any) -> Any:
    """$s_k − ln Σ_l e^{s_l}$."""
    shifted, _, total = shifted_exponentials(s)
    return shifted - log(total)


def softmax_jacobian(s: Any) -> Any:
    """$g_k (I(k=l) − g_l)$."""
    g = softmax(s)
    return g[:, None] * (np.eye(len(g), dtype=int) - g[None, :])


def softmax_product(s: Any, t: Any) -> Any:
    """$g_k (t_k − Σ_l g_l t_l)$, the Jacobian times t."""
    g, t = softmax(s), as_balls(t)
    return g * (t - g @ t)


def softmax_product_magnitude(floor: float, s: Any, t: Any) -> Any:
    """$g_k (|t_k| + Σ_l g_l |t_l|)$."""
    g, t = softmax(s) + floor, as_balls(abs(t))
    return g * (t + g @ t) + floor


def distribution(y: Any, classes: int) -> Any:
    """A label as balls: a one-hot vector for an index."""
    return as_balls((np.arange(classes) == y).astype(float) if np.ndim(y) == 0 else y)


def loss(log_g: Any, y: Any) -> Any:
    """$−Σ_k y_k ln g_k$, where a class without weight costs nothing."""
    return -sum(y_k * log_g_k for y_k, log_g_k in zip(y, log_g, strict=True) if y_k != 0)


def loss_magnitude(log_g: Any, y: Any) -> Any:
    """$Σ_k |y_k| |ln g_k|$."""
    return loss(-abs(log_g), abs(y))


def logloss(g: Any, y: Any) -> Any:
    """$−Σ_k y_k ln g_k$."""
    return loss(log(as_balls(g)), distribution(y, len(g)))


def logloss_magnitude(floor: float, g: Any, y: Any) -> Any:
    """$Σ_k |y_k ln g_k|$."""
    return loss_magnitude(log(as_balls(g)), distribution(y, len(g))) + floor


def logloss_grad(g: Any, y: Any) -> Any:
    """$−y_k / g_k$, and 0 for a class without weight."""
    return -distribution(y, len(g)) / as_balls(g)


def cross_entropy(s: Any, y: Any) -> Any:
    """$−Σ_k y_k (s_k − ln Σ_l e^{s_l})$."""
    return loss(log_softmax(s), distribution(y, len(s)))


def cross_entropy_magnitude(floor: float, s: Any, y: Any) -> Any:
    """$Σ_k |y_k ln g_k|$."""
    return loss_magnitude(log_softmax(s), distribution(y, len(s))) + floor


def cross_entropy_grad(s: Any, y: Any) -> Any:
    """$(Σ_k y_k) g_l − y_l$."""
    y = distribution(y, len(s))
    return y.sum() * softmax(s) - y


def cross_entropy_grad_magnitude(floor: float, s: Any, y: Any) -> Any:
    """$(Σ_k |y_k|) g_l + |y_l|$; of a one-hot label, where nothing need cancel, |g − y|."""
    if is_one_hot(y):
        return abs(cross_entropy_grad(s, y)) + floor
    y = abs(distribution(y, len(s)))
    return y.sum() * (softmax(s) + floor) + y + floor


def is_one_hot(y: Any) -> bool:
    """Whether a label is an index, or a distribution that says the same."""
    return np.ndim(y) == 0 or (np.count_nonzero(y) == 1 and np.max(y) == 1)


def cross_entropy_jvp(s: Any, y: Any, t: Any) -> Any:
    """$Σ_l ∂R/∂s_l t_l$, that is $Σ_l ((Σ_k y_k) g_l − y_l) t_l$."""
    return cross_entropy_grad(s, y) @ as_balls(t)


def cross_entropy_jvp_magnitude(floor: float, s: Any, y: Any, t: Any) -> Any:
    """$Σ_l |∂R/∂s_l| |t_l|$."""
    return cross_entropy_grad_magnitude(floor, s, y) @ as_balls(abs(t)) + floor


def cross_entropy_vjp(s: Any, y: Any, c: Any) -> Any:
    """$c ∂R/∂s_l$."""
    return as_balls(c) * cross_entropy_grad(s, y)


def cross_entropy_vjp_magnitude(floor: float, s: Any, y: Any, c: Any) -> Any:
    """$|c| |∂R/∂s_l|$."""
    return as_balls(abs(c)) * cross_entropy_grad_magnitude(floor, s, y) + floor


def cross_entropy_hessian(s: Any, y: Any) -> Any:
    """$(Σ_k y_k) g_k (I(k=l) − g_l)$."""
    return distribution(y, len(s)).sum() * softmax_jacobian(s)


def cross_entropy_hvp(s: Any, y: Any, t: Any) -> Any:
    """$(Σ_k y_k) g_k (t_k − Σ_l g_l t_l)$."""
    return distribution(y, len(s)).sum() * softmax_product(s, t)


def cross_entropy_hvp_magnitude(floor: float, s: Any, y: Any, t: Any) -> Any:
    """$(Σ_k |y_k|) g_k (|t_k| + Σ_l g_l |t_l|)$."""
    return abs(distribution(y, len(s))).sum() * softmax_product_magnitude(floor, s, t) + floor
