"""Hypotheses about integer arguments: labels, lengths and indices, which of them are repeated, and off by one."""

from collections.abc import Iterator

import numpy as np

from manual_grads.checking.arrays import Entries, rows_of
from manual_grads.checking.diagnosis.evidence import Evidence, Named
from manual_grads.checking.report import Hypothesis


def duplicate_indices(e: Evidence) -> Iterator[Hypothesis]:
    """Right where every index is there once, wrong where it is repeated: `.at[i].set` for `.at[i].add`."""
    said = "the results of equal indices have to be added, as .at[i].add does; .at[i].set keeps one of them"
    shows = e.decided & (np.abs(e.want) > 1e3 * e.allowance)
    for name, x in _integers(e):
        if x.ndim < 2:
            continue
        # Entries along the axis that is indexed.
        flat = x.reshape(len(x), -1)
        for axis in range(1, e.got.ndim):
            size = e.got.shape[axis]
            count = (np.where(flat < 0, flat + size, flat)[:, :, None] == np.arange(size)).sum(1)
            along = count.reshape(len(x), *[size if a == axis else 1 for a in range(1, e.got.ndim)])
            repeated = np.broadcast_to(along > 1, e.got.shape)
            if _is_where(e.wrong, shows, repeated, np.broadcast_to(along == 1, e.got.shape)):
                yield Hypothesis("duplicate indices", f"wrong only at entries that args{name} names repeatedly: {said}")
                return
        ordered = np.sort(flat, 1)
        rows = (ordered[:, 1:] == ordered[:, :-1]).any(1)
        if _is_where(rows_of(e.wrong), rows_of(shows), rows, ~rows):
            text = f"wrong only at points where an index in args{name} is repeated: {said}"
            yield Hypothesis("duplicate indices", text)
            return


def _is_where(wrong: Entries, shows: Entries, here: Entries, elsewhere: Entries) -> bool:
    """Whether what is wrong is all here, nearly all that is here is wrong, and elsewhere something is right."""
    mine = shows & here
    return bool(
        wrong.any() and not (wrong & ~here).any() and wrong[mine].mean() > 0.5 and (shows & elsewhere & ~wrong).any()
    )


def off_by_one(e: Evidence) -> Iterator[Hypothesis]:
    """A mask that ends one entry too early or too late, at the entry that a length names."""
    zero, not_zero = not e.got[e.wrong].any(), not e.want[e.wrong].any()
    for name, x in _integers(e):
        for off in (0, -1, 1) if e.got.shape[:-1] == x.shape and (zero or not_zero) else ():
            if not (e.wrong & (x[..., None] + off != np.arange(e.got.shape[-1]))).any():
                entry = f"args{name}" + {0: "", 1: " + 1", -1: " − 1"}[off]
                what = "zero where it should not be" if zero else "not zero where it should be"
                text = (
                    f"only the entry at {entry} is wrong, {what}: a mask that is off by one (< for <=, or the reverse)"
                )
                yield Hypothesis("off by one", text)
                return


def by_label(e: Evidence) -> Iterator[Hypothesis]:
    """Wrong at the entry that an integer argument names only, or for some of its values only."""
    for name, labels in _integers(e):
        if e.got.shape[:-1] == labels.shape:
            named = labels[..., None] == np.arange(e.got.shape[-1])
            if e.wrong.any() and not (e.wrong & ~named).any():
                yield Hypothesis("label's entry", f"only the entry that the label args{name} names is wrong")
            elif not (e.wrong & named).any() and e.wrong[~named & e.decided].mean() > 0.5:
                yield Hypothesis("label's entry", f"only the entry that the label args{name} names is right")
        rows = rows_of(e.wrong)
        if labels.ndim == 1 or e.got.ndim > labels.ndim:
            at = e.wrong.reshape(*labels.shape, -1).any(-1) if e.got.shape[: labels.ndim] == labels.shape else None
            # Where the truth is next to nothing, it is right whatever the label.
            shows = e.decided & (np.abs(e.want) > 1e3 * e.allowance)
            shows = shows.reshape(*labels.shape, -1).any(-1) if at is not None else rows_of(shows)
            bad, good = (
                (set(labels[at].tolist()), set(labels[~at & shows].tolist()))
                if at is not None
                else (set(labels[rows].ravel().tolist()), set(labels[~rows].ravel().tolist()))
            )
            if bad and len(bad) == 1 and len(bad | good) > 1 and not bad & good:
                yield Hypothesis("one class", f"wrong only where args{name} is {bad.pop()}")


def _integers(e: Evidence) -> list[Named]:
    return [(name, x) for name, x in e.inputs if np.issubdtype(x.dtype, np.integer)]
