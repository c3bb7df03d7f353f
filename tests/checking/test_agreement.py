"""Which oracle is the odd one out, and what is judged by then."""

import numpy as np

from manual_grads.checking.agreement import MEASURED, NOT_JUDGED, ODD_MODE, ODD_SLOPE, TRAP, Sides, agreed

RIGHT = np.array([[1.0, 2.0]])
WRONG = np.array([[1.0, 2.5]])
EXACT, ERROR, ROWS = np.full((1, 2), 1e-14), np.full((1, 2), 1e-10), np.ones((1, 2), bool)


def verdict(claimed, other, slope, own_rules=False):
    lost = ~np.isfinite(claimed)
    error = None if slope is None else ERROR
    found = agreed(Sides(claimed, other, slope, error, EXACT, 1.0), ("reverse", "forward"), ROWS, lost, own_rules)
    return found, [text for text, where in found.marks.items() if where.any()]


def test_all_agree():
    found, said = verdict(RIGHT, RIGHT, RIGHT)
    np.testing.assert_array_equal(found.want, RIGHT)
    assert found.trusted.all()
    assert not found.doubt.any()
    assert not said


def test_the_claimed_mode_is_the_odd_one_out():
    found, said = verdict(WRONG, RIGHT, RIGHT)
    np.testing.assert_array_equal(found.want, RIGHT)
    assert said == [ODD_MODE.replace("{odd}", "reverse")]


def test_the_other_mode_is_the_odd_one_out():
    found, said = verdict(RIGHT, WRONG, RIGHT)
    np.testing.assert_array_equal(found.want, RIGHT)
    assert found.trusted.all()
    assert said == [ODD_MODE.replace("{odd}", "forward")]


def test_two_that_disagree_without_a_third_judge_nothing():
    found, said = verdict(RIGHT, WRONG, None)
    np.testing.assert_array_equal(found.trusted, [[True, False]])
    assert said[0].endswith(NOT_JUDGED)


def test_a_slope_alone_is_the_odd_one_out_but_right_too_where_the_forward_has_its_own_rule():
    found, (said,) = verdict(RIGHT, RIGHT, WRONG)
    assert np.isnan(found.also).all()
    assert said.startswith(ODD_SLOPE)
    found, _ = verdict(RIGHT, RIGHT, WRONG, own_rules=True)
    np.testing.assert_array_equal(found.also, [[np.nan, 2.5]])
    assert found.doubt[0, 1] > 0


def test_where_autodiff_is_nan_the_slope_judges():
    found, said = verdict(np.array([[1.0, np.nan]]), np.array([[1.0, np.nan]]), RIGHT)
    np.testing.assert_array_equal(found.want, RIGHT)
    assert found.doubt[0, 1] > 0
    assert said == [TRAP + MEASURED]
    _, said = verdict(np.array([[1.0, np.nan]]), None, None)
    assert said == [TRAP + NOT_JUDGED]
