"""The failure, told: which check, where, by how much, with what inputs, how to see it again, and why."""

from typing import Any

import numpy as np

from manual_grads.checking.arrays import is_float, rows_of
from manual_grads.checking.claim import Claim
from manual_grads.checking.diagnosis.diagnose import diagnosis
from manual_grads.checking.diagnosis.gathered import kinks, paths, wrong_sums
from manual_grads.checking.diagnosis.kinks import spelled_sum
from manual_grads.checking.diagnosis.repair.repairs import repairs_of
from manual_grads.checking.diagnosis.repair.words import told
from manual_grads.checking.judging.judge import Finding
from manual_grads.checking.judging.measure import WorstEntry, ratios, ulps
from manual_grads.checking.report import GradientMismatch, Hypothesis, Report, wrapped
from manual_grads.checking.reproduction import hexed, reproduction
from manual_grads.checking.trials.points import NEGATIVE_TOO, OTHER_MASKS
from manual_grads.checking.truth.expected import ExpectedLeaf

MAX_REPRODUCED_ENTRIES = 400  # of all arguments: a line of more can't be pasted


def mismatch(
    claim: Claim,
    found: list[Finding],
    report: Report,
    example: list[Any],
    asked: dict[str, Any] | None = None,
    repair_seconds: float = 0.0,
) -> GradientMismatch:
    """The error to raise; `asked` are the options of the check that the reproduction repeats."""
    clearest = _clearest(found)
    repairs, why_none = repairs_of(claim, clearest, repair_seconds)
    causes = diagnosis(claim, found, clearest, report)
    lines = _of_rules(found) or wrapped(f"{report.claim} does not hold", "")
    lines += [f"failing check: {clearest.check}"]
    others = dict.fromkeys(f.check for f in found if f is not clearest)
    lines += wrapped(f"also failing: {'; '.join(others)}", "") if others else []
    lines += _where(claim, clearest)
    lines += _outside_example(claim, clearest, example)
    lines += _again(claim, clearest, report.seed, example, asked)
    lines += told(repairs, int(report.points - report.skipped)) or (wrapped(why_none, "") if why_none else [])
    lines += _why(causes)
    lines += wrapped(f"note: {'; '.join(report.notes)}", "") if report.notes else []
    return GradientMismatch("\n".join(lines), clearest.check, causes, report, repairs)


def _of_rules(found: list[Finding]) -> list[str]:
    """What is wrong with the forward's own rules, which comes first: against them, nothing else has a meaning."""
    for finding in found:
        complaint = finding.outcome.complaint
        if complaint is not None and complaint.kind == "wrong rule":
            return wrapped(complaint.text, "")
    return []


def _clearest(found: list[Finding]) -> Finding:
    """One of values, if there is any: float64 shows most, and all points at once more than some."""

    def clarity(finding: Finding) -> tuple[bool, bool]:
        return (finding.outcome.check == "jit of vmap", finding.format.name == "float64")

    return max((f for f in found if f.worst), key=clarity, default=found[0])


def _where(claim: Claim, finding: Finding) -> list[str]:
    """The worst entry and the arguments there; or what is wrong beside the values."""
    worst, trial, expected = finding.worst, finding.trial, finding.expected
    if worst is None or trial is None or expected is None:
        complaint = finding.outcome.complaint
        assert complaint is not None
        return wrapped(complaint.text.splitlines()[0], "  ")
    (leaf,) = paths(claim, _point(finding, []), len(expected.leaves))[worst.leaf : worst.leaf + 1]
    index = f", index {worst.place}" if worst.place else ""
    lines = [
        f"worst at result{leaf}{index}, at the point '{trial.names[worst.point]}'",
        f"  got  {worst.got!r}  {worst.got.hex()}",
        *_wanted(finding, worst, expected.leaves[worst.leaf]),
    ]
    for name, x, dtype in zip(claim.names, _point(finding, []), finding.format.dtypes, strict=True):
        lines += wrapped(f"args{name} = {hexed(np.asarray(x))} ({dtype})", "  ")
    return lines


