"""Edits with a number that isn't known: it is fitted, where the results are linear in it."""

from collections.abc import Iterator, Sequence

import numpy as np

from manual_grads.checking.diagnosis.repair.edits import FITTED_FACTOR, FITTED_NUMBER, FITTED_TERM, Edit
from manual_grads.checking.diagnosis.repair.program import Place
from manual_grads.checking.diagnosis.repair.sites import Site
from manual_grads.checking.diagnosis.repair.tiers import Tries, is_return, is_statement
from manual_grads.checking.diagnosis.repair.trying import WHOLE, Change, Run
from manual_grads.checking.truth.expected import Expected

MAX_LEFT_BY_FIT = 1e-7  # of what is needed: a fit that leaves more isn't one
SAME_NUMBER = 1e-10  # relative: a fit is known so well


def fits(
    tries: Tries,
    site: Site,
    run: Run,
    outputs: Sequence[Place],
    downstream: Sequence[int],
    expected: Expected,
    point: int,
) -> Iterator[Change]:
    """Another number in the code; a factor; another value with a factor as a term."""
    for change in _one_more(tries, site):
        try:
            with np.errstate(all="ignore"):
                moved = run.edited([change], downstream)
        except Exception:  # no edit of these values
            continue
        needed, effect = [], []
        for place, after, leaf in zip(outputs, moved, expected.leaves, strict=True):
            decided, want, before = leaf.decided[point], leaf.want[point], run.values[place][0]
            needed.append((want - before)[decided])
            effect.append((np.broadcast_to(after, (len(change.others), *want.shape)) - before)[:, decided])
        need, does = np.concatenate(needed), np.concatenate(effect, 1)
        with np.errstate(all="ignore"):
            times = (does @ need) / (does * does).sum(1)
            left = np.abs(does * times[:, None] - need).max(1, initial=0) / np.abs(need).max(initial=0)
        for i in np.flatnonzero(left < MAX_LEFT_BY_FIT):
            edit = change.edit._replace(text=_text(tries, change, float(times[i])))
            yield change._replace(edit=edit, others=[change.others[i]])


def _one_more(tries: Tries, site: Site) -> Iterator[Change]:
    """What shows what the number does: one more of v, or of q."""
    for part in tries.numbers(site) if tries.is_one(site) else []:
        yield Change(site, Edit("2 * v", FITTED_NUMBER), part, [()])
    if WHOLE in tries.parts(site) and not is_return(site):
        yield Change(site, Edit("2 * v", FITTED_FACTOR), WHOLE, [()])
        if is_statement(site):
            for refs in tries.others(site):
                yield Change(site, Edit("v + q", FITTED_TERM), WHOLE, [(ref,) for ref in refs])


def _text(tries: Tries, change: Change, times: float) -> str:
    """The edit with its number."""
    if change.edit.text == "v + q":
        return f"v + {_rounded(times)!r} * q" if times > 0 else f"v - {_rounded(-times)!r} * q"
    if change.part == WHOLE:
        return f"{_rounded(1 + times)!r} * v"
    number = float(tries.values[change.site.instances[0].operands[change.part]].ravel()[0])
    return repr(_rounded(number * (1 + times)))


def _rounded(x: float) -> float:
    """A number with as few digits as it needs."""
    shorter = (float(f"{x:.{digits}g}") for digits in range(1, 17))
    return next((y for y in shorter if abs(y - x) <= SAME_NUMBER * abs(x)), x)
