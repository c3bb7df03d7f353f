r"""The true gradients of a linear layer's loss with every option by balls, and their magnitudes.

Each magnitude Δ is what an error of one rounding in every term before it comes to, as in `network`.
"""

from typing import Any

import numpy as np

from manual_grads.accuracy import truths
from manual_grads.derivations import large_class
from manual_grads.derivations.balls import arb, as_balls
from manual_grads.derivations.numbers import outer, vector

LOGIT_GRADIENT = truths.line_of(large_class.ALL, "(w_y (g_l − y'_l) + 2λ ln Z · g_l) (1 − (s'_l/c)²)")


def logits(h: Any, B: Any, b: Any, scale: Any) -> Any:
    """$s = α B h + b$."""
    return large_class.logits(as_balls(h), as_balls(B), as_balls(b), arb(float(scale)))


def logit_gradient(s: Any, y: Any, w: Any, *numbers: Any) -> Any:
    """$(w_y (g_l − y'_l) + 2λ ln Z · g_l) (1 − (s'_l/c)²)$ for every class l; the numbers are c, ε and λ."""
    c, eps, lam = (arb(float(number)) for number in numbers)
    return vector([LOGIT_GRADIENT(s, int(y), k, c, eps, lam, arb(float(w[y]))) for k in range(len(s))])


def grads(h: Any, B: Any, y: Any, b: Any, scale: Any, *options: Any) -> Any:
    """$dh = α Gᵀ B$, $dB = α G hᵀ$, $db = G$, $dα = hᵀ (Gᵀ B)$; the options are w, c, ε and λ."""
    G = logit_gradient(logits(h, B, b, scale), y, *options)
    scale, h, dp = arb(float(scale)), as_balls(h), G @ as_balls(B)
    return scale * dp, scale * outer(G, h), G, h @ dp


def grads_magnitude(floor: float, h: Any, B: Any, y: Any, b: Any, scale: Any, w: Any, *numbers: Any) -> Any:
    """$|α| ΔGᵀ |B|$, $|α| ΔG |h|ᵀ$, $ΔG$, $ΔGᵀ (|B| |h|)$."""
    c, eps, lam = (abs(arb(float(number))) for number in numbers)
    s, w_y = logits(h, B, b, scale), arb(float(abs(w[y])))
    h, B, scale = as_balls(abs(h)), as_balls(abs(B)), arb(float(abs(scale)))
    # The logits, before and after the cap, and how much of a change it lets through.
    delta_s = scale * (B @ h) + as_balls(abs(b)) + floor
    capped = large_class.cap(s, c)
    slope = truths.sigmoid_grad(2 * s / c) * 4  # 1 − tanh²(s/c)
    delta_capped = slope * delta_s + abs(capped) + floor
    delta_slope = slope * (1 + 4 * delta_s / c) + floor
    # ln Z is the largest logit and a logarithm; its own change is that of the logits, averaged by g.
    g = truths.softmax(capped) + floor
    log_z = large_class.ln_Z(capped)
    delta_log_z = abs(max(capped)) + abs(log_z) + g @ delta_capped
    # The terms of G before the cap's slope, and what the errors of what is in them make of them.
    label = np.arange(len(s)) == y
    off_label = np.array([abs(int(is_label) - arb(1) / len(s)) for is_label in label])
    terms = w_y * (truths.cross_entropy_grad_magnitude(floor, capped, y) + eps * off_label) + 2 * lam * abs(log_z) * g
    weight = w_y + 2 * lam * abs(log_z)
    delta_g = abs(truths.softmax_jacobian(capped)) @ delta_capped
    delta_terms = terms + weight * delta_g + 2 * lam * delta_log_z * g
    delta_G = delta_terms * slope + terms * delta_slope + floor
    delta_dp = delta_G @ B + floor
    return scale * delta_dp + floor, scale * outer(delta_G, h) + floor, delta_G, delta_G @ (B @ h) + floor
