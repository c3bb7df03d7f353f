"""Hypotheses about what was left out: a term that the residual shows, or a factor that the quotient shows."""

from collections.abc import Iterator

import numpy as np

from manual_grads.checking.evidence import Evidence
from manual_grads.checking.report import Hypothesis


def missing_term(e: Evidence) -> Iterator[Hypothesis]:
    """The residual `want − got` is a multiple of something recognisable."""
    finite = np.isfinite(e.got) & e.decided
    residual = np.where(finite, e.want - e.got, 0.0)
    error = e.error(e.got)
    for name, part in _parts(e):
        part = np.where(np.isfinite(part), part, 0.0)
        weight = np.where(finite, 1 / e.tolerance, 0.0)
        a, b = part * weight, residual * weight
        norm = float((a * a).sum())
        if not norm or not np.isfinite(norm):
            continue
        scale = float((a * b).sum()) / norm
        scale = float(np.round(scale)) if abs(scale - np.round(scale)) < 1e-4 else scale
        if scale and e.explains(e.got + scale * part):
            left = e.error(e.got + scale * part)
            text = f"a term is missing (or one too many): adding {scale:.4g} × {name} brings the worst error "
            yield Hypothesis("missing term", text + f"from {error:.2g} to {left:.2g}")
            return
    yield from _shaped(e, residual, finite)


def _shaped(e: Evidence, residual: np.ndarray, finite: np.ndarray) -> Iterator[Hypothesis]:
    """The residual is, at each point, a multiple of a direction: of ones, of an input, of the result."""
    if e.got.ndim < 2 or not finite.all(-1).any() or e.got.shape[-1] < 2:
        return
    directions = {"the same number for all entries of the last axis (a mean or a sum over it)": np.ones_like(e.want)}
    for name, x in e.inputs:
        if x.shape == e.got.shape and np.issubdtype(x.dtype, np.floating):
            directions[f"a multiple of args{name} at each point (its projection on it)"] = x
            directions[f"a multiple of args{name} less its mean (as the variance's share is)"] = x - x.mean(
                -1, keepdims=True
            )
        if e.got.ndim == x.ndim + 1 and x.ndim == 2 and e.got.shape[1:] == (x.shape[1], x.shape[1]):
            directions[f"a multiple of the outer square of args{name} at each point"] = x[:, :, None] * x[:, None, :]
    for value in e.value:
        if value.shape == e.got.shape:
            directions["a multiple of the forward's value at each point"] = value
    directions["a multiple of the true gradient at each point (a factor that varies)"] = e.want
    for name, d in directions.items():
        axes = tuple(range(1, d.ndim)) if "outer" in name else (-1,)
        with np.errstate(all="ignore"):
            share = (residual * d).sum(axes, keepdims=True) / (d * d).sum(axes, keepdims=True)
            part = np.nan_to_num(share * d)
        if e.explains(e.got + part) and np.abs(part).max(initial=0) > 0:
            left = e.error(e.got + part)
            text = (
                f"a term is missing (or one too many): the residual is {name}; without it the worst error is {left:.2g}"
            )
            yield Hypothesis("missing term", text)
            return


def missing_factor(e: Evidence) -> Iterator[Hypothesis]:
    """The quotient of the result and the truth is something recognisable."""
    for name, part in _parts(e):
        with np.errstate(all="ignore"):
            for text, instead in ((f"multiplying by {name}", e.got * part), (f"dividing by {name}", e.got / part)):
                if e.explains(np.nan_to_num(instead, posinf=0, neginf=0)):
                    left = e.error(instead)
                    yield Hypothesis("missing factor", f"a factor is missing: {text} leaves an error of {left:.2g}")
                    return


def _parts(e: Evidence) -> Iterator[tuple[str, np.ndarray]]:
    """Recognisable arrays that fit the result's shape."""
    shape = e.got.shape

    def fits(x: np.ndarray) -> np.ndarray | None:
        """X broadcast along trailing axes, if it can be."""
        for candidate in (x, x.reshape(*x.shape, *[1] * (len(shape) - x.ndim)) if x.ndim < len(shape) else x):
            try:
                if np.broadcast_shapes(candidate.shape, shape) == shape:
                    return np.broadcast_to(candidate, shape)
            except ValueError:
                continue
        return None

    one = np.ones(shape)
    yield "1", one
    for name, x in e.inputs:
        x = np.asarray(x)
        if np.issubdtype(x.dtype, np.integer) and shape[:-1] == x.shape:
            hot = (x[..., None] == np.arange(shape[-1])).astype(float)
            yield f"the one-hot of args{name} (the label's entry)", hot
            continue
        if not np.issubdtype(x.dtype, np.floating):
            continue
        for what, part in ((f"args{name}", x), (f"args{name}²", x * x)):
            if (fitted := fits(part)) is not None:
                yield what, fitted
        if x.ndim > 1 and (fitted := fits(x.sum(-1, keepdims=True))) is not None:
            yield f"the sum of args{name} over its last axis", fitted
            yield f"the mean of args{name} over its last axis", fitted / x.shape[-1]
        with np.errstate(all="ignore"):
            logistic = 1 / (1 + np.exp(-x))
        if (fitted := fits(logistic)) is not None:
            yield f"σ(args{name})", fitted
            yield f"1 − σ(args{name})", 1 - fitted
            yield f"σ'(args{name})", fitted * (1 - fitted)
        if (fitted := fits(np.exp(-x * x / 2))) is not None and x.shape == shape:
            yield f"the normal density of args{name}", fitted / (2 * np.pi) ** 0.5
            yield f"args{name} times its normal density", x * fitted / (2 * np.pi) ** 0.5
        if x.ndim > 1 and x.shape == shape:
            e_x = np.exp(x - x.max(-1, keepdims=True))
            yield f"softmax(args{name})", e_x / e_x.sum(-1, keepdims=True)
        if x.ndim == 3 and x.shape[1] == x.shape[2] and x.shape == shape:
            yield f"the transpose of args{name}", np.swapaxes(x, 1, 2)
    with np.errstate(all="ignore"):
        for value in e.value:
            for what, part in (
                ("the forward's value", value),
                ("the forward's value squared", value * value),
                ("1 − the forward's value", 1 - value),
                ("exp of the forward's value", np.exp(value)),
            ):
                if (fitted := fits(part)) is not None:
                    yield what, fitted
    if len(shape) > 1:
        for axis in range(1, len(shape)):
            with np.errstate(all="ignore"):
                mean = np.broadcast_to(np.mean(e.want, axis, keepdims=True), shape)
            yield f"the mean of the true gradient over axis {axis - 1}", mean
            yield (
                f"the mean of the result over axis {axis - 1}",
                np.broadcast_to(e.got.mean(axis, keepdims=True), shape),
            )
    if len(shape) > 2 and shape[-1] == shape[-2]:
        eye = np.broadcast_to(np.eye(shape[-1]), shape)
        yield "the diagonal of the true Jacobian", e.want * eye
        yield "the identity", eye
        for value in e.value:
            if value.shape == shape[:-1]:
                yield "diag of the forward's value", value[..., None] * eye
                yield "diag of the forward's value squared", value[..., None] ** 2 * eye
                yield "the outer square of the forward's value", value[..., None] * value[..., None, :]
    yield (
        "the true gradient, transposed",
        np.swapaxes(e.want, -1, -2) if len(shape) > 2 and shape[-1] == shape[-2] else 0 * one,
    )
