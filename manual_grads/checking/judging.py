"""One format: every call of the manual gradient in it, beside the truth."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking import transforms
from manual_grads.checking.arguments import Claim, is_float, quiet
from manual_grads.checking.compiling import compile_together
from manual_grads.checking.judges import Oracles, jumps, leaves_of, patterns_of_noise, scaled_spread
from manual_grads.checking.measure import Worst, worst
from manual_grads.checking.probes import Probes
from manual_grads.checking.report import Row
from manual_grads.checking.rounding import narrowest
from manual_grads.checking.slopes import scale_of
from manual_grads.checking.transforms import Call, Got
from manual_grads.checking.truth import LARGER, Truth, truth


class Format(NamedTuple):
    """A dtype to check in: its name, and that of each array."""

    name: str
    dtypes: list[Any]

    def cast(self, arrays: list[Any]) -> list[Any]:
        """The arrays in this format."""
        return [jnp.asarray(x, d) for x, d in zip(arrays, self.dtypes, strict=True)]


class Trial(NamedTuple):
    """What is to be tried in one format: the points, stacked, and the calls to make there."""

    format: Format
    names: list[str]  # of the points
    arrays: list[np.ndarray]
    usual: np.ndarray  # which points have the example's scale, or that of one
    calls: list[Call]

    def jobs(self, calls: list[Call]) -> Iterator[tuple[Callable[..., Any], list[Any]]]:
        """What is to be compiled for these calls, under this format's setting of x64."""
        with jax.enable_x64(self.format.name == "float64"):
            for call in calls:
                yield call.function, next(transforms.arguments(call, self.arrays, self.format.cast))


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


def trial(claim: Claim, points: Probes, fmt: Format, every_call: bool, thorough: bool) -> Trial:
    """The trial of a format; the fewest points and calls that find most errors, unless it is to be thorough."""
    owners, usual = claim.owners(), points.ordinary()
    some = np.resize(np.flatnonzero(usual)[: transforms.SOME], transforms.SOME).tolist()
    count, arrays, names = len(points.names), points.arrays, list(points.names)
    if thorough:
        for argument, origin in transforms.mixtures(owners, some):
            arrays = [
                np.concatenate([x, points.arrays[i][o]]) for i, (x, o) in enumerate(zip(arrays, origin, strict=True))
            ]
            names += [f"args[{argument}] alone varied"] * len(some)
    calls = transforms.calls(claim, arrays, some, count, every_call)
    return Trial(fmt, names, arrays, np.pad(usual, (0, len(names) - count)), calls)


def judge(claim: Claim, judges: Oracles, tried: Trial) -> Judged:
    """The trial's calls beside the truth."""
    fmt, arrays, usual, (first, *others) = tried.format, tried.arrays, tried.usual, tried.calls
    in_format = fmt.name == "float64"
    with jax.enable_x64(True), quiet():
        judged = truth(judges, arrays, tried.names, usual, fmt.name)
    if _depends_on_x64(judges, judged, tried):
        narrow = judges._replace(stepped=None, directed=None)
        with jax.enable_x64(False), quiet():
            judged = truth(narrow, arrays, tried.names, usual, fmt.name)
        judged.notes.append("the forward's value is another one where float64 is enabled: the oracles are in float32")
    with jax.enable_x64(in_format):
        judged = _within_format(judges, judged, tried)
        if not judged.inside.any():
            raise ValueError(
                "the forward is finite at no point that was tried, the example included: give an example inside its "
                "domain, or args=key -> args that draws from it"
            )
        gots = [transforms.run(first, arrays, fmt.cast)]
    judged = _with_own_rounding(claim, judges, judged, tried, gots)
    right = bool(gots[0].leaves) and worst(gots[0].leaves, judged, gots[0].points, fmt.name).ratio <= 1
    # Of a gradient that is wrong at once, it only has to be known whether it is so without transforms too.
    others = others if right else others[:3]
    with quiet():
        compile_together(tried.jobs(others))
    with jax.enable_x64(in_format):
        gots += [transforms.run(call, arrays, fmt.cast) for call in others]
        if others:
            example = [x[others[0].points[0]] for x in arrays]
            gots += transforms.behaviour(claim, fmt.cast(example), others[0].points[:1], right)
    judged = _with_own_rounding(claim, judges, judged, tried, gots) if right else judged
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


