"""The judge of a trial: what its calls return, beside what is expected."""

from typing import NamedTuple

import numpy as np

from manual_grads.checking.arrays import Rows, computing_in, quiet, scale_of
from manual_grads.checking.claim import Claim
from manual_grads.checking.formats import TrialFormat
from manual_grads.checking.judging.allowances import (
    lost_digits,
    unmeasured,
    with_format_allowance,
    with_formula_allowance,
    with_oracle_allowance,
    with_own_spread,
)
from manual_grads.checking.judging.average import wrong_on_average
from manual_grads.checking.judging.measure import WorstEntry, worst_entry
from manual_grads.checking.judging.subgradient import no_subgradient
from manual_grads.checking.report import Row
from manual_grads.checking.trials.behaviour import behaviour
from manual_grads.checking.trials.calls import Complaint, Outcome
from manual_grads.checking.trials.trial import Trial
from manual_grads.checking.truth.compiled import CompiledOracles
from manual_grads.checking.truth.expected import Expected, expected
from manual_grads.checking.truth.linearity import other_cotangents
from manual_grads.checking.truth.refuted import to_blame

# Of a gradient that is wrong at once it only has to be known whether it is so when it isn't batched, too.
CALLS_IF_WRONG = 3
# Relative to a leaf's largest entry: the errors of differences are estimates, and no bounds.
SLOPE_ROUGHNESS = 30e-9


class Finding(NamedTuple):
    """A check that failed."""

    check: str  # and the format
    format: TrialFormat
    outcome: Outcome
    worst: WorstEntry | None = None  # where it is the values that are wrong
    expected: Expected | None = None
    trial: Trial | None = None


class Judgement(NamedTuple):
    """What came of a trial."""

    rows: list[Row]
    found: list[Finding]
    notes: list[str]
    inside: Rows  # the points where the forward is finite
    share: float  # of the entries there that could be judged


def judge(
    claim: Claim, oracles: CompiledOracles, trial: Trial, trust_rules: bool = False, rtol: float = 0.0
) -> Judgement:
    """The trial's calls beside the truth; and the forward's own rules, unless they are trusted.

    `rtol`, relative to the largest entry, is allowed beside rounding.

    Raises:
        ValueError: if the forward is finite at none of the points.
    """
    with quiet():
        right = expected(oracles, trial.arrays, trial.names, trial.usual, trial.format)
        granted = [leaf._replace(allowance=leaf.allowance + rtol * scale_of(leaf.want)) for leaf in right.leaves]
        right = right._replace(leaves=granted) if rtol else right
    if not right.inside.any():
        raise ValueError(
            "the forward is finite at no point that was tried, the example included: give an example inside its "
            "domain, or args=key -> args that draws from it"
        )
    outcomes, allowed, holds = _called(claim, oracles, right, trial)
    if not trust_rules and (oracles.rules or hasattr(claim.manual, "__wrapped__")):
        with computing_in(trial.format.name):
            example = trial.format.cast([x[0] for x in trial.arrays])
            complaint = _of_rules(claim, oracles, allowed, trial) or other_cotangents(claim, example)
        outcomes.append(Outcome("the forward's own rules", "behaviour", np.arange(0), [], complaint))
    if holds and (complaint := wrong_on_average(outcomes[0], allowed, trial.format.name, oracles.safety)):
        outcomes.append(Outcome("on average", "behaviour", np.arange(0), [], complaint))
    if holds and (complaint := no_subgradient(outcomes[0], allowed, trial)):
        outcomes.append(Outcome("at kinks", "behaviour", np.arange(0), [], complaint))
    # Each outcome is a row, and a finding if it is wrong.
    rows, found = [], []
    for outcome in outcomes:
        worst = _worst(outcome, allowed, trial) if outcome.leaves else None
        rows.append(row_of(outcome, trial.format, worst))
        if not rows[-1].passed:
            found.append(Finding(f"{outcome.check}, {trial.format.name}", trial.format, outcome, worst, allowed, trial))
    share, undecided = _decided(allowed)
    rows += _oracle_rows(allowed, outcomes[0], trial.format)
    undecided += lost_digits(outcomes[0], right, trial) if holds and allowed.for_formula else []
    return Judgement(rows=rows, found=found, notes=right.notes + undecided, inside=right.inside, share=share)


