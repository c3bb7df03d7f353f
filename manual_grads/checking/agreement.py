"""What the oracles say of one leaf of the result: what they agree on, and which of them is the odd one out."""

from typing import NamedTuple

import numpy as np

from manual_grads.checking.slopes import scale_of


class Sides(NamedTuple):
    """What each oracle says of a leaf, stacked over the points; slopes and their errors are None if not to be had."""

    claimed: np.ndarray  # by the mode of autodiff that the claim itself uses
    other: np.ndarray | None  # by the other mode
    slope: np.ndarray | None
    error: np.ndarray | None
    exact: np.ndarray  # how exact autodiff is, where it is right
    usual: float  # the size of the leaf at ordinary points


class Agreement(NamedTuple):
    """What is to be judged by."""

    want: np.ndarray
    trusted: np.ndarray  # where enough of them agree
    also: np.ndarray  # what is right too: the slope, where the forward's own rules differ from it
    doubt: np.ndarray  # to be added to the tolerance: slopes are for gross errors, and their errors estimates
    marks: dict[str, np.ndarray]  # what is to be reported, and of which entries


TRAP = "the forward's own autodiff is not finite at {} where its value is (jnp.where's trap?): the forward's problem; "
MEASURED, NOT_JUDGED = "the gradient is judged there by differences", "the gradient isn't judged there"
ODD_MODE = "oracles disagree at {}: {odd} mode is the odd one out; the forward's problem"
ODD_SLOPE = "oracles disagree at {}: differences are the odd one out "
ODD_DIRECTION = (
    "along random directions, the forward's own autodiff isn't its slope at {} (a rule of its own, a stop_gradient or "
    "a kink)"
)
OWN_RULE, CUT = "(the forward's own derivative rule isn't its slope, or a kink)", "(a stop_gradient or a kink)"


def agreed(sides: Sides, names: tuple[str, str], rows: np.ndarray, lost: np.ndarray, own_rules: bool) -> Agreement:
    """The verdict rests on those that agree.

    Args:
        sides: what the oracles say.
        names: of the two modes, the claimed one first.
        rows: the entries at which autodiff isn't undone by noise.
        lost: those at which it fails, or is undone while there is a slope.
        own_rules: whether both modes may rest on a derivative rule of the forward's own, against its slope.
    """
    claimed, other, slope, error, exact, usual = sides
    nowhere, nan = np.zeros(claimed.shape, bool), lost & rows
    scale = scale_of(claimed) if slope is None else np.maximum(scale_of(claimed), scale_of(slope))
    close = exact + 1e-9 * scale + 1e-290
    with np.errstate(invalid="ignore"):
        apart = nowhere if other is None else (np.abs(claimed - other) > close) & rows & ~nan
        measured = off = backed = nowhere
        if slope is not None and error is not None:
            measured = error <= 1e-5 * np.maximum(np.maximum(np.abs(slope), scale), usual) + 1e-12
            near = 30 * error + close
            off = measured & rows & ~nan & ~(np.abs(claimed - slope) <= near)
            backed = off & apart & (np.abs(other - slope) <= near) if other is not None else nowhere
    want, also = claimed, np.full(claimed.shape, np.nan)
    if other is not None:
        want = np.where(backed, other, want)
    if slope is not None:
        want = np.where(nan & measured, slope, want)
        if own_rules or other is None:
            also = np.where(off & ~apart, slope, also)
    doubt = np.zeros(claimed.shape)
    if slope is not None and error is not None:
        rough = np.isfinite(also) | (nan & measured) | backed
        doubt = np.where(rough, 30 * np.nan_to_num(error, posinf=0) + 1e-7 * scale_of(slope), 0.0)
    trap = lost & ~np.isfinite(claimed)
    marks = {
        TRAP + MEASURED: trap & measured,
        TRAP + NOT_JUDGED: trap & ~measured,
        ODD_MODE.replace("{odd}", names[0]): backed,
        ODD_MODE.replace("{odd}", names[1]): apart & ~backed & measured,
        f"oracles disagree at {{}}, the two modes of autodiff: {NOT_JUDGED}": apart & ~backed & ~measured,
        ODD_SLOPE + (OWN_RULE if own_rules else CUT): off & ~apart,
    }
    return Agreement(want, ~(apart & ~measured), also, doubt, marks)
