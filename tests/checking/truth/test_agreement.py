"""Which oracle is the odd one out, and what is judged by then."""

import numpy as np

from manual_grads.checking.truth.agreement import Remark, Sides, agreed

RIGHT = np.array([[1.0, 2.0]])
WRONG = np.array([[1.0, 2.5]])
FAILED = np.array([[1.0, np.nan]])
EVERYWHERE = np.ones((1, 2), bool)


def verdict(claimed, other, slope, own_rules=False):
    sides = Sides(
        claimed=claimed,
        other=other,
        slope=slope,
        slope_error=None if slope is None else np.full((1, 2), 1e-10),
        autodiff_error=np.full((1, 2), 1e-14),
        usual=1.0,
    )
    found = agreed(sides, steady=EVERYWHERE, lost=~np.isfinite(claimed), own_rules=own_rules)
    return found, [remark for remark, where in found.remarks.items() if where.any()]


def test_all_agree():
    found, said = verdict(RIGHT, RIGHT, RIGHT)
    np.testing.assert_array_equal(found.want, RIGHT)
    assert found.trusted.all()
    assert not found.doubt.any()
    assert not said


def test_the_claimed_mode_is_the_odd_one_out():
    found, said = verdict(WRONG, RIGHT, RIGHT)
    np.testing.assert_array_equal(found.want, RIGHT)
    assert said == [Remark.CLAIMED_IS_ODD]


def test_the_other_mode_is_the_odd_one_out():
    found, said = verdict(RIGHT, WRONG, RIGHT)
    np.testing.assert_array_equal(found.want, RIGHT)
    assert found.trusted.all()
    assert said == [Remark.OTHER_IS_ODD]


def test_two_that_disagree_without_a_third_judge_nothing():
    found, said = verdict(RIGHT, WRONG, None)
    np.testing.assert_array_equal(found.trusted, [[True, False]])
    assert said == [Remark.MODES_UNDECIDED]


def test_a_slope_alone_is_the_odd_one_out_but_right_too_where_the_forward_has_its_own_rule():
    found, said = verdict(RIGHT, RIGHT, WRONG)
    assert np.isnan(found.also).all()
    assert said == [Remark.SLOPE_IS_ODD]
    found, said = verdict(RIGHT, RIGHT, WRONG, own_rules=True)
    np.testing.assert_array_equal(found.also, [[np.nan, 2.5]])
    assert found.doubt[0, 1] > 0
    assert said == [Remark.SLOPE_IS_ODD_BY_RULE]


def test_where_autodiff_is_nan_the_slope_judges():
    found, said = verdict(FAILED, FAILED, RIGHT)
    np.testing.assert_array_equal(found.want, RIGHT)
    assert found.doubt[0, 1] > 0
    assert said == [Remark.TRAP_MEASURED]
    _, said = verdict(FAILED, None, None)
    assert said == [Remark.TRAP_UNDECIDED]


def test_a_remark_names_the_points_and_the_modes():
    text = Remark.CLAIMED_IS_ODD.value.format(points="2 points (ties)", claimed="reverse", other="forward")
    assert text.startswith("oracles disagree at 2 points (ties): reverse mode is the odd one out")
