"""Hypotheses about kinks and other exact places: where several numbers are right, or one entry's value is special."""

from collections.abc import Iterator

import numpy as np

from manual_grads.checking.diagnosis.evidence import Evidence, WrongSum
from manual_grads.checking.report import Hypothesis

ROUND = 8  # times a number that somebody wrote into a function is whole, more likely than not


def at_ties(e: Evidence) -> Iterator[Hypothesis]:
    """Sums that have to be kept where one of several equal entries is chosen."""
    if e.sums and e.kinks is not None and not (e.wrong & ~_beside_kinks(e)).any():
        worst = max(e.sums, key=lambda s: abs(s.got - s.want))
        text = f"wrong only at ties: {spelled_sum(worst)}"
        yield Hypothesis("at a tie", f"{text}, as one of equal entries is chosen, or each has its share")


def spelled_sum(total: WrongSum) -> str:
    """Such as "the entries along axis 0 sum to 3 where they have to sum to 1"."""
    where = f" along axis {total.axes[0]}" if len(total.axes) == 1 else ""
    return f"the entries{where} sum to {total.got:.6g} where they have to sum to {total.want:.6g}"


def at_kinks(e: Evidence) -> Iterator[Hypothesis]:
    """Wrong only where the derivative jumps."""
    if e.kinks is None or not e.wrong.any() or (e.wrong & ~e.kinks).any() or e.sums:
        return
    at = tuple(np.argwhere(e.wrong)[0])
    what = "NaN or infinity" if not np.isfinite(e.got[at]) else f"{e.got[at]:.6g}"
    text = (
        f"wrong only at kinks, where the derivative jumps: {what} where the nearest that is right is {e.want[at]:.6g}"
    )
    yield Hypothesis("at a kink", text + _value_there(e))


def special_value(e: Evidence) -> Iterator[Hypothesis]:
    """Wrong only where an argument's entry is one number, and right at all others."""
    for name, x in e.inputs:
        if x.shape == e.got.shape and np.issubdtype(x.dtype, np.floating):
            bad, good = np.unique(np.abs(x[e.wrong])), np.abs(x[e.decided & ~e.wrong])
            # One that was drawn once says nothing of its value.
            drawn = np.sum(e.wrong) == 1 and bad.size and bad[0] * ROUND % 1
            if len(bad) == 1 and not drawn and good.size and not (good == bad[0]).any():
                got, want = e.got[e.wrong][0], e.want[e.wrong][0]
                text = f"wrong only where args{name} is exactly {bad[0]:.6g}{' or its negative' if bad[0] else ''}"
                yield Hypothesis("special value", f"{text}: got {got:.6g}, where {want:.6g} is right")
                return


def _beside_kinks(e: Evidence) -> np.ndarray:
    """The entries at points where any is at a kink."""
    assert e.kinks is not None
    rows = e.kinks.reshape(len(e.kinks), -1).any(1)
    return np.broadcast_to(rows.reshape(-1, *[1] * (e.got.ndim - 1)), e.got.shape)


def _value_there(e: Evidence) -> str:
    """The one value that an argument has at all the wrong entries, if there is one."""
    for name, x in e.inputs:
        if x.shape == e.got.shape and len(there := np.unique(np.abs(x[e.wrong]))) == 1:
            return f"; args{name} is {there[0]:.6g}{' or its negative' if there[0] else ''} there"
    return ""