def _wanted(finding: Finding, worst: WorstEntry, leaf: ExpectedLeaf) -> list[str]:
    """What is right, and how far from it the worst entry is: at a kink, from the nearest that is."""
    low, high = (float(side[(worst.point, *worst.place)]) for side in (leaf.low, leaf.high))
    outside = max(low - worst.got, worst.got - high, 0.0)
    # An entry that is right by itself is wrong by a sum that it is in.
    several = bool(kinks(leaf)[(worst.point, *worst.place)]) or outside == 0
    off = outside if several else abs(worst.got - worst.want)
    times = f"{worst.ratio:.3g} times the allowed"
    if not several:
        ulp = float(ulps(off, worst.want, finding.format.name))
        want = f"  want {worst.want!r}  {worst.want.hex()}"
        return [want, f"  error {off:.3g}, {ulp:.3g} ULP, {times}"]
    right = f"  right is {'anything ' if low < high else ''}from {low:.6g} to {high:.6g}, as it is at a kink"
    if off > 0 or not np.isfinite(worst.got):
        return [right, f"  error {off:.3g}, {times}"]
    sums = wrong_sums(finding.outcome.leaves[worst.leaf], leaf, finding.outcome.points)
    return [right, *(f"  but {spelled_sum(total)}" for total in sums[:1]), f"  error {times}"]


def _outside_example(claim: Claim, finding: Finding, example: list[Any]) -> list[str]:
    """What is to be said where it is wrong only beyond what the example shows."""
    trial, expected, outcome = finding.trial, finding.expected, finding.outcome
    if finding.worst is None or trial is None or expected is None:
        return []
    leaves = zip(outcome.leaves, expected.leaves, strict=True)
    wrong = np.any([rows_of(ratios(got, leaf, outcome.points) > 1) for got, leaf in leaves], axis=0)
    points = [name for name, is_wrong in zip(np.array(trial.names)[outcome.points], wrong, strict=True) if is_wrong]
    if set(points) == {OTHER_MASKS}:
        masks = [n for n, x in zip(claim.names, example, strict=True) if np.asarray(x).dtype == bool]
        text = (
            f"wrong only where {' or '.join(f'args{name}' for name in masks)} has entries of both values, while the "
            "example's are all the same; if they have to be, give the mask to both functions by functools.partial"
        )
        return wrapped(text, "")
    if not points or not all(name.startswith(NEGATIVE_TOO) for name in points):
        return []
    positive = [
        n for n, x in zip(claim.names, example, strict=True) if is_float(x) and (np.asarray(x, float) > 0).all()
    ]
    text = (
        f"wrong only where {' or '.join(f'args{name}' for name in positive)} has negative entries, while the example's "
        f"are positive; if they have to be, say so: domain={ {name: 'positive' for name in positive} }"
    )
    return wrapped(text, "")


def _point(finding: Finding, otherwise: list[Any]) -> list[Any]:
    """The arguments at the worst entry's point."""
    if finding.worst is None or finding.trial is None:
        return otherwise
    return [x[finding.worst.point] for x in finding.trial.arrays]


def _again(claim: Claim, finding: Finding, seed: int, example: list[Any], asked: dict[str, Any] | None) -> list[str]:
    """How to see it again."""
    point = _point(finding, example)
    kept = sum(np.size(x) for x in point) <= MAX_REPRODUCED_ENTRIES
    how = "to see it again" + ("" if kept else " (args being the example, which has too many entries to print)")
    return [f"seed {seed}; {how}:", f"  {reproduction(claim, point, finding.format.dtypes, seed, kept, asked)}"]


def _why(causes: list[Hypothesis]) -> list[str]:
    """The diagnosis, numbered."""
    lines = ["diagnosis:"]
    for number, cause in enumerate(causes, 1):
        first, *rest = wrapped(f"{number}. {cause.text}", "     ")
        lines += [first[3:], *rest]
    return lines
