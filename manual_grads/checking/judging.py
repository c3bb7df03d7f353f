"""One format: every call of the manual gradient in it, beside the truth."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking import transforms
from manual_grads.checking.arguments import Claim, is_float
from manual_grads.checking.judges import Oracles, leaves_of, patterns_of_noise, spread_of
from manual_grads.checking.measure import Worst, worst
from manual_grads.checking.mismatch import Finding
from manual_grads.checking.probes import Probes
from manual_grads.checking.report import Row
from manual_grads.checking.rounding import narrowest
from manual_grads.checking.transforms import Got
from manual_grads.checking.truth import Truth, truth


class Format(NamedTuple):
    """A dtype to check in: its name, and that of each array."""

    name: str
    dtypes: list[Any]


def judge(
    claim: Claim,
    judges: Oracles,
    points: Probes,
    fmt: Format,
    found: list[Finding],
    rows: list[Row],
    notes: list[str],
    first: bool,
    thorough: bool,
    cast: Callable[[list[Any]], list[Any]],
) -> Truth:
    """One format's calls beside the truth; what is wrong is added to `found`, and every check to `rows`."""
    owners = claim.owners()
    ordinary = np.flatnonzero(points.ordinary())
    some = (ordinary[: transforms.SOME].tolist() * transforms.SOME)[: transforms.SOME]
    count = len(points.names)
    arrays, names = points.arrays, list(points.names)
    if thorough:
        for argument, origin in transforms.mixtures(owners, some):
            arrays = [
                np.concatenate([x, points.arrays[i][o]]) for i, (x, o) in enumerate(zip(arrays, origin, strict=True))
            ]
            names += [f"args[{argument}] alone varied"] * len(some)
    usual = np.pad(points.ordinary(), (0, len(names) - count))
    with jax.enable_x64(True):
        with transforms.quiet():
            judged = truth(judges, arrays, usual, fmt.name)
    with jax.enable_x64(fmt.name == "float64"):
        judged = _within_format(judges, judged, arrays, usual, fmt, cast)
        if not judged.inside.any():
            raise ValueError(
                "the forward is finite at no point that was tried, the example included: give an example inside its "
                "domain, or args=key -> args that draws from it"
            )
        calls = transforms.calls(claim, arrays, some, count, thorough and first)
        gots = [transforms.run(calls[0], arrays, owners, cast)]
    judged = _with_own_rounding(claim, judges, arrays, judged, usual, fmt, gots)
    with jax.enable_x64(fmt.name == "float64"):
        first_one = worst(gots[0].leaves, judged, gots[0].points, fmt.name).ratio if gots[0].leaves else np.inf
        # Of a gradient that is wrong at once, it only has to be known whether it is so without transforms too.
        gots += [transforms.run(call, arrays, owners, cast) for call in (calls[1:] if first_one <= 1 else calls[1:4])]
    judged = _with_own_rounding(claim, judges, arrays, judged, usual, fmt, gots[1:]) if first_one <= 1 else judged
    worsts = [worst(g.leaves, judged, g.points, fmt.name) if g.leaves else None for g in gots]
    if thorough and first:
        with jax.enable_x64(fmt.name == "float64"):
            gots += list(transforms.behaviour(claim, cast([x[some[0]] for x in arrays]), first_one <= 1))
    for got, w in zip(gots, [*worsts, *[None] * len(gots)], strict=False):
        _record(got, w, judged, fmt, arrays, names, found, rows)
    _oracle_rows(judged, gots, fmt, rows)
    notes += [f"{fmt.name}: {note}" for note in judged.notes]
    undecided = sum(int((~d & judged.inside.reshape(-1, *[1] * (d.ndim - 1))).sum()) for d in judged.decided)
    entries = sum(d.size for d in judged.decided)
    if undecided:
        notes.append(
            f"{fmt.name}: {undecided} of {entries} entries not judged: ill-conditioned, a kink, or out of range"
        )
    return judged