def _called(
    claim: Claim, oracles: CompiledOracles, right: Expected, trial: Trial
) -> tuple[list[Outcome], Expected, bool]:
    """What the calls return; what is expected, their own rounding allowed for; and whether the first of them holds.

    All points by one call; then the others, if there is anything to learn from them.
    """
    first, *others = trial.calls
    outcomes = [trial.outcome(first)]
    right = _allowing_for_rounding(claim, oracles, right, trial, outcomes)
    holds = bool(outcomes[0].leaves) and _all_right(outcomes, right, trial)
    others = others if holds else others[:CALLS_IF_WRONG]
    if others:
        with quiet():
            outcomes += trial.outcomes(others)
        point = others[0].points[:1]
        with computing_in(trial.format.name):
            example = trial.format.cast([x[point[0]] for x in trial.arrays])
            outcomes += behaviour(claim, example, point, holds)
    if holds and not right.for_formula and not _all_right(outcomes, right, trial):
        right = with_formula_allowance(claim, oracles, right, trial)
    return outcomes, right, holds


def _allowing_for_rounding(
    claim: Claim, oracles: CompiledOracles, right: Expected, trial: Trial, outcomes: list[Outcome]
) -> Expected:
    """What is expected, with what rounding may do to the manual gradient, as far as that is needed."""
    if not _all_right(outcomes, right, trial):
        right = with_formula_allowance(claim, oracles, right, trial)
    if not _all_right(outcomes, right, trial):
        right = with_format_allowance(oracles, right, trial)
    if not _all_right(outcomes, right, trial):
        right = with_oracle_allowance(oracles, right, trial)
    if not _all_right(outcomes, right, trial) and (claim.eager or unmeasured(claim, trial)):
        right = with_own_spread(right, trial)
    return right


def _of_rules(claim: Claim, oracles: CompiledOracles, right: Expected, trial: Trial) -> Complaint | None:
    """What is wrong with the forward's own rules, and which of them it is."""
    if right.refuted is None:
        return None
    what, point, by_rule, without = right.refuted
    blamed = to_blame(claim, oracles.rules, [x[point] for x in trial.arrays], what)
    names = " and ".join(blamed or oracles.rules)  # none of them may be wrong alone
    if what == "value":
        text = (
            f"the forward's own rule is that of another function: when differentiated, {names} returns another value. "
        )
    else:
        text = f"the forward's own rule isn't its derivative: that of {names}. "
    text += f"With it the {what} is {by_rule:.6g} where it is {without:.6g}, at the point '{trial.names[point]}'. "
    return Complaint("wrong rule", text + "If that is on purpose, give trust_rules=True")


def _all_right(outcomes: list[Outcome], right: Expected, trial: Trial) -> bool:
    """Whether all values are within what is allowed, so far."""
    return all(_worst(outcome, right, trial).ratio <= 1 for outcome in outcomes if outcome.leaves)


def _worst(outcome: Outcome, right: Expected, trial: Trial) -> WorstEntry:
    return worst_entry(outcome.leaves, right, outcome.points, trial.format.name)


def row_of(outcome: Outcome, fmt: TrialFormat, worst: WorstEntry | None = None) -> Row:
    """The line of the table that an outcome is, given the worst of its values if it has any."""
    wrong = outcome.complaint is not None or (worst is not None and worst.ratio > 1)
    unmeasured = np.inf if wrong else 0.0
    return Row(
        dtype=fmt.name,
        check=outcome.check,
        kind=outcome.kind,
        points=len(outcome.points),
        ulp=worst.ulp if worst else unmeasured,
        part=worst.ratio if worst else unmeasured,
        passed=not wrong,
    )


def _decided(right: Expected) -> tuple[float, list[str]]:
    """Which share of the entries can be judged, and what is to be said of the others."""
    entries = sum(leaf.decided[right.inside].size for leaf in right.leaves)
    decided = sum(int(leaf.decided[right.inside].sum()) for leaf in right.leaves)
    if decided == entries:
        return 1.0, []
    return decided / entries, [
        f"{entries - decided} of {entries} entries not judged: ill-conditioned, a kink, or out of range"
    ]


def _oracle_rows(right: Expected, everything: Outcome, fmt: TrialFormat) -> list[Row]:
    """The distance from each oracle, at the points where it is to be had."""
    rows = []
    for oracle in right.leaves[0].by_oracle if right.leaves and everything.leaves else ():
        against = []
        for leaf in right.leaves:
            said = leaf.by_oracle[oracle]
            rough = SLOPE_ROUGHNESS * scale_of(said) if oracle == "differences" else 0.0
            decided = leaf.decided & np.isfinite(said)
            alone = {"want": said, "low": said, "high": said, "sums": []}
            against.append(leaf._replace(**alone, decided=decided, allowance=leaf.allowance + rough))
        points = everything.points
        worst = worst_entry(everything.leaves, right._replace(leaves=against), points, fmt.name)
        rows.append(
            Row(
                dtype=fmt.name,
                check=f"against {oracle}",
                kind="oracle",
                points=len(points),
                ulp=worst.ulp,
                part=worst.ratio,
                passed=True,  # an oracle alone may be the one that is wrong
            )
        )
    return rows
