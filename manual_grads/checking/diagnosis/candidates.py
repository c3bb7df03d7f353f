"""What a gradient may be made of: arrays that have a name, in the shape of the result."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import chain, islice
from typing import NamedTuple

import numpy as np

from manual_grads.checking.diagnosis.evidence import Evidence

KEPT = 8  # results whose candidates are kept: those of one check
MAX_NUMBERS = 4e7  # of all candidates together: a third of a gigabyte
SAME = 1e-9  # relative: numbers so near are the same


# What is made of a value that the forward computes on its way.
FORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "1 over": lambda v: 1 / v,
    "the square of": lambda v: v * v,
    "σ of": lambda v: 1 / (1 + np.exp(-v)),
    "1 −": lambda v: 1 - v,
    "1 − the square of": lambda v: 1 - v * v,
}


class Candidate(NamedTuple):
    """An array, and what to call it."""

    name: str
    array: np.ndarray
    along: str = ""  # its name but for the axis, if it is a sum or a mean along one
    terms: int = 1  # of that mean or sum,
    share: float = 1.0  # and how much each of them counts: 1 in a sum


@lru_cache(maxsize=KEPT)
def candidates(e: Evidence) -> list[Candidate]:
    """Every recognisable array that fits the result's shape, the simplest first."""
    shape = e.got.shape
    with np.errstate(all="ignore"):
        fitting = [c._replace(array=array) for c in unfitted(e) for array in fitted(c.array, shape)]
        return [Candidate("1", np.ones(shape)), *fitting]


@lru_cache(maxsize=KEPT)
def unfitted(e: Evidence) -> list[Candidate]:
    """Every recognisable array in its own shape; each once, by the simplest of its names."""
    with np.errstate(all="ignore"):
        of_within = ((f"{form} {name}", of(x)) for form, of in FORMS.items() for name, x in e.within)
        every = chain(_of_arguments(e), e.within, of_within, e.others)
        return _distinct([Candidate(*c) for c in islice(every, room(e))])


def room(e: Evidence) -> int:
    """How many arrays may be made of the largest that there are."""
    return int(MAX_NUMBERS / max(x.size for x in (e.got, *(x for _, x in e.inputs))))


def _distinct(every: list[Candidate]) -> list[Candidate]:
    """Those that aren't one of the others, which would be found twice."""
    kept: list[Candidate] = []
    seen: dict[tuple[int, ...], list[np.ndarray]] = {}
    for c in every:
        same = seen.setdefault(c.array.shape, [])
        if not any(np.allclose(c.array, x, rtol=SAME, atol=0, equal_nan=True) for x in same):
            same.append(c.array)
            kept.append(c)
    return kept


def fitted(x: np.ndarray, shape: tuple[int, ...]) -> list[np.ndarray]:
    """The array, broadcast along trailing or leading axes of a result; none, if it can't be."""
    missing = len(shape) - x.ndim
    if missing < 0 or not x.ndim:
        return []
    spread = dict.fromkeys([(*x.shape, *[1] * missing), (len(x), *[1] * missing, *x.shape[1:])])
    return [np.broadcast_to(x.reshape(s), shape) for s in spread if _broadcasts(s, shape)]


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    return all(n in (1, m) for n, m in zip(shape, to, strict=True))


def _of_arguments(e: Evidence) -> Iterator[tuple[str, np.ndarray]]:
    """Arrays made of the arguments and of the forward's value, in shapes of their own."""
    floats = [(f"args{name}", x) for name, x in e.inputs if np.issubdtype(x.dtype, np.floating)]
    for name, labels in e.inputs:
        if np.issubdtype(labels.dtype, np.integer) and e.got.shape[:-1] == labels.shape:
            classes = np.arange(e.got.shape[-1])
            yield f"the one-hot of args{name} (the label's entry)", (labels[..., None] == classes).astype(float)
            for off, word in ((1, "+ 1"), (-1, "− 1")):
                other = labels[..., None] + off
                yield f"the one-hot of args{name} {word}", (other == classes).astype(float)
                yield f"the one-hot of args{name} {word} mod K", (other % classes.size == classes).astype(float)
    for name, x in floats:
        if name.removeprefix("args") in e.directions:
            yield name, x
            yield from _along_axes(name, x)
        else:
            yield from _of_one(name, x, e.got.shape)
    for value in e.value:
        yield "the forward's value", value
        yield "the forward's value squared", value * value
        yield "1 − the forward's value", 1 - value
        yield "exp of the forward's value", np.exp(value)
    for i, (name, x) in enumerate(floats):
        for other, y in floats[i + 1 :]:
            yield from _of_two(name, x, other, y)