def _depends_on_x64(judges: Oracles, judged: Truth, tried: Trial) -> bool:
    """Whether the forward is another function where float64 is enabled, as one that draws random numbers is."""
    fmt, rows = tried.format, tried.usual & judged.inside
    if fmt.name == "float64" or not judged.value or not rows.any():
        return False
    with jax.enable_x64(False), quiet():
        values = leaves_of(judges.value(*fmt.cast(tried.arrays)))
    gross = max(0.05, 30 * float(jnp.finfo(fmt.name).eps))
    apart = [
        np.median(scale_of(mine - exact)[rows]) > gross * np.median(scale_of(exact)[rows])
        for mine, exact in zip(values, judged.value, strict=True)
    ]
    return any(apart)


def _within_format(judges: Oracles, judged: Truth, tried: Trial) -> Truth:
    """Leaves out points where the forward itself, in this format, keeps less than half its digits: they overflow."""
    fmt, usual = tried.format, tried.usual
    if fmt.name == "float64" or not judged.value:
        return judged
    with quiet():
        values = leaves_of(judges.value(*fmt.cast(tried.arrays)))
        inside = judged.inside.copy()
        for mine, exact in zip(values, judged.value, strict=True):
            axes = tuple(range(1, exact.ndim))
            size = np.max(np.abs(exact), axes, initial=0)
            size = np.maximum(size, np.median(size[usual & judged.inside]) if (usual & judged.inside).any() else 0)
            error = np.max(np.nan_to_num(np.abs(mine - exact), nan=np.inf), axes, initial=0)
            inside &= error <= float(jnp.finfo(fmt.name).eps) ** 0.5 * size + float(jnp.finfo(fmt.name).smallest_normal)
    decided = [d & inside.reshape(-1, *[1] * (d.ndim - 1)) for d in judged.decided]
    return judged._replace(inside=inside, decided=decided)


def _with_own_rounding(claim: Claim, judges: Oracles, judged: Truth, tried: Trial, gots: list[Got]) -> Truth:
    """Allows for what rounding does to the manual gradient's own formula, as it does to σ(1 − σ) in the tails.

    A formula that corrects its own rounding errors can't be measured by noise; then it gets no allowance.
    """
    arrays, fmt = tried.arrays, tried.format
    ratios = [worst(g.leaves, judged, g.points, fmt.name).ratio for g in gots if g.leaves]
    if judged.own or not any(1 < ratio for ratio in ratios):
        return judged
    eps = float(jnp.finfo(fmt.name).eps)
    with jax.enable_x64(True):
        wide = [np.asarray(x[0], np.float64) if is_float(x) else x[0] for x in arrays]
        try:
            # One that computes in float32 whatever it is given is right, where no more is asked of it than bfloat16.
            u = max(eps, min(narrowest(claim.manual_of, *wide), judges.own)) / 2
            larger = LARGER if u < 1e-15 else 1.0
            with quiet():
                patterns = leaves_of(judges.manual(larger * u, patterns_of_noise(), *arrays))
        except Exception:  # not a formula that can be run with noise
            return judged
    tolerance = []
    for i, leaf in enumerate(patterns):
        spread = judges.safety * scaled_spread(leaf, larger)
        axes = tuple(range(1, spread.ndim))
        typical = np.median(np.max(spread, axes, initial=0)[tried.usual & judged.inside])
        spread = np.where(
            jumps(leaf), 0, spread
        )  # where noise changes it altogether, as beside x == 0, it says nothing
        extra = spread + judges.safety * u * judged.size[i] * (u > eps)
        tolerance.append(judged.tolerance[i] + (extra if typical <= 1e4 * u * judged.size[i] else 0))
    return judged._replace(tolerance=tolerance, own=True)


def _oracle_rows(judged: Truth, everything: Got, fmt: Format) -> list[Row]:
    """The distance from each oracle, at the points where it is to be had."""
    rows = []
    for name, leaves in judged.by_oracle.items() if everything.leaves else ():
        against = judged._replace(
            want=leaves, decided=[d & np.isfinite(leaf) for d, leaf in zip(judged.decided, leaves, strict=True)]
        )
        w = worst(everything.leaves, against, everything.points, fmt.name)
        rows.append(Row(fmt.name, f"against {name}", len(everything.points), w.ulp, w.ratio, True))
    return rows
