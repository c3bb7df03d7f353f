"""The diagnosis: every hypothesis that explains what was found, the best first."""

from manual_grads.checking.arrays import quiet
from manual_grads.checking.claim import Claim
from manual_grads.checking.diagnosis.evidence import evidence_of
from manual_grads.checking.diagnosis.hypotheses import of_values
from manual_grads.checking.diagnosis.symptoms import of_behaviour
from manual_grads.checking.judging.judge import Finding
from manual_grads.checking.judging.measure import WorstEntry
from manual_grads.checking.report import Hypothesis, Report

SMALL_ERROR = 1e-4  # relative: below what float16 and bfloat16 can show, and near what float32 can


def diagnosis(claim: Claim, found: list[Finding], clearest: Finding, report: Report) -> list[Hypothesis]:
    """Explanations of the findings; those of values come from the clearest of them."""
    values: list[Hypothesis] = []
    if clearest.worst:
        with quiet():
            wrong = evidence_of(claim, clearest)
            values = of_values(wrong, len(clearest.outcome.leaves) - len(wrong))
    behaviour = of_behaviour(found, report.rows)
    first = [h for h in values if h.name == "not finite"]
    others = [h for h in values if h.name != "not finite"]
    # What only float64 is fine enough to show isn't a matter of the format: behaviour explains it last.
    fine = all(f.worst and f.format.name == "float64" and _is_small(f.worst) for f in found)
    every = first + others + behaviour if fine else first + behaviour + others
    return every or [Hypothesis("unexplained", "none of the known causes explains it")]


def _is_small(worst: WorstEntry) -> bool:
    return abs(worst.got - worst.want) < SMALL_ERROR * abs(worst.want)
