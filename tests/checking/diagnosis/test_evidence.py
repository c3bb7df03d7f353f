"""What a hypothesis has to leave nothing of, and what is said of the worst entry."""

import numpy as np
import pytest

from manual_grads.checking.diagnosis.evidence import Evidence, shortened
from manual_grads.checking.diagnosis.gathered import evidence_of
from manual_grads.checking.judging.judge import Finding
from manual_grads.checking.judging.measure import WorstEntry
from manual_grads.checking.trials.calls import Outcome
from tests.checking.records import claim_of, expected_of, leaf_of, trial_of

WANT = np.ones((100, 10))


def evidence(got, **fields):
    """A result beside ones, of which each entry is allowed 0.01."""
    given = {
        "where": "",
        "got": got,
        "want": WANT,
        "decided": np.ones(WANT.shape, bool),
        "allowance": np.full(WANT.shape, 0.01),
        "ratio": np.abs(got - WANT) / 0.01,
        "points": ["drawn"] * 100,
        "inputs": [],
        "value": [],
        "others": [],
    }
    return Evidence(**(given | fields))


def some(count, value, otherwise=1.0):
    """So many entries of one value, the others of another."""
    return np.where(np.arange(1000).reshape(WANT.shape) < count, value, otherwise)


@pytest.mark.parametrize(
    ("off", "left", "explained"),
    [
        (0.0, 0, True),
        (0.07, 1000, True),  # an explanation need not have the rounding errors of the right formula
        (0.09, 1000, False),
        (9.0, 9, True),  # single entries may be ill-conditioned in it
        (9.0, 11, False),
    ],
)
def test_an_explanation_leaves_nearly_nothing(off, left, explained):
    assert evidence(2 * WANT).explains(some(left, 1 + off)) == explained


def test_what_is_right_by_itself_is_no_explanation_of_the_few_that_are_wrong():
    few = some(8, 5.0)
    assert not evidence(few).explains(few)
    assert not evidence(few).explains(some(1, 5.0))
    assert evidence(few).explains(WANT)
    assert not evidence(WANT).explains(WANT)  # nothing is wrong


@pytest.mark.smoke
def test_an_error_is_that_of_what_is_decided():
    got = some(1, 5.0)
    assert evidence(got).error(got) == 4
    assert evidence(got, decided=some(1, False, True).astype(bool)).error(got) == 0


def test_the_leaves_that_are_wrong():
    right, off = leaf_of(WANT), leaf_of(2 * WANT)
    outcome = Outcome("jit of vmap", "call", np.array([3, 1]), [WANT[:2], WANT[:2]])
    trial = trial_of([np.arange(100.0)])
    worst = WorstEntry(ratio=1e6, ulp=0, leaf=1, point=3, place=(0,), got=1.0, want=2.0)
    finding = Finding("jit of vmap", trial.format, outcome, worst, expected_of(right, off), trial)
    (wrong,) = evidence_of(claim_of(lambda x: (x, x)), finding)
    assert wrong.where == "result[1]"
    assert wrong.points == ["point 3", "point 1"]
    assert [(name, x.tolist()) for name, x in wrong.inputs] == [("[0]", [3.0, 1.0])]
    assert "what result[0] should be" in [name for name, _ in wrong.others]
    assert "what result[1] should be" not in [name for name, _ in wrong.others]  # it is no news


def test_slopes_say_something_where_most_are_known():
    def others(known):
        slope = np.where(np.arange(100)[:, None] < known, 3.0, np.nan) * WANT
        leaf = leaf_of(2 * WANT, by_oracle={"differences": slope})
        outcome = Outcome("jit of vmap", "call", np.arange(100), [WANT])
        trial = trial_of([np.arange(100.0)])
        finding = Finding("jit of vmap", trial.format, outcome, None, expected_of(leaf), trial)
        (wrong,) = evidence_of(claim_of(lambda x: x, forward=None), finding)
        return [name for name, _ in wrong.others]

    assert any("by differences" in name for name in others(60))
    assert not others(40)


def test_an_array_s_first_entries():
    assert shortened(np.arange(3) / 3) == "[0, 0.3333, 0.6667]"
    assert shortened(np.arange(6)) == "[0, 1, 2, 3, …]"
    assert shortened(np.array(0.1)) == "0.1"
