"""Whether results are right on average, where each alone is within what a coarse format allows."""

import numpy as np

from manual_grads.checking.arrays import eps_of
from manual_grads.checking.trials.calls import Complaint, Outcome
from manual_grads.checking.truth.expected import Expected, ExpectedLeaf

# Roundings that a formula may be off by on average: a right one's errors are of either sign, and their mean is small.
MEAN_ROUNDINGS = 8.0
MIN_OFF = 0.03  # smaller factors are for the allowances to see: errors of one sign are no mistake
MEAN_DEVIATIONS = 4.0  # that a mean may be off by
# An allowance is about so many standard deviations of a right result: a thorough one's factor of safety, and half of a
# quick one's, as that has to stand for operations whose rounding isn't measured.
MIN_DEVIATIONS = 8.0
MIN_POINTS = 4  # of fewer there is no average


def wrong_on_average(outcome: Outcome, expected: Expected, format_name: str, safety: float) -> Complaint | None:
    """A leaf whose results are a multiple of what they should be, by a factor that rounding doesn't explain.

    `safety` is the factor of safety in the allowances.
    """
    deviations = max(MIN_DEVIATIONS, safety / 2)
    for i, (got, leaf) in enumerate(zip(outcome.leaves, expected.leaves, strict=True)):
        fitted = _fitted(got, leaf, outcome.points, deviations)
        if fitted is None:
            continue
        factor, deviation = fitted
        rounding = MEAN_ROUNDINGS * eps_of(format_name) / 2 + MEAN_DEVIATIONS * deviation
        if abs(factor - 1) > max(MIN_OFF, rounding):
            where = f" of result[{i}]" if len(outcome.leaves) > 1 else ""
            text = (
                f"on average over all points, the entries{where} are {factor:.3g} times what they should be; "
                f"each alone is within what rounding in {format_name} may do"
            )
            return Complaint("wrong factor", text)
    return None


def _fitted(got: np.ndarray, leaf: ExpectedLeaf, points: np.ndarray, deviations: float) -> tuple[float, float] | None:
    """The factor that fits best, the best known points weighing most; and how well that is known."""
    want, sigma = leaf.want[points], leaf.allowance[points] / deviations
    with np.errstate(all="ignore"):
        usable = (
            leaf.decided[points]
            & (leaf.low[points] == leaf.high[points])
            & np.isnan(leaf.also[points])
            & np.isfinite(got)
            & (want != 0)
        )
        known = np.where(usable, want / sigma, 0.0).reshape(len(points), -1)
        off = np.where(usable, (got - want) / sigma, 0.0).reshape(len(points), -1)
    # The errors of one point's entries may be one and the same: a point counts once, by its best known entry.
    best = np.abs(known).argmax(1)[:, None]
    known, off = (np.take_along_axis(of, best, 1)[:, 0] for of in (known, off))
    if (known != 0).sum() < MIN_POINTS:
        return None
    weight = np.minimum(np.abs(known), np.median(np.abs(known[known != 0])))  # no point alone decides
    relative = np.where(known != 0, off / np.where(known != 0, known, 1), 0.0)
    total = (weight**2).sum()
    return 1 + float((weight**2 * relative).sum() / total), float(1 / np.sqrt(total))
