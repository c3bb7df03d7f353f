"""Hypotheses about where a gradient is wrong: which entries, which labels, how far out."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from manual_grads.checking.arrays import rows_of
from manual_grads.checking.diagnosis.evidence import Evidence
from manual_grads.checking.report import Hypothesis

MIN_SHARE_WRONG = 0.25  # of an index's entries: with fewer, that another index is right is by chance
MIN_POINTS_IN_TAILS = 2  # one point alone is beyond any threshold


def diagonals(e: Evidence) -> Iterator[Hypothesis]:
    """Right or wrong on the diagonal only."""
    if e.got.ndim < 3 or e.got.shape[-1] != e.got.shape[-2] or e.got.shape[-1] < 2:
        return
    eye = np.broadcast_to(np.eye(e.got.shape[-1], dtype=bool), e.got.shape)
    if not (e.wrong & eye).any():
        zero = not e.got[~eye & e.decided].any()
        text = "diagonal only: every entry off it is zero" if zero else "the entries off the diagonal are wrong"
        yield Hypothesis("diagonal only" if zero else "off the diagonal", text + "; those on it are right")
    elif not (e.wrong & ~eye).any():
        zero = not e.got[eye & e.decided].any()
        text = "off-diagonal only: the diagonal is zero" if zero else "the diagonal is wrong"
        yield Hypothesis("off-diagonal only" if zero else "on the diagonal", text + "; the entries off it are right")


def one_place(e: Evidence) -> Iterator[Hypothesis]:
    """Wrong at one index of an axis only, or right at one only."""
    for axis in range(1, e.got.ndim):
        n = e.got.shape[axis]
        if n < 2:
            continue
        others = tuple(a for a in range(e.got.ndim) if a != axis)
        wrong = np.flatnonzero(e.wrong.any(others))
        if len(wrong) == 1:
            text = f"only index {wrong[0]} of axis {axis - 1} is wrong (one entry, one class or one example)"
            yield Hypothesis("one place", text)


def some_places(e: Evidence) -> Iterator[Hypothesis]:
    """Wrong at some indices only, of a vector."""
    if e.got.ndim == 2:
        wrong = np.flatnonzero(e.wrong.any(0))
        if 1 < len(wrong) < e.got.shape[1] - 1:
            yield Hypothesis("some places", f"only indices {wrong.tolist()} of axis 0 are wrong")


def right_in_one_place(e: Evidence) -> Iterator[Hypothesis]:
    """Right at one index of an axis only."""
    for axis in range(1, e.got.ndim):
        others = tuple(a for a in range(e.got.ndim) if a != axis)
        right, share = ~np.atleast_1d(e.wrong.any(others)), np.atleast_1d(e.wrong.mean(others))
        if len(right) > 2 and right.sum() == 1 and share[~right].min() > MIN_SHARE_WRONG:
            yield Hypothesis("right in one place", f"only index {int(right.argmax())} of axis {axis - 1} is right")


def tails(e: Evidence) -> Iterator[Hypothesis]:
    """Right at small inputs and wrong at large ones, or on one side of a threshold."""
    judged = e.decided
    if rows_of(e.wrong).sum() < MIN_POINTS_IN_TAILS:
        return
    for name, x in e.inputs:
        if not np.issubdtype(x.dtype, np.floating):
            continue
        if x.shape == e.got.shape:
            bad, good = x[e.wrong], x[judged & ~e.wrong]
        else:
            rows = rows_of(e.wrong)
            flat = np.abs(x.reshape(len(x), -1)).max(-1)
            bad, good = flat[rows], flat[rows_of(judged) & ~rows]
        if not good.size or not bad.size:
            continue
        measures: dict[str, Callable[[Any], Any]] = {"|x|": np.abs, "x": lambda v: v, "-x": lambda v: -v}
        for label, measure in measures.items():
            b, g = measure(bad), measure(good)
            small = g[g < b.min()]
            # Far out both may be zero; so what is right there is no evidence against a threshold.
            if b.min() > 0.5 and small.size and small.max() > 0 and np.mean(g < b.min()) > 0.2 and _separates(b, g):
                text = f"right at small inputs, wrong in the tails: right up to {label} = {small.max():.4g}, "
                yield Hypothesis("tails", text + f"wrong from {b.min():.4g} (x is args{name})")
                return


def _separates(bad: Any, good: Any) -> bool:
    """Whether the wrong ones begin where the right ones are few: at most one in three among the next."""
    between = good[(good >= bad.min()) & (good <= np.quantile(bad, 0.5))]
    return len(between) <= 0.5 * len(bad)


def clipped(e: Evidence) -> Iterator[Hypothesis]:
    """Never beyond a bound, where the truth is."""
    bound = np.max(np.abs(e.got[e.decided & np.isfinite(e.got)]), initial=0)
    at = np.abs(e.got[e.wrong])
    if 0 < bound <= 1.01 * at.min(initial=np.inf) and (np.abs(e.want[e.wrong]) > bound).all() and not e.wrong.all():
        yield Hypothesis("clipped", f"clipped: where the truth is beyond ±{bound:.4g}, the result is that")


def negative_inputs(e: Evidence) -> Iterator[Hypothesis]:
    """Wrong on one side of zero only."""
    for name, x in e.inputs:
        if x.shape == e.got.shape and np.issubdtype(x.dtype, np.floating):
            # Where the truth is next to nothing, both may be zero.
            shows = e.decided & (np.abs(e.want) > 1e3 * e.allowance)
            bad, good = x[e.wrong], x[shows & ~e.wrong]
            for side, sign in (("negative", -1), ("positive", 1)):
                same = sign * good > 0
                if (sign * bad >= 0).all() and bad.any() and np.sum(same) <= 0.2 * len(bad) and (sign * good < 0).any():
                    yield Hypothesis("negative inputs", f"wrong only where args{name} is {side}")


def special_points(e: Evidence) -> Iterator[Hypothesis]:
    """Wrong at points of some kinds only."""
    rows = rows_of(e.wrong)
    bad = {name for name, wrong in zip(e.points, rows, strict=True) if wrong}
    if len(bad) <= 4 and rows.mean() < 0.3:
        yield Hypothesis(
            "special points", f"wrong only at {int(rows.sum())} of {len(rows)} points: {', '.join(sorted(bad))}"
        )
