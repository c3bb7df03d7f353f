"""A wrong result beside what it should be, and what a hypothesis would leave of the error."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from manual_grads.checking.arrays import Entries, Leaf, is_float
from manual_grads.checking.claim import Claim
from manual_grads.checking.compiling import compiled
from manual_grads.checking.judging.judge import Finding
from manual_grads.checking.judging.measure import ratios

EXPLAINED = 8.0  # allowances: an explanation need not have the rounding errors of the right formula
MIN_SHARE_EXPLAINED = 0.99  # of all entries, as single ones may be ill-conditioned in the wrong formula alone;
MIN_SHARE_OF_WRONG_EXPLAINED = 0.9  # and of those that are wrong, which may be few
MIN_SHARE_OF_SLOPES = 0.5  # that have to be well determined, for slopes to say anything

Named = tuple[str, Leaf]  # an array, and what to call it


class Evidence(NamedTuple):
    """A result that is wrong, one leaf of it, beside what it should be, all stacked over the points."""

    where: str  # how to call the leaf: "" if it is the only one
    got: Leaf
    want: Leaf
    decided: Entries
    allowance: Leaf
    ratio: Float[np.ndarray, "points *leaf"]  # the error as a part of the allowance
    points: list[str]  # their names
    inputs: list[Named]  # the arguments' arrays
    value: list[Leaf]  # the forward's
    others: list[Named]  # what else there is to compare with: other results and gradients

    @property
    def wrong(self) -> Entries:
        """The entries that are wrong."""
        return self.ratio > 1

    def error(self, instead: Leaf) -> float:
        """The worst error that another result would have, absolute."""
        with np.errstate(all="ignore"):
            error = np.where(self.decided, np.abs(instead - self.want), 0.0)
        return float(np.nanmax(error, initial=0.0))

    def explains(self, instead: Leaf, allowance: float = 1.0) -> bool:
        """Whether another result would leave nearly nothing: of all entries, and of those that are wrong."""
        with np.errstate(all="ignore"):
            right = np.abs(instead - self.want) / self.allowance <= EXPLAINED * allowance
        finite = np.isfinite(self.got)
        every, wrong = right[self.decided & finite], right[self.wrong & finite]
        if not wrong.size:
            return False
        return bool(np.mean(every) > MIN_SHARE_EXPLAINED and np.mean(wrong) > MIN_SHARE_OF_WRONG_EXPLAINED)


def evidence_of(claim: Claim, finding: Finding) -> list[Evidence]:
    """The leaves that are wrong."""
    outcome, expected, trial = finding.outcome, finding.expected, finding.trial
    assert expected is not None and trial is not None
    points = outcome.points
    where = [f"result[{i}]" if len(outcome.leaves) > 1 else "" for i in range(len(outcome.leaves))]
    named = [(f"what {w} should be", leaf.want) for w, leaf in zip(where, expected.leaves, strict=True)]
    named += _slopes(finding, where) + _gradients(claim, trial.arrays)
    every = [
        Evidence(
            where=where[i],
            got=got,
            want=leaf.want[points],
            decided=leaf.decided[points],
            allowance=leaf.allowance[points],
            ratio=ratios(got, leaf, points),
            points=[trial.names[p] for p in points],
            inputs=[(name, x[points]) for name, x in zip(claim.names, trial.arrays, strict=True)],
            value=[v[points] for v in expected.value],
            others=[(name, x[points]) for name, x in named if not _same(x, leaf.want, leaf.decided)],
        )
        for i, (got, leaf) in enumerate(zip(outcome.leaves, expected.leaves, strict=True))
    ]
    return [e for e in every if e.wrong.any()]


def _slopes(finding: Finding, where: list[str]) -> list[Named]:
    """The slopes by differences, which may be what was meant where autodiff was told not to be."""
    assert finding.expected is not None
    found = []
    for w, leaf in zip(where, finding.expected.leaves, strict=True):
        if "differences" not in leaf.by_oracle:
            continue
        slope = leaf.by_oracle["differences"]
        known = np.isfinite(slope)
        if known.mean() > MIN_SHARE_OF_SLOPES:
            name = f"the slope{f' of {w}' if w else ''} by differences, which autodiff is told not to be, "
            name += "as by a stop_gradient"
            # Where it isn't well determined, it says nothing; where it is, nearly all have to agree.
            found.append((name, np.where(known, slope, leaf.want)))
    return found


def _gradients(claim: Claim, arrays: list[Leaf]) -> list[Named]:
    """The forward's gradients with respect to each argument: the result may be another one's."""
    floats = tuple(i for i, x in enumerate(arrays) if is_float(x))

    def total(*leaves: Any) -> Any:
        return sum(v.sum() for v in jax.tree.leaves(claim.value(*leaves)))

    try:
        found = compiled(jax.vmap(jax.grad(total, floats)), "float64", optimised=False)(*arrays)
    except Exception:  # no function to differentiate, or none of all its arguments: one explanation fewer
        return []
    names = claim.names
    return [(f"the gradient with respect to args{names[i]}", np.asarray(g)) for i, g in zip(floats, found, strict=True)]


def _same(x: Leaf, want: Leaf, decided: Entries) -> bool:
    """Whether it is what the leaf should be, and so no news."""
    return x.shape == want.shape and np.allclose(x[decided], want[decided], rtol=1e-6, atol=1e-300)


def shortened(x: np.ndarray) -> str:
    """An array's first entries."""
    flat = ", ".join(f"{v:.4g}" for v in np.ravel(x)[:4].astype(float))
    return f"[{flat}{', …' if x.size > 4 else ''}]" if x.ndim else flat
