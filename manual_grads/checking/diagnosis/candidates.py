"""What a gradient may be made of: arrays that have a name, in the shape of the result."""

from collections.abc import Iterator

import numpy as np

from manual_grads.checking.diagnosis.evidence import Evidence

Candidate = tuple[str, np.ndarray]


def candidates(e: Evidence) -> Iterator[Candidate]:
    """Every recognisable array that fits the result's shape, the simplest first."""
    with np.errstate(all="ignore"):
        yield "1", np.ones(e.got.shape)
        for name, part in _unfitted(e):
            if (fitted := _fitted(part, e.got.shape)) is not None:
                yield name, fitted
        yield from _of_the_truth(e)


def _fitted(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """The array, broadcast along leading or trailing axes; None, if it can't be."""
    for candidate in (x, x.reshape(*x.shape, *[1] * (len(shape) - x.ndim)) if x.ndim < len(shape) else x):
        try:
            if np.broadcast_shapes(candidate.shape, shape) == shape:
                return np.broadcast_to(candidate, shape)
        except ValueError:
            continue
    return None


def _unfitted(e: Evidence) -> Iterator[Candidate]:
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
        yield from _of_one(name, x, e.got.shape)
    for value in e.value:
        yield "the forward's value", value
        yield "the forward's value squared", value * value
        yield "1 − the forward's value", 1 - value
        yield "exp of the forward's value", np.exp(value)
    yield from e.others
    for i, (name, x) in enumerate(floats):
        for other, y in floats[i + 1 :]:
            yield from _of_two(name, x, other, y)


def _of_one(name: str, x: np.ndarray, shape: tuple[int, ...]) -> Iterator[Candidate]:
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
    for axis in range(1, x.ndim):
        total = x.sum(axis, keepdims=True)
        yield f"the mean of {name} over axis {axis - 1}", total / x.shape[axis]
        yield f"the sum of {name} over axis {axis - 1}", total
        summed = np.cumsum(x, axis)
        yield f"the cumulative sum of {name} along axis {axis - 1}", summed
        yield f"the reversed cumulative sum of {name} along axis {axis - 1}", total - summed + x
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


def _of_two(name: str, x: np.ndarray, other: str, y: np.ndarray) -> Iterator[Candidate]:
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


def _of_the_truth(e: Evidence) -> Iterator[Candidate]:
    """Arrays made of the true gradient and of the result."""
    shape = e.got.shape
    for axis in range(1, len(shape)):
        yield f"the mean of the true gradient over axis {axis - 1}", _mean(e.want, axis)
        yield f"the mean of the result over axis {axis - 1}", _mean(e.got, axis)
    if len(shape) > 2 and shape[-1] == shape[-2]:
        eye = np.broadcast_to(np.eye(shape[-1]), shape)
        yield "the diagonal of the true Jacobian", e.want * eye
        yield "the true gradient, transposed", np.swapaxes(e.want, -1, -2)
        yield "the identity", eye
        for value in e.value:
            if value.shape == shape[:-1]:
                yield "diag of the forward's value", value[..., None] * eye
                yield "diag of the forward's value squared", value[..., None] ** 2 * eye
                yield "the outer square of the forward's value", value[..., None] * value[..., None, :]


def _mean(x: np.ndarray, axis: int) -> np.ndarray:
    return np.broadcast_to(x.mean(axis, keepdims=True), x.shape)
