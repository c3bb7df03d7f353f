"""A wrong result beside what it should be, and what a hypothesis would leave of the error."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from manual_grads.checking.arrays import Entries, Leaf, scale_of

EXPLAINED = 8.0  # allowances: an explanation need not have the rounding errors of the right formula;
MUCH_BETTER = (
    4.0  # but it leaves at most one part in so many of an error, or what is wrong by little would be explained
)
NEXT_TO_NOTHING = 1e-3  # of a point's largest entry: where so much is allowed, an error isn't spoken of
MIN_SHARE_EXPLAINED = 0.99  # of all entries, as single ones may be ill-conditioned in the wrong formula alone;
MIN_SHARE_OF_WRONG_EXPLAINED = 0.9  # and of those that are wrong, which may be few

Named = tuple[str, Leaf]  # an array, and what to call it


class Counterfactual(NamedTuple):
    """What the result should be if something were so that isn't; a result that is this shows the mistake."""

    cause: str  # the hypothesis' name
    text: str
    result: Leaf


class WrongSum(NamedTuple):
    """A sum of entries at a tie that isn't what it has to be."""

    axes: tuple[int, ...]  # of the leaf; all of them, if it is of all entries
    point: int
    got: float
    want: float


# Equal to itself alone, so that what is computed of it can be kept.
@dataclass(frozen=True, eq=False)
class Evidence:
    """A result that is wrong, one leaf of it, beside what it should be, all stacked over the points."""

    where: str  # how to call the leaf: "" if it is the only one
    got: Leaf
    want: Leaf  # at a kink, what is right and nearest
    decided: Entries
    allowance: Leaf
    ratio: Float[np.ndarray, "points *leaf"]  # the error as a part of the allowance
    points: list[str]  # their names
    inputs: list[Named]  # the arguments' arrays
    value: list[Leaf]  # the forward's
    others: list[Named]  # what else there is to compare with: other results and gradients
    directions: tuple[str, ...] = ()  # which of the inputs are cotangents or tangents
    within: tuple[Named, ...] = ()  # what the forward computes on its way
    backward: tuple[Named, ...] = ()  # and the gradients there
    counterfactuals: tuple[Counterfactual, ...] = ()
    kinks: Entries | None = None  # where several numbers are right
    sums: tuple[WrongSum, ...] = ()

    @property
    def wrong(self) -> Entries:
        """The entries that are wrong."""
        return self.ratio > 1

    @property
    def judged(self) -> Entries:
        """The entries that are decided, and of which one number is right: what a formula has to explain."""
        return self.decided if self.kinks is None else self.decided & ~self.kinks

    def error(self, instead: Leaf) -> float:
        """The worst error that another result would have, relative to what is largest at its point."""
        largest = scale_of(self.want)
        # Where all of a point is next to nothing, what is left of it is rounding.
        counts = self.judged & (self.allowance < NEXT_TO_NOTHING * largest)
        counts = counts if (counts & self.wrong).any() else self.judged
        with np.errstate(all="ignore"):
            error = np.abs(instead - self.want) / np.where(largest > 0, largest, 1.0)
        return float(np.nanmax(np.where(counts, error, 0.0), initial=0.0))

    def explains(self, instead: Leaf, allowance: float = 1.0) -> bool:
        """Whether another result would leave nearly nothing: of all entries, and of those that are wrong."""
        with np.errstate(all="ignore"):
            left, before = np.abs(instead - self.want), np.abs(self.got - self.want)
            right = left <= EXPLAINED * allowance * self.allowance
            better = right & (left <= before / MUCH_BETTER)
        finite = np.isfinite(self.got) & self.judged
        every, wrong = right[finite], better[self.wrong & finite]
        if not wrong.size:
            return False
        return bool(np.mean(every) > MIN_SHARE_EXPLAINED and np.mean(wrong) > MIN_SHARE_OF_WRONG_EXPLAINED)

    def betters(self, instead: Leaf) -> bool:
        """Whether another result explains the error, and its worst is not as bad."""
        return self.explains(instead) and self.error(instead) < self.error(self.got)

    def equals(self, other: Leaf) -> bool:
        """Whether the result is this, which isn't what it should be."""
        with np.errstate(all="ignore"):
            return other.shape == self.got.shape and self.explains(self.want + (self.got - other))


def shortened(x: np.ndarray) -> str:
    """An array's first entries."""
    flat = ", ".join(f"{v:.4g}" for v in np.ravel(x)[:4].astype(float))
    return f"[{flat}{', …' if x.size > 4 else ''}]" if x.ndim else flat
