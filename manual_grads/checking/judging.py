"""One format: every call of the manual gradient in it, beside the truth."""

from typing import NamedTuple

import jax
import numpy as np

from manual_grads.checking import transforms
from manual_grads.checking.arguments import Claim, quiet
from manual_grads.checking.compiling import compile_together
from manual_grads.checking.judges import Oracles
from manual_grads.checking.limits import depends_on_x64, values_in_format, with_own_rounding, within_format
from manual_grads.checking.measure import Worst, worst
from manual_grads.checking.report import Row
from manual_grads.checking.slopes import scale_of
from manual_grads.checking.transforms import Got
from manual_grads.checking.trials import Format, Trial
from manual_grads.checking.truth import Truth, truth


class Finding(NamedTuple):
    """A check that failed."""

    check: str
    format: Format
    got: Got
    worst: Worst | None = None
    truth: Truth | None = None
    trial: Trial | None = None


class Judged(NamedTuple):
    """What came of a trial."""

    rows: list[Row]
    found: list[Finding]
    notes: list[str]
    inside: np.ndarray  # the points where the forward is finite
    share: float  # of the entries there that could be judged


def judge(claim: Claim, judges: Oracles, tried: Trial) -> Judged:
    """The trial's calls beside the truth."""
    fmt, arrays, usual, (first, *others) = tried.format, tried.arrays, tried.usual, tried.calls
    in_float64 = fmt.name == "float64"
    with jax.enable_x64(True), quiet():
        judged = truth(judges, arrays, tried.names, usual, fmt.name)
    if not in_float64:
        values = values_in_format(judges, tried)
        if depends_on_x64(values, judged, tried):
            narrow = judges._replace(stepped=None, directed=None)
            with jax.enable_x64(False), quiet():
                judged = truth(narrow, arrays, tried.names, usual, fmt.name)
            judged.notes.append(
                "the forward's value is another one where float64 is enabled: the oracles are in float32"
            )
        judged = within_format(values, judged, tried)
    if not judged.inside.any():
        raise ValueError(
            "the forward is finite at no point that was tried, the example included: give an example inside its "
            "domain, or args=key -> args that draws from it"
        )
    with jax.enable_x64(in_float64):
        gots = [transforms.run(first, arrays, fmt.cast)]
    judged = with_own_rounding(claim, judges, judged, tried, gots)
    right = bool(gots[0].leaves) and worst(gots[0].leaves, judged, gots[0].points, fmt.name).ratio <= 1
    # Of a gradient that is wrong at once, it only has to be known whether it is so without transforms too.
    others = others if right else others[:3]
    with quiet():
        compile_together(tried.jobs(others))
    with jax.enable_x64(in_float64):
        gots += [transforms.run(call, arrays, fmt.cast) for call in others]
        if others:
            example = [x[others[0].points[0]] for x in arrays]
            gots += transforms.behaviour(claim, fmt.cast(example), others[0].points[:1], right)
    judged = with_own_rounding(claim, judges, judged, tried, gots) if right else judged
    found: list[Finding] = []
    rows: list[Row] = []
    for got in gots:
        w = worst(got.leaves, judged, got.points, fmt.name) if got.leaves else None
        wrong = got.error is not None or bool(got.complaint) or (w is not None and w.ratio > 1)
        none = np.inf if wrong else 0.0
        rows.append(Row(fmt.name, got.name, len(got.points), w.ulp if w else none, w.ratio if w else none, not wrong))
        if wrong:
            found.append(Finding(f"{got.name}, {fmt.name}", fmt, got, w, judged, tried))
    share, undecided = _decided(judged)
    return Judged(rows + _oracle_rows(judged, gots[0], fmt), found, judged.notes + undecided, judged.inside, share)


def _decided(judged: Truth) -> tuple[float, list[str]]:
    """Which share of the entries can be judged, and what is to be said of the others."""
    inside = [np.broadcast_to(judged.inside.reshape(-1, *[1] * (d.ndim - 1)), d.shape) for d in judged.decided]
    entries = sum(int(i.sum()) for i in inside)
    decided = sum(int((d & i).sum()) for d, i in zip(judged.decided, inside, strict=True))
    if decided == entries:
        return 1.0, []
    return decided / entries, [
        f"{entries - decided} of {entries} entries not judged: ill-conditioned, a kink, or out of range"
    ]


def _oracle_rows(judged: Truth, everything: Got, fmt: Format) -> list[Row]:
    """The distance from each oracle, at the points where it is to be had."""
    rows = []
    for name, leaves in judged.by_oracle.items() if everything.leaves else ():
        against = judged._replace(
            want=leaves, decided=[d & np.isfinite(leaf) for d, leaf in zip(judged.decided, leaves, strict=True)]
        )
        if name == "differences":  # their estimated errors are no bounds
            rough = [30e-9 * scale_of(leaf) for leaf in leaves]
            against = against._replace(tolerance=[t + r for t, r in zip(judged.tolerance, rough, strict=True)])
        w = worst(everything.leaves, against, everything.points, fmt.name)
        rows.append(Row(fmt.name, f"against {name}", len(everything.points), w.ulp, w.ratio, True))
    return rows
