"""Hypotheses about a residual that is a multiple of a direction, by another number at each point or in each row."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from manual_grads.checking.diagnosis.evidence import Evidence
from manual_grads.checking.report import Hypothesis


def residual_along(e: Evidence) -> Iterator[Hypothesis]:
    """The residual is, at each point or in each row of it, a multiple of a direction, or of two."""
    finite = np.isfinite(e.got) & e.judged
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
            if np.abs(part).max(initial=0) > 0 and e.betters(e.got + part):
                what, left = " and ".join(name for name, _ in several), e.error(e.got + part)
                text = f"the residual is, {_along(axes)}, {what}; without it the worst relative error is {left:.2g}"
                if len(several) == 1 and several[0][1] is e.want:
                    yield Hypothesis("missing factor", f"a factor that varies is missing (or one too many): {text}")
                else:
                    yield Hypothesis("missing term", f"a term is missing (or one too many): {text}")
                return


def _along(axes: tuple[int, ...]) -> str:
    return f"along axis {axes[0] - 1}" if len(axes) == 1 else "at each point"


def _directions(e: Evidence, axes: tuple[int, ...]) -> Iterator[tuple[str, np.ndarray]]:
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
