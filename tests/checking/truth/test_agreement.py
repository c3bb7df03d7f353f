"""Which oracle is the odd one out, and what is judged by then."""

import numpy as np
import pytest

from manual_grads.checking.truth.agreement import Remark, Sides, agreed

RIGHT = np.array([[1.0, 2.0]])
WRONG = np.array([[1.0, 2.5]])
FAILED = np.array([[1.0, np.nan]])
EVERYWHERE = np.ones((1, 2), bool)


def verdict(
    claimed, other, slope, own_rules=False, slope_error=1e-10, steady=EVERYWHERE, autodiff_error=1e-14, lost=None
):
    sides = Sides(
        claimed=claimed,
        other=other,
        slope=slope,
        slope_error=None if slope is None else np.full((1, 2), slope_error),
        autodiff_error=np.full((1, 2), autodiff_error),
        usual=1.0,
    )
    found = agreed(sides, steady=steady, lost=~np.isfinite(claimed) if lost is None else lost, own_rules=own_rules)
    return found, [remark for remark, where in found.remarks.items() if where.any()]


@pytest.mark.smoke
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


def test_three_of_which_no_two_agree_judge_nothing():
    found, said = verdict(RIGHT, WRONG, np.array([[1.0, 3.0]]), own_rules=True)
    np.testing.assert_array_equal(found.trusted, [[True, False]])
    assert np.isnan(found.also).all()
    assert said == [Remark.MODES_UNDECIDED]


@pytest.mark.parametrize(
    ("other", "slope", "fields", "said"),
    [
        # Autodiff is exact to some 10⁻¹⁴ and what noise says; a slope to 30 times its estimated error.
        (RIGHT * (1 + 1e-10), RIGHT, {}, []),
        (RIGHT * (1 + 1e-7), RIGHT, {}, [Remark.OTHER_IS_ODD]),
        (RIGHT * (1 + 1e-7), RIGHT, {"autodiff_error": 1e-6}, []),
        (RIGHT, RIGHT * (1 + 1e-6), {"slope_error": 1e-7}, []),
        (RIGHT, RIGHT * (1 + 1e-5), {"slope_error": 1e-7}, [Remark.SLOPE_IS_ODD]),
        (RIGHT, WRONG, {"slope_error": 1e-4}, []),  # one that is known no better is no oracle
        (WRONG, RIGHT, {"slope_error": 1e-4}, [Remark.MODES_UNDECIDED]),
        # What noise undoes says nothing.
        (WRONG, RIGHT, {"steady": ~EVERYWHERE}, []),
        (RIGHT, WRONG, {"steady": ~EVERYWHERE}, []),
        (FAILED, WRONG, {}, [Remark.SLOPE_IS_ODD]),
    ],
)
def test_how_far_apart_they_may_be(other, slope, fields, said):
    assert verdict(RIGHT, other, slope, **fields)[1] == said


def test_a_failed_mode_is_not_odd_too():
    assert verdict(FAILED, RIGHT, RIGHT)[1] == [Remark.TRAP_MEASURED]
    assert verdict(RIGHT, WRONG, RIGHT, lost=EVERYWHERE)[1] == []  # beside a trap, where noise undoes it


def test_without_the_other_mode_the_slope_is_right_too():
    found, _ = verdict(RIGHT, None, WRONG)
    np.testing.assert_array_equal(found.also, [[np.nan, 2.5]])


@pytest.mark.parametrize("slope_error", [1e-12, 1e-7])
@pytest.mark.parametrize("by_slope", [(WRONG, RIGHT, RIGHT), (FAILED, FAILED, RIGHT), (RIGHT, None, WRONG)])
def test_what_is_known_by_its_slope_is_known_as_well_as_that(by_slope, slope_error):
    found, _ = verdict(*by_slope, slope_error=slope_error)
    np.testing.assert_allclose(found.doubt, [[0, 30 * slope_error + 1e-7 * by_slope[2].max()]])


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
