"""What a gradient should be, and how far from that a right one may be: oracles that must agree before they judge."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from manual_grads.checking.arrays import (
    Entries,
    Leaf,
    Rows,
    along_leaf,
    computing_in,
    eps_of,
    leaves_of,
    rows_of,
    scale_of,
    usual_size,
)
from manual_grads.checking.formats import TrialFormat
from manual_grads.checking.truth.agreement import Remark, Sides, agreed
from manual_grads.checking.truth.compiled import CompiledOracles
from manual_grads.checking.truth.evaluated import Evaluated, evaluated, finite_rows
from manual_grads.checking.truth.kinks import Kinks, steady_sums
from manual_grads.checking.truth.known import known_of
from manual_grads.checking.truth.one_sided import OneSided, one_sided
from manual_grads.checking.truth.refuted import RefutedRule, refuted_rule

# A part of the forward's usual size: a value that changes by more where float64 is enabled is another function's. It
# is at least so many ε of the format, which matters for bfloat16 (0.23).
ANOTHER_FUNCTION, ANOTHER_FUNCTION_ROUNDINGS = 0.05, 30
NAMED_POINTS = 3  # in a note, before an ellipsis


class ExpectedSum(NamedTuple):
    """What a leaf's sums along some axes should be; these have length one."""

    axes: tuple[int, ...]
    want: Leaf
    allowance: Leaf
    decided: Entries


class ExpectedLeaf(NamedTuple):
    """What a leaf of the result should be, at every point."""

    want: Leaf
    allowance: Leaf  # how far from it a right gradient may be
    decided: Entries  # where the oracles agree, well enough to judge by
    also: Leaf  # what is right too, where the forward's own rules and its slope differ; elsewhere NaN
    known_to_ulp: Entries  # where it isn't by differences, so that an error in ULP has a meaning
    size: float  # at usual points
    low: Leaf  # the least and
    high: Leaf  # the largest of what is right: at a kink what lies between the sides, elsewhere `want`
    sums: list[ExpectedSum]
    by_oracle: dict[str, Leaf]


class Expected(NamedTuple):
    """What the results should be."""

    leaves: list[ExpectedLeaf]
    value: list[Leaf]  # the forward's
    inside: Rows  # the points at which it is finite
    notes: list[str]
    refuted: RefutedRule | None = None  # a point at which the forward's own rule isn't its derivative
    one_sided: OneSided | None = None  # the slopes at kinks that several entries share
    for_formula: bool = False  # whether the allowances are for the manual gradient's own formula, too


def expected(oracles: CompiledOracles, points: list[Leaf], names: list[str], usual: Rows, fmt: TrialFormat) -> Expected:
    """What the derivative is at the points, and how far from it a right result in the format may be."""
    # The forward's own values say which format the oracles can be in, and where the trial's is good enough.
    value, in_format = _values(oracles, points, fmt)
    another = _is_another_function(value, in_format, usual, fmt)
    if another:
        oracles = oracles.in_float32()
        value = leaves_of(oracles.value(*points))
    # What computes in float32, whatever it is given, isn't known any better in float64.
    eps = max(eps_of(fmt.name), min(oracles.forward_eps, oracles.example_eps))
    found = evaluated(oracles, points, value, usual, eps / 2)
    # Each leaf, by what the oracles agree on.
    remarks: dict[Remark, Rows] = {Remark.DIRECTION_IS_ODD: found.refuted}
    leaves = []
    for i in range(len(found.autodiff)):
        leaf, about = _expected_leaf(oracles, found, i, fmt.name)
        leaves.append(leaf)
        for remark, entries in about.items():
            remarks[remark] = remarks.get(remark, False) | rows_of(entries)
    # Where the forward overflows in the format, nothing is asked of it.
    inside = found.inside & _within_format(value, in_format, found.usual, fmt)
    leaves = [leaf._replace(decided=leaf.decided & along_leaf(inside, leaf.decided)) for leaf in leaves]
    notes = _notes(remarks, names, {"claimed": oracles.claimed_mode, "other": next(iter(found.other_mode), "")})
    if another:
        notes.append("the forward's value is another one where float64 is enabled: the oracles are in float32")
    return Expected(
        leaves=leaves,
        value=value,
        inside=inside,
        notes=notes,
        refuted=refuted_rule(oracles, points, found) if oracles.rules else None,
        one_sided=one_sided(oracles, points, found),
    )


def _values(oracles: CompiledOracles, points: list[Leaf], fmt: TrialFormat) -> tuple[list[Leaf], list[Leaf]]:
    """The forward's values in float64, and in the trial's format."""
    value = leaves_of(oracles.value(*points))
    if fmt.name == "float64":
        return value, value
    with computing_in(fmt.name):
        return value, leaves_of(oracles.value.for_format(fmt.name)(*fmt.cast(points)))


def _is_another_function(value: list[Leaf], in_format: list[Leaf], usual: Rows, fmt: TrialFormat) -> bool:
    """Whether the forward is another function where float64 is enabled, as one that draws random numbers is."""
    rows = usual & finite_rows(value, len(usual))
    gross = max(ANOTHER_FUNCTION, ANOTHER_FUNCTION_ROUNDINGS * eps_of(fmt.name))
    return any(
        usual_size(mine - exact, rows) > gross * usual_size(exact, rows)
        for mine, exact in zip(in_format, value, strict=True)
    )


