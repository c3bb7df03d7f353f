"""Hypotheses about what was left out: a term that the residual shows, or a factor that the quotient shows."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from manual_grads.checking.diagnosis.candidates import Candidate, candidates
from manual_grads.checking.diagnosis.evidence import EXPLAINED, Evidence
from manual_grads.checking.report import Hypothesis

MAX_PAIRED = 60  # candidates, of which every two are tried together: 1770 pairs
MAX_PAIRED_ENTRIES = 20_000  # of a result: for a larger one, all pairs would take seconds
MAX_UNEXPLAINED = 1e-4  # of a residual's sum of squares: what leaves more isn't worth a look at every entry
WHOLE_NUMBER = 1e-4  # a coefficient so close to a whole number is meant to be that
MAX_COEFFICIENT = 1e3  # a term that is added so many times explains by cancellation


def missing_term(e: Evidence) -> Iterator[Hypothesis]:
    """The residual `want − got` is a multiple of something recognisable."""
    yield from _missing(e, [(part,) for part in _finite(candidates(e))])


def missing_terms(e: Evidence) -> Iterator[Hypothesis]:
    """The residual is made of two recognisable things."""
    if e.got.size <= MAX_PAIRED_ENTRIES:
        yield from _missing(e, list(combinations(_finite(candidates(e))[:MAX_PAIRED], 2)))


def _missing(e: Evidence, guesses: Sequence[tuple[Candidate, ...]]) -> Iterator[Hypothesis]:
    """The first guess whose candidates, each times a number, add up to the residual: by weighted least squares."""
    finite = np.isfinite(e.got) & e.decided
    weight = np.where(finite, 1 / e.allowance, 0.0)
    weight /= weight.max(initial=1e-300)
    residual = (np.where(finite, e.want - e.got, 0.0) * weight).ravel()
    weighted = {id(part): (part * weight).ravel() for guess in guesses for _, part in guess}
    for guess in guesses:
        columns = np.stack([weighted[id(part)] for _, part in guess], axis=-1)
        gram, against = columns.T @ columns, columns.T @ residual
        if not np.linalg.det(gram) > 1e-10 * np.prod(np.diag(gram)):  # none of it, or twice the same
            continue
        scales = np.linalg.solve(gram, against)
        # Most guesses are far off, which a look at the sum of squares shows.
        if residual @ residual - scales @ against > MAX_UNEXPLAINED * (residual @ residual):
            continue
        scales = np.where(abs(scales - np.round(scales)) < WHOLE_NUMBER, np.round(scales), scales)
        instead = e.got + sum(s * part for s, (_, part) in zip(scales, guess, strict=True))
        if (scales != 0).all() and (abs(scales) < MAX_COEFFICIENT).all() and e.explains(instead):
            added = " and ".join(f"{s:.4g} × {name}" for s, (name, _) in zip(scales, guess, strict=True))
            text = (
                f"a term is missing (or one too many): adding {added} brings the worst error from {e.error(e.got):.2g}"
            )
            yield Hypothesis("missing term", f"{text} to {e.error(instead):.2g}")
            return


def missing_factor(e: Evidence) -> Iterator[Hypothesis]:
    """The quotient of the result and the truth is something recognisable."""
    for name, part in candidates(e):
        with np.errstate(all="ignore"):
            for text, instead in ((f"multiplying by {name}", e.got * part), (f"dividing by {name}", e.got / part)):
                if e.explains(np.nan_to_num(instead, posinf=0, neginf=0)):
                    left = e.error(instead)
                    yield Hypothesis("missing factor", f"a factor is missing: {text} leaves an error of {left:.2g}")
                    return


def mistaken(e: Evidence) -> Iterator[Hypothesis]:
    """The result is something recognisable; best, where what it should be is so too."""
    if not e.got[e.decided].any():
        return
    is_got = next((name for name, part in candidates(e) if _same(e, e.got, part)), None)
    if is_got and is_got != "1":
        should = next((name for name, part in candidates(e) if _same(e, e.want, part)), None)
        instead = f"; it should be {should}" if should else ""
        yield Hypothesis("mistaken", f"the result is {is_got}{instead}")


def _same(e: Evidence, x: np.ndarray, part: np.ndarray) -> bool:
    """Whether an array is the candidate, at every entry that is decided."""
    with np.errstate(all="ignore"):
        close = np.abs(x - part) <= EXPLAINED * e.allowance
    return bool(close[e.decided & np.isfinite(x)].all())


def residual_along(e: Evidence) -> Iterator[Hypothesis]:
    """The residual is, at each point or in each row of it, a multiple of a direction, or of two."""
    finite = np.isfinite(e.got) & e.decided
    if e.got.ndim < 2 or not finite.any():
        return
    residual = np.where(finite, e.want - e.got, 0.0)
    every = tuple(range(1, e.got.ndim))
    for axes in dict.fromkeys([(e.got.ndim - 1,), (1,), every]):
        directions = list(_directions(e, axes))
        for several in (*((d,) for d in directions), *combinations(directions, 2)):
            if len(several) >= np.prod([e.got.shape[axis] for axis in axes]) - 1:
                continue
            part = _projected(residual, [np.broadcast_to(d, residual.shape) for _, d in several], axes)
            if np.abs(part).max(initial=0) > 0 and e.explains(e.got + part):
                what, left = " and ".join(name for name, _ in several), e.error(e.got + part)
                text = f"the residual is, {_along(axes)}, {what}; without it the worst error is {left:.2g}"
                if len(several) == 1 and several[0][1] is e.want:
                    yield Hypothesis("missing factor", f"a factor that varies is missing (or one too many): {text}")
                else:
                    yield Hypothesis("missing term", f"a term is missing (or one too many): {text}")
                return


def _along(axes: tuple[int, ...]) -> str:
    return f"along axis {axes[0] - 1}" if len(axes) == 1 else "at each point"


def _directions(e: Evidence, axes: tuple[int, ...]) -> Iterator[Candidate]:
    """What a residual may be a multiple of, along these axes."""
    yield "the same number for all entries (a mean or a sum over it)", np.ones(e.got.shape)
    if e.got.ndim > 2:
        yield "a multiple of the true gradient (as if one factor of a product were wrong)", e.want
    for name, x in e.inputs:
        if x.shape == e.got.shape and np.issubdtype(x.dtype, np.floating):
            yield f"a multiple of args{name} (its projection on it)", x
            yield (
                f"a multiple of args{name} less its mean (as the variance's share is)",
                x - x.mean(axes, keepdims=True),
            )
        if x.ndim == 2 and e.got.shape == (*x.shape, x.shape[1]) and np.issubdtype(x.dtype, np.floating):
            yield f"a multiple of the outer square of args{name}", x[:, :, None] * x[:, None, :]
    for value in e.value:
        if value.shape == e.got.shape:
            yield "a multiple of the forward's value", value
    if e.got.ndim == 2:
        yield "a multiple of the true gradient", e.want


def _projected(residual: np.ndarray, directions: list[np.ndarray], axes: tuple[int, ...]) -> np.ndarray:
    """The residual's projection on the directions, along these axes, by Gram and Schmidt."""
    part, basis = np.zeros_like(residual), []
    with np.errstate(all="ignore"):
        for d in directions:
            for b in basis:
                d = d - (d * b).sum(axes, keepdims=True) * b
            b = np.nan_to_num(d / np.sqrt((d * d).sum(axes, keepdims=True)))
            basis.append(b)
            part = part + (residual * b).sum(axes, keepdims=True) * b
    return part


def _finite(some: Iterator[Candidate]) -> list[Candidate]:
    """The candidates with zeros where they aren't finite."""
    return [(name, np.where(np.isfinite(part), part, 0.0)) for name, part in some]