def _of_one(name: str, x: np.ndarray, shape: tuple[int, ...]) -> Iterator[tuple[str, np.ndarray]]:
    """Elementary functions of an argument, and its sums."""
    yield name, x
    yield f"{name}²", x * x
    yield f"1/{name}", 1 / x
    yield f"exp({name})", np.exp(x)
    yield f"exp(−{name})", np.exp(-x)
    yield f"ln {name}", np.log(x)
    logistic = 1 / (1 + np.exp(-x))
    yield f"σ({name})", logistic
    yield f"1 − σ({name})", 1 - logistic
    yield f"σ'({name})", logistic * (1 - logistic)
    yield f"{name}·σ'({name})", x * logistic * (1 - logistic)
    yield f"tanh {name}", np.tanh(x)
    yield f"1 − tanh² {name}", 1 - np.tanh(x) ** 2
    density = np.exp(-x * x / 2) / (2 * np.pi) ** 0.5
    yield f"the normal density of {name}", density
    yield f"{name} times its normal density", x * density
    yield f"the sign of {name}", np.sign(x)
    yield from _along_axes(name, x)
    for axis in (a for a in range(1, x.ndim) if x.shape[a] > 1):
        std = x.std(axis, keepdims=True)
        yield f"1/std of {name} over axis {axis - 1}", 1 / std
        yield f"{name}, normalised over axis {axis - 1}", (x - x.mean(axis, keepdims=True)) / std
    if x.ndim > 1:
        norm = np.sqrt((x * x).sum(tuple(range(1, x.ndim)), keepdims=True))
        yield f"the norm of {name}", norm
        yield f"1/the norm of {name}", 1 / norm
        exponentials = np.exp(x - x.max(-1, keepdims=True))
        g = exponentials / exponentials.sum(-1, keepdims=True)
        yield f"softmax({name})", g
        if shape == (*x.shape, x.shape[-1]):
            eye = np.eye(x.shape[-1])
            yield f"the outer square of softmax({name})", g[..., None] * g[..., None, :]
            yield f"diag of softmax({name})", g[..., None] * eye
            yield f"the outer square of {name}", x[..., None] * x[..., None, :]
            yield f"diag of {name}", x[..., None] * eye
    if x.ndim == 3:
        yield f"the transpose of {name}", np.swapaxes(x, 1, 2)


def _along_axes(name: str, x: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """An argument's sums and means."""
    for axis in (a for a in range(1, x.ndim) if x.shape[a] > 1):
        total, summed = x.sum(axis, keepdims=True), np.cumsum(x, axis)
        yield f"the mean of {name} over axis {axis - 1}", total / x.shape[axis]
        yield f"the sum of {name} over axis {axis - 1}", total
        yield f"the cumulative sum of {name} along axis {axis - 1}", summed
        yield f"the reversed cumulative sum of {name} along axis {axis - 1}", total - summed + x


def _of_two(name: str, x: np.ndarray, other: str, y: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Products of two arguments: entry by entry, outer, and of a matrix with a vector."""
    if x.shape == y.shape:
        yield f"{name} × {other}", x * y
    if x.ndim == y.ndim == 2:
        yield f"the outer product of {name} and {other}", x[:, :, None] * y[:, None, :]
        yield f"the outer product of {other} and {name}", y[:, :, None] * x[:, None, :]
    for m, matrix, v, vector in ((name, x, other, y), (other, y, name, x)):
        if matrix.ndim == 3 and vector.ndim == 2:
            if matrix.shape[2] == vector.shape[1]:
                yield f"{m} @ {v}", np.einsum("nij,nj->ni", matrix, vector)
            if matrix.shape[1] == vector.shape[1]:
                yield f"{m}ᵀ @ {v}", np.einsum("nij,ni->nj", matrix, vector)


def of_the_truth(e: Evidence) -> Iterator[Candidate]:
    """Arrays made of the true gradient and of the result: what is left to say where no formula's parts are seen."""
    shape = e.got.shape
    for axis in (a for a in range(1, len(shape)) if shape[a] > 1):
        for name, x in (("the true gradient", e.want), ("the result", e.got)):
            along = f"the mean of {name}"
            yield Candidate(f"{along} over axis {axis - 1}", _mean(x, axis), along, shape[axis], 1 / shape[axis])
    if len(shape) > 2 and shape[-1] == shape[-2]:
        eye = np.broadcast_to(np.eye(shape[-1]), shape)
        yield Candidate("the diagonal of the true Jacobian", e.want * eye)
        yield Candidate("the true gradient, transposed", np.swapaxes(e.want, -1, -2))
        yield Candidate("the identity", eye)
        for value in e.value:
            if value.shape == shape[:-1]:
                yield Candidate("diag of the forward's value", value[..., None] * eye)
                yield Candidate("diag of the forward's value squared", value[..., None] ** 2 * eye)
                yield Candidate("the outer square of the forward's value", value[..., None] * value[..., None, :])


def _mean(x: np.ndarray, axis: int) -> np.ndarray:
    return np.broadcast_to(x.mean(axis, keepdims=True), x.shape)
