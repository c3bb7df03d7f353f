"""What the oracles say of one leaf of the result: what they agree on, and which of them is the odd one out."""

from enum import Enum
from typing import NamedTuple

import numpy as np

from manual_grads.checking.arrays import Entries, Leaf, scale_of

_TRAP = (
    "the forward's own autodiff is not finite at {points} where its value is (jnp.where's trap?): the forward's "
    "problem; "
)
_ODD_SLOPE = "oracles disagree at {points}: differences are the odd one out "


class Remark(Enum):
    """What a report says of the oracles. `points` are those concerned, `claimed` and `other` the modes of autodiff."""

    TRAP_MEASURED = _TRAP + "the gradient is judged there by differences"
    TRAP_UNDECIDED = _TRAP + "the gradient isn't judged there"
    CLAIMED_IS_ODD = "oracles disagree at {points}: {claimed} mode is the odd one out; the forward's problem"
    OTHER_IS_ODD = "oracles disagree at {points}: {other} mode is the odd one out; the forward's problem"
    MODES_UNDECIDED = "oracles disagree at {points}, the two modes of autodiff: the gradient isn't judged there"
    SLOPE_IS_ODD_BY_RULE = _ODD_SLOPE + "(the forward's own derivative rule isn't its slope, or a kink)"
    SLOPE_IS_ODD = _ODD_SLOPE + "(a stop_gradient or a kink)"
    AUTODIFF_IS_ODD = (
        "the forward's own autodiff isn't its derivative at {points}, where it switches from one form to another: both "
        "what it says there and what it is on both sides count as right"
    )
    DIRECTION_IS_ODD = (
        "along random directions, the forward's own autodiff isn't its slope at {points} (a rule of its own, a "
        "stop_gradient or a kink)"
    )


class Sides(NamedTuple):
    """What each oracle says of a leaf; the slope and its estimated error are None where they aren't to be had."""

    claimed: Leaf  # by the mode of autodiff that the claim itself uses
    other: Leaf | None  # by the other mode
    slope: Leaf | None
    slope_error: Leaf | None
    autodiff_error: Leaf  # how exact autodiff is, where it is right
    usual: float  # the size of the leaf at usual points


class Agreement(NamedTuple):
    """What is to be judged by."""

    want: Leaf
    trusted: Entries  # where enough of them agree
    also: Leaf  # what is right too: the slope, where the forward's own rules differ from it; elsewhere NaN
    doubt: Leaf  # to be added to the allowance: slopes are for gross errors, and their errors estimates
    remarks: dict[Remark, Entries]


def agreed(sides: Sides, steady: Entries, lost: Entries, own_rules: bool) -> Agreement:
    """The verdict rests on those that agree.

    Args:
        sides: what the oracles say.
        steady: the entries at which autodiff isn't undone by noise.
        lost: those at which it fails, or is undone while there is a slope.
        own_rules: whether both modes may rest on a derivative rule of the forward's own, against its slope.
    """
    claimed, other, slope, slope_error, autodiff_error, usual = sides
    nowhere, failed = np.zeros(claimed.shape, bool), lost & steady
    scale = scale_of(claimed) if slope is None else np.maximum(scale_of(claimed), scale_of(slope))
    close = autodiff_error + 1e-9 * scale + 1e-290
    # Who stands against whom.
    with np.errstate(invalid="ignore"):
        apart = nowhere if other is None else (np.abs(claimed - other) > close) & steady & ~failed
        measured = off = backed = nowhere
        if slope is not None and slope_error is not None:
            measured = slope_error <= 1e-5 * np.maximum(np.maximum(np.abs(slope), scale), usual) + 1e-12
            near = 30 * slope_error + close
            off = measured & steady & ~failed & ~(np.abs(claimed - slope) <= near)
            backed = off & apart & (np.abs(other - slope) <= near) if other is not None else nowhere
    # What is right, and what is right too.
    want, also = claimed, np.full(claimed.shape, np.nan)
    if other is not None:
        want = np.where(backed, other, want)
    if slope is not None:
        want = np.where(failed & measured, slope, want)
        if own_rules or other is None:
            also = np.where(off & ~apart, slope, also)
    # How well it is known.
    doubt = np.zeros(claimed.shape)
    if slope is not None and slope_error is not None:
        rough = np.isfinite(also) | (failed & measured) | backed
        doubt = np.where(rough, 30 * np.nan_to_num(slope_error, posinf=0) + 1e-7 * scale_of(slope), 0.0)
    trap = lost & ~np.isfinite(claimed)
    other_is_odd = apart & measured & ~off
    undecided = apart & ~other_is_odd & ~backed  # without a third, or all three differ
    remarks = {
        Remark.TRAP_MEASURED: trap & measured,
        Remark.TRAP_UNDECIDED: trap & ~measured,
        Remark.CLAIMED_IS_ODD: backed,
        Remark.OTHER_IS_ODD: other_is_odd,
        Remark.MODES_UNDECIDED: undecided,
        Remark.SLOPE_IS_ODD_BY_RULE if own_rules else Remark.SLOPE_IS_ODD: off & ~apart,
    }
    return Agreement(want=want, trusted=~undecided, also=also, doubt=doubt, remarks=remarks)
