r"""The true gradients of Task 21's network by balls, and their magnitudes: a running error analysis to first order.

Each magnitude Δ is what an error of one rounding in every term before it comes to: that of a sum is the same sum with
absolute values and the terms' own Δ in place of the terms, and that of a function f(w) adds |f'(w)| Δw.
"""

from typing import Any, NamedTuple

import numpy as np

from manual_grads.accuracy import truths
from manual_grads.derivations.balls import as_balls
from manual_grads.derivations.numbers import outer


class Network(NamedTuple):
    """The values on the way to the gradients, and their magnitudes (those named delta)."""

    h: Any
    v: Any
    slope: Any  # σ'(w)
    dv: Any
    delta: Any  # (Bᵀ dv) ∘ σ'(w)
    delta_w: Any
    delta_h: Any
    delta_v: Any
    delta_dv: Any
    delta_delta: Any


def run(floor: float, x: Any, A: Any, B: Any, y: Any) -> Network:
    """The network of one example, forward and backward."""
    # The values.
    x, A, B = as_balls(x), as_balls(A), as_balls(B)
    w = A @ x
    h, slope = truths.sigmoid(w), truths.sigmoid_grad(w)
    v = B @ h
    dv = truths.cross_entropy_grad(v, y)
    delta = (dv @ B) * slope
    # Their magnitudes.
    delta_w = abs(A) @ abs(x)
    delta_h = h + slope * delta_w + floor
    delta_v = abs(B) @ delta_h
    # The rounding errors of g − y itself, and what those of v make of it.
    delta_dv = truths.cross_entropy_grad_magnitude(floor, v, y) + abs(truths.cross_entropy_hessian(v, y)) @ delta_v
    # |σ''| = σ' |1 − 2σ| ≤ σ'
    delta_delta = (slope + floor) * (delta_dv @ abs(B) + (abs(dv) @ abs(B)) * delta_w) + floor
    return Network(
        h=h,
        v=v,
        slope=slope,
        dv=dv,
        delta=delta,
        delta_w=delta_w,
        delta_h=delta_h,
        delta_v=delta_v,
        delta_dv=delta_dv,
        delta_delta=delta_delta,
    )


def loss(x: Any, A: Any, B: Any, y: Any) -> Any:
    """$R = L(g(B·σ(Ax)))$."""
    return truths.cross_entropy(run(0, x, A, B, y).v, y)


def loss_magnitude(floor: float, x: Any, A: Any, B: Any, y: Any) -> Any:
    """$Σ_k |y_k ln g_k| + Σ_k |∂R/∂v_k| Δv_k$."""
    net = run(floor, x, A, B, y)
    return truths.cross_entropy_magnitude(floor, net.v, y) + abs(net.dv) @ net.delta_v


def grads(x: Any, A: Any, B: Any, y: Any) -> Any:
    """$dx = Aᵀδ$, $dA = δxᵀ$, $dB = (g − y) σ(Ax)ᵀ$."""
    net = run(0, x, A, B, y)
    return net.delta @ as_balls(A), outer(net.delta, as_balls(x)), outer(net.dv, net.h)


def grads_magnitude(floor: float, x: Any, A: Any, B: Any, y: Any) -> Any:
    """$|A|ᵀΔδ$, $Δδ|x|ᵀ$, $Δdv σᵀ + |dv| Δσᵀ$."""
    net = run(floor, x, A, B, y)
    return (
        net.delta_delta @ as_balls(abs(A)) + floor,
        outer(net.delta_delta, as_balls(abs(x))) + floor,
        outer(net.delta_dv, net.h) + outer(abs(net.dv), net.delta_h) + floor,
    )


def vjp(x: Any, A: Any, B: Any, y: Any, c: Any) -> Any:
    """$c·(dx, dA, dB)$."""
    return tuple(as_balls(c) * value for value in grads(x, A, B, y))


def vjp_magnitude(floor: float, x: Any, A: Any, B: Any, y: Any, c: Any) -> Any:
    """$|c|$ times the magnitudes of the gradients."""
    return tuple(as_balls(abs(c)) * magnitude + floor for magnitude in grads_magnitude(floor, x, A, B, y))


def jacobians(x: Any, A: Any, B: Any, y: Any) -> Any:
    """$g − y$, $B$, $diag(σ')$, $A$."""
    net = run(0, x, A, B, y)
    return net.dv, as_balls(B), np.diag(net.slope), as_balls(A)


def jacobians_magnitude(floor: float, x: Any, A: Any, B: Any, y: Any) -> Any:
    """$Δdv$, $|B|$, $diag(σ' + σ'Δw)$, $|A|$."""
    net = run(floor, x, A, B, y)
    return net.delta_dv, as_balls(abs(B)), np.diag(net.slope * (1 + net.delta_w) + floor), as_balls(abs(A))