def _within_format(judges: Oracles, judged: Truth, arrays: list[Any], usual: Any, fmt: Format, cast: Any) -> Truth:
    """Leaves out points where the forward itself, in this format, keeps less than half its digits: they overflow."""
    if fmt.name == "float64" or not judged.value:
        return judged
    with transforms.quiet():
        values = leaves_of(judges.value(*cast(arrays)))
        inside = judged.inside.copy()
        for mine, exact in zip(values, judged.value, strict=True):
            axes = tuple(range(1, exact.ndim))
            size = np.max(np.abs(exact), axes, initial=0)
            size = np.maximum(size, np.median(size[usual & judged.inside]) if (usual & judged.inside).any() else 0)
            error = np.max(np.nan_to_num(np.abs(mine - exact), nan=np.inf), axes, initial=0)
            inside &= error <= float(jnp.finfo(fmt.name).eps) ** 0.5 * size + float(jnp.finfo(fmt.name).smallest_normal)
    decided = [d & inside.reshape(-1, *[1] * (d.ndim - 1)) for d in judged.decided]
    return judged._replace(inside=inside, decided=decided)


def _with_own_rounding(
    claim: Claim, judges: Oracles, arrays: list[Any], judged: Truth, usual: Any, fmt: Format, gots: list[Got]
) -> Truth:
    """Allows for what rounding does to the manual gradient's own formula, as it does to σ(1 − σ) in the tails.

    A formula that corrects its own rounding errors can't be measured by noise; then it gets no allowance.
    """
    ratios = [worst(g.leaves, judged, g.points, fmt.name).ratio for g in gots if g.leaves]
    if judged.own or not any(1 < ratio for ratio in ratios):
        return judged
    eps = float(jnp.finfo(fmt.name).eps)
    with jax.enable_x64(True):
        wide = [np.asarray(x[0], np.float64) if is_float(x) else x[0] for x in arrays]
        try:
            # One that computes in float32 whatever it is given is right, where no more is asked of it than bfloat16.
            u = max(eps, min(narrowest(claim.manual_of, *wide), judges.own)) / 2
            with transforms.quiet():
                patterns = leaves_of(judges.manual(u, patterns_of_noise(), *arrays))
        except Exception:  # not a formula that can be run with noise
            return judged
    tolerance = []
    for i, leaf in enumerate(patterns):
        spread = judges.safety * spread_of(leaf)
        axes = tuple(range(1, spread.ndim))
        typical = np.median(np.max(spread, axes, initial=0)[usual & judged.inside])
        extra = spread + judges.safety * u * judged.size[i] * (u > eps)
        tolerance.append(judged.tolerance[i] + (extra if typical <= 1e4 * u * judged.size[i] else 0))
    return judged._replace(tolerance=tolerance, own=True)


def _record(
    got: Got,
    w: Worst | None,
    judged: Truth,
    fmt: Format,
    arrays: Any,
    names: Any,
    found: list[Finding],
    rows: list[Row],
) -> None:
    """A row of the table, and a finding if it isn't right."""
    wrong = got.error is not None or bool(got.complaint) or (w is not None and w.ratio > 1)
    rows.append(Row(fmt.name, got.name, len(got.points), w.ulp if w else (np.inf if wrong else 0.0), not wrong))
    if wrong:
        found.append(
            Finding(f"{got.name}, {fmt.name}", fmt.name, got, w, judged, arrays, names, got.error, got.complaint)
        )


def _oracle_rows(judged: Truth, gots: list[Got], fmt: Format, rows: list[Row]) -> None:
    """The distance from each oracle, at the points where it is to be had."""
    everything = next((g for g in gots if g.name == "jit of vmap" and g.leaves), None)
    if everything is None:
        return
    for name, leaves in judged.by_oracle.items():
        against = judged._replace(
            want=leaves, decided=[d & np.isfinite(leaf) for d, leaf in zip(judged.decided, leaves, strict=True)]
        )
        ulp = worst(everything.leaves, against, everything.points, fmt.name).ulp
        rows.append(Row(fmt.name, f"against {name}", len(everything.points), ulp, True))
