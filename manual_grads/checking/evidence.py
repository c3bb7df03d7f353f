"""A wrong result beside what it should be, and what a hypothesis would leave of the error."""

from typing import Any, NamedTuple

import numpy as np

from manual_grads.checking.measure import ratios
from manual_grads.checking.truth import Truth

EXPLAINED = 8.0  # tolerances: an explanation need not have the rounding errors of the right formula


class Evidence(NamedTuple):
    """A result that is wrong, one leaf of it, beside what it should be, all stacked over the points."""

    where: str  # how to call the leaf: "" if it is the only one
    got: np.ndarray
    want: np.ndarray
    decided: np.ndarray
    tolerance: np.ndarray
    ratio: np.ndarray
    names: list[str]  # of the points
    inputs: list[tuple[str, np.ndarray]]  # the arguments' arrays, by name
    value: list[np.ndarray]  # the forward's
    others: list[tuple[str, np.ndarray]]  # what else there is to compare with: other results and gradients

    @property
    def wrong(self) -> np.ndarray:
        """Which entries are."""
        return self.ratio > 1

    def error(self, instead: np.ndarray) -> float:
        """The worst error, absolute, over the points of ordinary size."""
        with np.errstate(all="ignore"):
            error = np.where(self.decided, np.abs(instead - self.want), 0.0)
        return float(np.nanmax(error, initial=0.0))

    def explains(self, instead: np.ndarray, allowance: float = 1.0) -> bool:
        """Whether nearly nothing is left: of all entries, and of those that are wrong."""
        with np.errstate(all="ignore"):
            right = np.abs(instead - self.want) / self.tolerance <= EXPLAINED * allowance
        finite = np.isfinite(self.got)
        every, wrong = right[self.decided & finite], right[self.wrong & finite]
        return bool(wrong.size) and bool(np.mean(every) > 0.99) and bool(np.mean(wrong) > 0.9)


def evidence(
    got: list[np.ndarray],
    truth: Truth,
    points: Any,
    names: list[str],
    inputs: list[tuple[str, Any]],
    where: list[str],
    gradients: list[tuple[str, Any]],
) -> list[Evidence]:
    """The leaves that are wrong."""
    results = [(f"what {w} should be", want) for w, want in zip(where, truth.want, strict=True)]
    for i, slope in enumerate(truth.by_oracle.get("differences", ())):
        # Where it isn't well determined, it says nothing; where it is, nearly all have to agree.
        known = np.isfinite(slope)
        if known.mean() > 0.5:
            results.append(
                (
                    f"the slope{' of ' + where[i] if where[i] else ''} by differences, which autodiff is told "
                    "not to be, as by a stop_gradient",
                    np.where(known, slope, truth.want[i]),
                )
            )
    every = [
        Evidence(
            where[i],
            leaf,
            truth.want[i][points],
            truth.decided[i][points],
            truth.tolerance[i][points],
            ratios(leaf, truth, i, points),
            [names[p] for p in points],
            [(name, x[points]) for name, x in inputs],
            [v[points] for v in truth.value],
            [(name, x[points]) for name, x in results + gradients if not _same(x, truth.want[i], truth.decided[i])],
        )
        for i, leaf in enumerate(got)
    ]
    return [e for e in every if e.wrong.any()]


def _same(x: np.ndarray, want: np.ndarray, decided: np.ndarray) -> bool:
    """Whether it is what the leaf should be, and so no news."""
    return x.shape == want.shape and np.allclose(x[decided], want[decided], rtol=1e-6, atol=1e-300)


def shortened(x: np.ndarray) -> str:
    """An array's first entries."""
    flat = ", ".join(f"{v:.4g}" for v in np.ravel(x)[:4].astype(float))
    return f"[{flat}{', …' if x.size > 4 else ''}]" if x.ndim else flat