def _within_format(value: list[Leaf], in_format: list[Leaf], usual: Rows, fmt: TrialFormat) -> Rows:
    """The points at which the forward itself, in the format, keeps more than half its digits: it doesn't overflow."""
    info, within = jnp.finfo(fmt.name), np.ones(len(usual), bool)
    for mine, exact in zip(in_format, value, strict=True):
        size = np.maximum(scale_of(exact).ravel(), usual_size(exact, usual))
        error = np.max(np.nan_to_num(np.abs(mine - exact), nan=np.inf), tuple(range(1, exact.ndim)), initial=0)
        within &= error <= float(info.eps) ** 0.5 * size + float(info.smallest_normal)
    return within


def _expected_leaf(
    oracles: CompiledOracles, found: Evaluated, i: int, dtype: Any
) -> tuple[ExpectedLeaf, dict[Remark, Entries]]:
    """What the i-th leaf of the result should be, and what is to be said of the oracles."""
    kink, u = found.kinks[i], found.u
    known = known_of(oracles, found, i)
    # What the oracles agree on.
    sides = Sides(
        claimed=known.claimed,
        other=next((leaves[i] for leaves in found.other_mode.values()), None),
        slope=known.slope,
        slope_error=known.slope_error,
        autodiff_error=known.autodiff_error,
        usual=usual_size(known.claimed, found.usual),
    )
    verdict = agreed(sides, known.steady, known.lost & known.within, oracles.own_rules)
    trusted = verdict.trusted
    if oracles.own_rules and not oracles.modes:  # one oracle against another: there is no telling
        trusted = trusted & ~along_leaf(found.refuted, known.claimed)
    # At a kink, what lies between its sides; where autodiff is odd, what it is on both, unless a slope decides.
    several = known.at | known.odd
    low, high = (np.where(several, side, verdict.want) for side in (kink.low, kink.high))
    want = np.where(known.odd, (low + high) / 2, verdict.want)
    also = np.where(known.odd, verdict.want, verdict.also)
    also = np.where(known.odd & known.is_slope(want) & along_leaf(found.smooth, want), np.nan, also)
    width = np.where(known.at, 0.0, high - low)
    spread = np.where(several, np.maximum(width, u * scale_of(want)), known.spread)
    # How far from it a right result may be: what a sum of a few terms of the gradient's own size may lose, and
    # underflow; the spread; what the oracles lose themselves; and the rounding of the result.
    size = usual_size(want, found.usual if found.usual.any() else found.inside)
    largest = np.maximum(scale_of(want), size)
    floor = oracles.safety * u * size + float(jnp.finfo(dtype).smallest_normal) + oracles.unmeasured * largest
    of_oracles = np.where(several, 0.0, known.autodiff_error) + np.where(known.at, 0.0, verdict.doubt)
    last_rounding = 2 * u * np.abs(np.where(np.isfinite(want), want, 0))
    allowance = oracles.safety * spread + of_oracles + floor + last_rounding
    decided = _well_known(want, allowance, 0.5 * largest + floor, dtype) & trusted & known.within
    leaf = ExpectedLeaf(
        want=want,
        allowance=allowance + np.where(known.at, kink.beyond, 0.0),
        decided=decided,
        also=also,
        known_to_ulp=(verdict.doubt == 0) & ~known.at,
        size=size,
        low=low,
        high=high,
        sums=_sums(kink, known.at, allowance, decided),
        by_oracle=_by_oracle(oracles, found, i),
    )
    return leaf, verdict.remarks | {Remark.AUTODIFF_IS_ODD: known.odd}


def _well_known(want: Leaf, allowance: Leaf, most: Leaf, dtype: Any) -> Entries:
    """Where the allowance is small enough to judge by, and the result fits into the format."""
    with np.errstate(invalid="ignore"):
        return (allowance <= most) & np.isfinite(want) & (np.abs(want) < float(jnp.finfo(dtype).max) / 2)


def _sums(kink: Kinks, at: Entries, allowance: Leaf, decided: Entries) -> list[ExpectedSum]:
    """What the sums should be that don't jump where their terms do."""
    return [
        ExpectedSum(
            axes=steady.axes,
            want=steady.want,
            allowance=allowance.sum(steady.axes, keepdims=True) + steady.width,
            decided=steady.at
            & (at & decided).any(steady.axes, keepdims=True)
            & decided.all(steady.axes, keepdims=True),
        )
        for steady in steady_sums(kink)
    ]


def _by_oracle(oracles: CompiledOracles, found: Evaluated, i: int) -> dict[str, Leaf]:
    """What each oracle says of the i-th leaf; slopes only where they are well determined, elsewhere NaN."""
    by_oracle = {oracles.claimed_mode: found.autodiff[i][:, 0]}
    by_oracle |= {name: leaves[i] for name, leaves in found.other_mode.items()}
    if found.slopes:
        slope, error = found.slopes.of[i], found.slopes.errors[i]
        by_oracle["differences"] = np.where(error <= 1e-9 * scale_of(slope), slope, np.nan)
    return by_oracle


def _notes(remarks: dict[Remark, Rows], names: list[str], modes: dict[str, str]) -> list[str]:
    """What is to be reported, with the points that it is about."""
    notes = []
    for remark, rows in remarks.items():
        count, at = int(rows.sum()), list(dict.fromkeys(n for n, r in zip(names, rows, strict=True) if r))
        if count:
            where = "; ".join(at[:NAMED_POINTS]) + ("; …" if len(at) > NAMED_POINTS else "")
            points = f"{count} point{'s' if count > 1 else ''} ({where})"
            notes.append(remark.value.format(points=points, **modes))
    return notes
