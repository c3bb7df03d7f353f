"""Products of recognisable arrays: with a cotangent or a tangent, summed along an axis, and of matrices."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

import numpy as np

from manual_grads.checking.diagnosis.candidates import KEPT, SAME, Candidate, fitted, room, unfitted
from manual_grads.checking.diagnosis.evidence import Evidence

MAX_FACTORS = 64  # the simplest: beyond them explanations are far-fetched
MAX_SUMMED = 24  # of those with a cotangent
MAX_WITHIN = 8  # values that the forward computes, and as many quotients of them, of which every two are multiplied
MAX_MATRICES = 8  # that are multiplied with one that holds a cotangent
# What each kind of product of two matrices is, and how it is written.
MATRIX_PRODUCTS = {
    "nki,nkj->nij": "{0}ᵀ @ {1}",
    "nik,nkj->nij": "{0} @ {1}",
    "nik,njk->nij": "{0} @ {1}ᵀ",
    "nij,nj->ni": "{0} @ {1}",
    "nij,ni->nj": "{0}ᵀ @ {1}",
}


@lru_cache(maxsize=2 * KEPT)
def products(e: Evidence, backward: bool = False) -> list[Candidate]:
    """Products that fit the result's shape, the simplest first: with a cotangent, or a gradient of a backward pass."""
    shape = e.got.shape
    if backward and not e.backward:
        return []
    with np.errstate(all="ignore"):
        # Values before what might be made of them.
        values = {f"args{name}" for name, _ in e.inputs} | {name for name, _ in e.within} | {"the forward's value"}
        factors = [c for c in unfitted(e) if not _constant(c.array)]
        factors = sorted(factors, key=lambda c: c.name not in values)
        directed = _directed(e, factors, backward)
        sums = [s for c in directed[:MAX_SUMMED] for s in _sums(c)] if not backward else []
        found = [c._replace(array=x) for c in (*directed, *sums) for x in fitted(c.array, shape)]
        spread = list(_fitting(factors, shape))[:MAX_FACTORS] + _within(e, factors)
        most = room(e)
        found += islice(_matrix_products(e, factors, directed), most)
        for d in [*_fitting(directed[: len(e.backward if backward else e.directions)], shape), *_fitting(sums, shape)]:
            if len(found) + len(spread) > most:
                break
            found += [_times(d, c) for c in spread]
        return [c for c in found if not _constant(c.array)]


def _within(e: Evidence, factors: list[Candidate]) -> list[Candidate]:
    """Products of two of what the forward computes, or of one and a quotient: a normalised entry times a scale."""
    names = ["the forward's value", *(name for name, _ in e.within)]
    values = [c for c in factors if c.name in names][:MAX_WITHIN]
    inverse = [c for c in factors if c.name in [f"1 over {name}" for name in names]][:MAX_WITHIN]
    every = list(_fitting(values + inverse, e.got.shape))
    return [_times(a, b) for i, a in enumerate(every) for b in every[i:]]


def _directed(e: Evidence, factors: list[Candidate], backward: bool) -> list[Candidate]:
    """The cotangents and tangents, or what takes their place in a gradient, alone and times each factor."""
    alone = [Candidate(f"args{name}", x) for name, x in e.inputs if name in e.directions]
    if backward:
        alone = [Candidate(*c) for c in e.backward[:MAX_WITHIN] if not _constant(c[1])]
    if not alone:
        return [c for c in factors if c.name.startswith("args")] + [
            _times(a, b)
            for i, a in enumerate(factors[:MAX_MATRICES])
            for b in factors[i:]
            if a.array.shape == b.array.shape
        ]
    times = [_times(d, c) for d in alone for c in list(_fitting(factors, d.array.shape))[:MAX_FACTORS]]
    return alone + times


def _sums(c: Candidate) -> Iterator[Candidate]:
    """Along each axis: kept with length one, as in a normalisation; and gone, as of what was broadcast."""
    for axis in (a for a in range(1, c.array.ndim) if c.array.shape[a] > 1):
        terms, total = c.array.shape[axis], c.array.sum(axis, keepdims=True)
        for kept in (total, total.squeeze(axis)):
            along = f"the sum of {_grouped(c.name)}"
            yield Candidate(f"{along} over axis {axis - 1}", kept, along, terms)


def _matrix_products(e: Evidence, factors: list[Candidate], directed: list[Candidate]) -> Iterator[Candidate]:
    """Of one that holds a cotangent, and one that doesn't, in every order that fits."""
    if e.got.ndim not in (2, 3):
        return
    plain = [c for c in factors if c.array.ndim == 3][:MAX_MATRICES]
    for d in (c for c in directed if c.array.ndim in (2, 3)):
        for other in plain:
            for a, b in ((other, d), (d, other)):
                for spec, written in MATRIX_PRODUCTS.items():
                    array = _contracted(spec, a.array, b.array, e.got.shape)
                    if array is not None:
                        yield Candidate(written.format(_grouped(a.name), _grouped(b.name)), array)


def _contracted(spec: str, a: np.ndarray, b: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """The contraction, if it is one of arrays of these shapes that has the result's."""
    given, result = spec.split("->")
    sizes: dict[str, int] = {}
    for letters, x in zip(given.split(","), (a, b), strict=True):
        if len(letters) != x.ndim or any(sizes.setdefault(k, n) != n for k, n in zip(letters, x.shape, strict=True)):
            return None
    return np.einsum(spec, a, b) if tuple(sizes[k] for k in result) == shape else None


def _times(a: Candidate, b: Candidate) -> Candidate:
    one, other = (f"({c.name})" if " − " in c.name else c.name for c in (a, b))
    return Candidate(f"{one} × {other}", a.array * b.array, a.along and f"{a.along} × {other}", a.terms)


def _grouped(name: str) -> str:
    """A name of several words in parentheses."""
    return f"({name})" if " " in name else name


def _fitting(some: list[Candidate], shape: tuple[int, ...]) -> Iterator[Candidate]:
    for c in some:
        for x in fitted(c.array, shape):
            yield c._replace(array=x)


def _constant(x: np.ndarray) -> bool:
    """Whether all that is finite is one number, as x times 1/x is: no news."""
    known = x[np.isfinite(x)]
    return not known.size or bool(np.ptp(known) <= SAME * np.abs(known[0]))
