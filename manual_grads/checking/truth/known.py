"""What autodiff and slopes say of a leaf, each with what it is good to, before the oracles are compared."""

from typing import NamedTuple

import numpy as np

from manual_grads.checking.arrays import Entries, Leaf, active_size, along_leaf, eps_of, scale_of, usual_size
from manual_grads.checking.truth.compiled import CompiledOracles
from manual_grads.checking.truth.evaluated import MAGNIFICATION, Evaluated
from manual_grads.checking.truth.spread import POLE, jumps, scaled_spread

SLOPE_ERROR = 1e-5  # of the size there: a slope with a larger error decides nothing


class Known(NamedTuple):
    """What autodiff and slopes say of a leaf, before they are compared."""

    claimed: Leaf
    slope: Leaf | None
    slope_error: Leaf | None
    size: Leaf  # at each point and, at least, at usual ones
    spread: Leaf  # how far rounding may move it
    autodiff_error: Leaf  # how exact autodiff is
    within: Entries  # at points that can be judged
    at: Entries  # at a kink
    odd: Entries  # where autodiff is odd, as beside a `where`
    steady: Entries  # where autodiff says what it means
    lost: Entries  # where it is of no use

    def is_slope(self, x: Leaf) -> Entries:
        """Where numbers are the slope, and that is well determined."""
        if self.slope is None or self.slope_error is None:
            return np.zeros(x.shape, bool)
        measured = self.slope_error <= SLOPE_ERROR * self.size + 1e-12
        return measured & (np.abs(x - self.slope) <= SLOPE_ERROR * self.size)


def known_of(oracles: CompiledOracles, found: Evaluated, i: int) -> Known:
    """What is known of the i-th leaf: by autodiff, and by slopes where that fails."""
    return _with_slopes(_by_autodiff(oracles, found, i), found, i)


def _by_autodiff(oracles: CompiledOracles, found: Evaluated, i: int) -> Known:
    """How exact autodiff is, how far rounding may move the result, and where autodiff is of no use."""
    claimed, kink = found.autodiff[i][:, 0], found.kinks[i]
    # Where autodiff has no number at the very point, what it is beside the point says what is right; but not where the
    # forward is smooth, of which a slope says more than autodiff beside a trap.
    kinked = kink.at & (np.isfinite(claimed) | ~along_leaf(found.smooth, claimed))
    claimed = np.where(np.isfinite(claimed) | ~(kinked | kink.odd), claimed, (kink.low + kink.high) / 2)
    usual, within = usual_size(claimed, found.usual), along_leaf(found.judgeable, claimed)
    spread = scaled_spread(found.autodiff[i], found.magnification)
    autodiff_error = oracles.safety * scaled_spread(found.magnified[i], MAGNIFICATION)
    if oracles.forward_eps > eps_of(oracles.format_name):  # which the noise of its own format says nothing of
        autodiff_error = autodiff_error + oracles.safety * spread
    if found.by_other_steps is not None:  # of whose roundings and truncation noise says little
        apart = np.abs(found.by_other_steps[i] - claimed[:, None]).max(1)
        autodiff_error = autodiff_error + oracles.safety * np.where(np.isnan(apart), np.inf, scale_of(apart))
    at = kinked & within & (kink.high - kink.low <= POLE * active_size(claimed, found.usual))
    odd = kink.odd & within
    return Known(
        claimed=claimed,
        slope=None,
        slope_error=None,
        size=np.maximum(scale_of(claimed), usual),
        spread=spread,
        autodiff_error=autodiff_error,
        within=within,
        at=at,
        odd=odd,
        steady=~jumps(found.autodiff[i]) & within & ~at & ~odd,
        lost=~np.isfinite(claimed),
    )


def _with_slopes(known: Known, found: Evaluated, i: int) -> Known:
    """The same, where autodiff fails, or noise undoes it, by the slope of the forward itself."""
    if found.slopes is None:
        return known
    slope, error = found.slopes.of[i], found.slopes.errors[i]
    size = np.maximum(scale_of(slope), usual_size(known.claimed, found.usual))
    known = known._replace(slope=slope, slope_error=error, size=size)
    if found.conditioning is None:
        return known
    # What noise undoes, as beside x == 0, is right if it is the slope; a stop_gradient may be meant otherwise.
    smooth = along_leaf(found.smooth, known.claimed)
    lost = known.lost | (jumps(found.autodiff[i]) & smooth & known.is_slope(known.claimed))
    # Beside a trap autodiff is as bad as in it: its noise says nothing.
    by_slope = lost & smooth & (error <= SLOPE_ERROR * size + 1e-12)
    of_slope = found.u * scale_of(slope) + found.conditioning[i]
    return known._replace(
        lost=lost,
        spread=np.where(by_slope, of_slope, np.where(lost, np.inf, known.spread)),
        autodiff_error=np.where(by_slope, 0.0, known.autodiff_error),
        steady=known.steady | (by_slope & known.within),
    )
