r"""How fast the forward changes on both sides of a kink that several entries share, as a norm's at 0.

Beside a point x, in a direction d, its slope is $f'(x; d) = \nabla f(x + \epsilon d) \cdot d$. What each entry of a
gradient may be doesn't say what all may be together: of $\|x\|$ at 0 each lies between −1 and 1, and (1, 1) is wrong.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from manual_grads.checking.arrays import Leaf, eps_of, leaves_of, rows_of, scale_of
from manual_grads.checking.truth.compiled import CompiledOracles
from manual_grads.checking.truth.evaluated import MAGNIFICATION, Evaluated
from manual_grads.checking.truth.gradients import Gradient
from manual_grads.checking.truth.kinks import BEYOND_OWN
from manual_grads.checking.truth.noise import noise_of_inputs

NOT_MONOTONE = 1e-6  # of the largest product: the derivatives beside the point have roundings
ROUNDINGS = 8.0  # u of the largest entry, that each of a right gradient may be off by


class OneSided(NamedTuple):
    """The least and the largest slope along some directions, at points with a kink that entries share."""

    gradients: tuple[Gradient, ...]
    points: np.ndarray  # at which
    directions: Float[np.ndarray, "points directions entries"]  # of all gradients, one after the other
    low: Float[np.ndarray, "points directions"]
    high: Float[np.ndarray, "points directions"]
    allowance: Float[np.ndarray, "points directions"]


def one_sided(oracles: CompiledOracles, points: list[Leaf], found: Evaluated) -> OneSided | None:
    r"""The slopes where the forward is convex or concave beside the point, as far as directions of noise show.

    There a right gradient lies between them in every direction. Where it is neither, a sum of what is right of each
    part of a formula may lie outside, as for $\sum_j v_j\,\mathrm{relu}(w_j^T x)$ at 0.
    """
    gradients = oracles.gradients
    kinked = np.any([rows_of(found.kinks[g.result].at) for g in gradients], axis=0)
    at = np.flatnonzero(kinked & found.judgeable)
    if oracles.moved is None or not at.size:
        return None
    # Of noise on operations, which may take a sum to another side than its terms' noise does, there is none.
    u = MAGNIFICATION * eps_of(oracles.format_name) / 2
    derivatives = leaves_of(oracles.moved(u, oracles.patterns, *points))
    under_noise = _in_one([derivatives[g.result][at] for g in gradients])
    # Noise is relative to an argument, or to 1 where that is 0.
    noise = noise_of_inputs(oracles.patterns[1:], [x[0] for x in points])
    x = [points[g.argument][at][:, None] for g in gradients]
    d = _in_one([noise[g.argument][None] * np.where(y == 0, 1.0, y) for g, y in zip(gradients, x, strict=True)])
    centre, beside = under_noise[:, :1], under_noise[:, 1:]
    # The slope along each direction, and against it: the opposites are the second half of the noise.
    every = np.einsum("pik,pjk->pij", beside, d)
    along = np.einsum("pii->pi", every)
    against = -np.roll(along, along.shape[1] // 2, axis=1)
    # Of a convex function (∇f(x₁) − ∇f(x₂))·(x₁ − x₂) ≥ 0, of a concave one ≤ 0.
    apart = along[:, :, None] + along[:, None] - every - every.transpose(0, 2, 1)
    small = NOT_MONOTONE * np.abs(every).max((1, 2))[:, None, None]
    bent = ((apart >= -small).all((1, 2)) | (apart <= small).all((1, 2))) & np.isfinite(beside).all((1, 2))
    # What autodiff chooses at the very point is right.
    chosen = np.einsum("pik,pjk->pj", centre, d)
    width = beside.max(1) - beside.min(1)
    allowance = np.einsum(
        "pik,pk->pi", np.abs(d), BEYOND_OWN * width + ROUNDINGS * found.u * scale_of(width + abs(beside).max(1))
    )
    return OneSided(
        gradients=gradients,
        points=at[bent],
        directions=d[bent],
        low=np.fmin(np.minimum(along, against), chosen)[bent],
        high=np.fmax(np.maximum(along, against), chosen)[bent],
        allowance=allowance[bent],
    )


def _in_one(leaves: list[np.ndarray]) -> np.ndarray:
    """Arrays `[points, patterns, *shape]` as one of `[points, patterns, entries]`."""
    return np.concatenate([x.reshape(*x.shape[:2], -1) for x in leaves], axis=-1)
