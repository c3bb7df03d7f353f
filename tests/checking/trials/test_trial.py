"""What is tried in a format: the points, and some where one argument alone varies."""

import numpy as np
import pytest

from manual_grads.checking.compiling import Compiled
from manual_grads.checking.formats import TrialFormat
from manual_grads.checking.trials.points import Points
from manual_grads.checking.trials.trial import trial
from tests.checking.records import claim_of

POINTS = Points(
    names=["zeros", "example", "drawn", "near the example", "drawn"],
    arrays=[np.arange(5.0), 10 * np.arange(5.0)],
    usual=np.arange(5) > 0,
    guessed=np.zeros(5, bool),
)
FORMAT = TrialFormat("float64", [np.dtype("float64")] * 2)


def tried(**how):
    return trial(claim_of(lambda x, y: x + y, 2), POINTS, FORMAT, **how)


def test_a_quick_trial_is_of_the_points_alone():
    quick = tried(every_call=False, thorough=False)
    assert quick.names == POINTS.names
    assert [call.name for call in quick.calls] == ["jit of vmap"]
    assert quick.calls[0].points.tolist() == [0, 1, 2, 3, 4]
    assert quick.usual.tolist() == [False, True, True, True, True]


@pytest.mark.smoke
def test_a_thorough_one_varies_each_argument_alone():
    thorough = tried(every_call=True, thorough=True)
    assert thorough.names[5:] == ["args[0] alone varied"] * 3 + ["args[1] alone varied"] * 3
    x, y = thorough.arrays
    assert x[5:].tolist() == [1, 2, 3, 1, 1, 1]
    assert y[5:].tolist() == [10, 10, 10, 10, 20, 30]
    # Usual points are counted once; the first of them are called by every transform.
    assert thorough.usual.tolist() == [False, True, True, True, True] + [False] * 6
    assert [call.points.tolist() for call in thorough.calls if call.name == "scan"] == [[1, 2, 3]]
    assert thorough.calls[0].points.tolist() == [0, 1, 2, 3, 4]


def test_what_is_compiled_is_what_will_be_called():
    thorough = tried(every_call=True, thorough=True)
    jobs = list(thorough.jobs(thorough.calls))
    assert len(jobs) == sum(isinstance(call.function, Compiled) for call in thorough.calls)
    assert [np.shape(x) for x in jobs[0][1]] == [(5,), (5,)]


@pytest.mark.parametrize("at_once", [None, 1], ids=["in one program", "each in its own"])
def test_calls_are_made_together_as_each_is_alone(at_once):
    thorough = tried(every_call=True, thorough=True, at_once=at_once)
    assert {call.together for call in thorough.calls[3:]} == {at_once is None}
    for call, found in zip(thorough.calls, thorough.outcomes(thorough.calls), strict=True):
        alone = thorough.outcome(call)
        assert (found.check, found.kind, found.complaint) == (alone.check, alone.kind, None)
        np.testing.assert_array_equal(found.points, alone.points)
        np.testing.assert_array_equal(found.leaves, alone.leaves)


def test_one_that_raises_hides_no_other():
    def unless_y_alone_is_batched(x, y):
        if "Batch" not in type(x).__name__ and "Batch" in type(y).__name__:
            raise KeyError("mine")
        return x + y

    thorough = trial(claim_of(unless_y_alone_is_batched, 2), POINTS, FORMAT, every_call=True, thorough=True)
    found = {outcome.check: outcome for outcome in thorough.outcomes(thorough.calls)}
    assert [name for name, outcome in found.items() if outcome.complaint] == ["vmap over args[1]"]
    assert "KeyError: 'mine'" in str(found["vmap over args[1]"].complaint)
    assert all(outcome.leaves for name, outcome in found.items() if name != "vmap over args[1]")
