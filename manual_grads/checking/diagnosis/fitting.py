"""Which candidates, each times a number, make up an array: by least squares over some of its entries, then over all."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from manual_grads.checking.arrays import Leaf
from manual_grads.checking.diagnosis.candidates import Candidate
from manual_grads.checking.diagnosis.evidence import Evidence

MAX_SAMPLED = 400  # entries: more tell no more about which candidate it is
MAX_UNEXPLAINED = 1e-4  # of a sum of squares: what leaves more isn't worth a look at every entry
MAX_LOOKED_AT = 12  # guesses that are tried on every entry
WHOLE_NUMBER = 1e-4  # a coefficient so close to a whole number is meant to be that
MAX_COEFFICIENT = 1e3  # a term that is added so many times explains by cancellation

Fit = list[tuple[float, Candidate]]  # what is to be added up


class Sample(NamedTuple):
    """Some of the entries, weighted: an array's numbers there are `of(array)`."""

    at: np.ndarray
    weight: Float[np.ndarray, " n"]

    def of(self, array: Leaf) -> Float[np.ndarray, " n"]:
        """The array's weighted numbers there; 0 where they aren't finite."""
        numbers = np.ravel(array)[self.at]
        return np.where(np.isfinite(numbers), numbers, 0.0) * self.weight


def sample(e: Evidence, target: Leaf) -> Sample:
    """Entries that are judged, each weighted by what is allowed there, and each point as much as any other."""
    usable = e.judged & np.isfinite(e.got) & np.isfinite(target)
    with np.errstate(all="ignore"):
        weight = np.where(usable, 1 / e.allowance, 0.0)
        rows = np.sqrt(((np.where(usable, target, 0) * weight).reshape(len(weight), -1) ** 2).sum(1))
        typical = np.median(rows[rows > 0]) if (rows > 0).any() else 1.0
        weight = weight / np.maximum(rows, typical).reshape(-1, *[1] * (weight.ndim - 1))
    at = np.flatnonzero(usable)
    if len(at) > MAX_SAMPLED:
        at = np.sort(np.random.default_rng(0).choice(at, MAX_SAMPLED, replace=False))
    return Sample(at, np.nan_to_num(weight.ravel()[at]))


def fits(e: Evidence, target: Leaf, guesses: list[Candidate]) -> Iterator[Fit]:
    """The candidates of which a multiple is nearly the target, in their order."""
    seen = sample(e, target)
    wanted = seen.of(target)
    if not guesses or not wanted.any():
        return
    with np.errstate(all="ignore"):
        columns = np.stack([seen.of(c.array) for c in guesses])
        squares, along = (columns**2).sum(1), columns @ wanted
        left = wanted @ wanted - along**2 / squares
        near = np.flatnonzero(left < MAX_UNEXPLAINED * (wanted @ wanted))
    for i in near[:MAX_LOOKED_AT]:
        if 0 < abs(scale := along[i] / squares[i]) < MAX_COEFFICIENT:
            yield [(_whole(scale), guesses[i])]


def pair_fits(e: Evidence, target: Leaf, guesses: list[Candidate], which: np.ndarray | None = None) -> Iterator[Fit]:
    """The pairs of candidates that make up the target, those that leave least of it first; `which` of all pairs."""
    seen = sample(e, target)
    wanted = seen.of(target)
    if len(guesses) < 2 or not wanted.any():
        return
    with np.errstate(all="ignore"):
        columns = np.stack([seen.of(c.array) for c in guesses])
        columns = columns / np.sqrt((columns**2).sum(1, keepdims=True))
        along = columns @ wanted
        i, j = np.triu_indices(len(guesses), 1) if which is None else which
        both = (columns @ columns.T)[i, j] if which is None else np.einsum("ks,ks->k", columns[i], columns[j])
        determinant = 1 - both**2
        first = (along[i] - both * along[j]) / determinant
        second = (along[j] - both * along[i]) / determinant
        left = wanted @ wanted - first * along[i] - second * along[j]
        good = (determinant > 1e-10) & (left < MAX_UNEXPLAINED * (wanted @ wanted))
    # What leaves nothing but roundings is equally good: of those, the simplest.
    near = sorted(np.flatnonzero(good), key=lambda k: (max(left[k] / (wanted @ wanted), 1e-12), j[k], i[k]))
    for k in near[:MAX_LOOKED_AT]:
        chosen = [guesses[i[k]], guesses[j[k]]]
        exact = np.linalg.lstsq(np.stack([seen.of(c.array) for c in chosen], 1), wanted, rcond=None)[0]
        if all(0 < abs(s) < MAX_COEFFICIENT for s in exact):
            yield [(_whole(s), c) for s, c in zip(exact, chosen, strict=True)]


def total(fit: Fit) -> Leaf:
    """What is added up; zeros where a candidate isn't finite."""
    with np.errstate(all="ignore"):
        return sum((s * np.where(np.isfinite(c.array), c.array, 0.0) for s, c in fit), np.zeros(()))


def spelled(fit: Fit) -> str:
    """Such as "-1 × the one-hot of args[1] and 2 × args[0]"."""
    return " and ".join(c.name if s == 1 else f"{s:.4g}" if c.name == "1" else f"{s:.4g} × {c.name}" for s, c in fit)


def _whole(scale: float) -> float:
    return float(np.round(scale)) if abs(scale - np.round(scale)) < WHOLE_NUMBER else float(scale)
