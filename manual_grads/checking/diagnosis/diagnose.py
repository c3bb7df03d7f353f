"""The diagnosis: every hypothesis that explains what was found, the best first."""

import numpy as np

from manual_grads.checking.arrays import eps_of, quiet, rows_of
from manual_grads.checking.claim import Claim
from manual_grads.checking.diagnosis.candidates import candidates, unfitted
from manual_grads.checking.diagnosis.evidence import Evidence
from manual_grads.checking.diagnosis.gathered import evidence_of, thinned
from manual_grads.checking.diagnosis.hypotheses import MOST_POINTS, of_values
from manual_grads.checking.diagnosis.products import products
from manual_grads.checking.diagnosis.symptoms import of_behaviour, of_formats
from manual_grads.checking.judging.judge import Finding
from manual_grads.checking.report import Hypothesis, Report


def diagnosis(claim: Claim, found: list[Finding], clearest: Finding, report: Report) -> list[Hypothesis]:
    """Explanations of the findings; those of values come from the clearest of them."""
    wrong: list[Evidence] = []
    values: list[Hypothesis] = []
    if clearest.worst:
        with quiet():
            looked_at = thinned(clearest)
            wrong = evidence_of(claim, looked_at)
            values = of_values(wrong, len(clearest.outcome.leaves) - len(wrong))
        few, all_points = len(looked_at.outcome.points), len(clearest.outcome.points)
        if few < all_points:
            report.notes.append(f"diagnosis: by {few} of {all_points} points, as there are so many entries")
        for kept in (candidates, unfitted, products):
            kept.cache_clear()
    # What is right eagerly and wrong when batched is a matter of that, whatever its numbers are like.
    behaviour = of_behaviour(found, report.rows)
    formats = list(of_formats(report.rows))
    if formats and _only_in_coarser(found, report) and _is_everywhere(wrong):
        return [*formats, *behaviour, *values]
    # Infinity is seen at once; and a mistake that is everywhere comes before NaN somewhere.
    first = values[:1] if values and values[0].name == "not finite" else []
    every = first + behaviour + values[len(first) :]
    # What a narrower format is too coarse to show is no matter of the formats.
    explained = any(h.name not in ("one output", "special points") for h in every)
    every = every if explained else formats + every
    return every or [Hypothesis("unexplained", "none of the known causes explains it")]


def _only_in_coarser(found: list[Finding], report: Report) -> bool:
    """Whether all that is wrong is so in formats that are coarser than those in which all is right."""
    bad = {f.format.name for f in found}
    good = {row.dtype for row in report.rows} - bad
    return bool(good) and min(map(eps_of, bad)) > max(map(eps_of, good))


def _is_everywhere(wrong: list[Evidence]) -> bool:
    """Whether numbers are wrong at most points, and not by what rounding does at some."""
    return any(rows_of(e.wrong & np.isfinite(e.got)).mean() > MOST_POINTS for e in wrong)
