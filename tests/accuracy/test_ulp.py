"""The measure: what it counts, and that it raises its precision until it is sure."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.accuracy.ulp import NotNarrow, as_truth, certified, errors, floor_log2
from manual_grads.derivations import balls
from manual_grads.rules import FLOATS


def truth_of(values, dtype, magnitudes=None):
    values = np.asarray(values, float)
    return as_truth(balls.as_balls(values), balls.as_balls(abs(values) if magnitudes is None else magnitudes), dtype)


def ulp(got, values, dtype="float32", magnitudes=None):
    return errors(np.asarray(got, dtype), truth_of(values, dtype, magnitudes)).ulp.tolist()


def test_an_ulp_is_that_of_the_power_of_two_below_the_true_value():
    assert ulp([1, 1 + 2**-20, 3 - 2**-20, -1, 2], [1, 1, 3, 1, 1]) == [0, 8, 4, 2**24, 2**23]


@pytest.mark.smoke
@pytest.mark.parametrize("dtype", FLOATS)
def test_the_next_number_is_one_ulp_away(dtype):
    info = jnp.finfo(dtype)
    for value in (1.0, 1.5, float(info.smallest_normal), float(info.max) / 2):
        step = math.ldexp(float(info.eps), math.floor(math.log2(value)))
        assert errors(np.array([value + step]), truth_of([value], dtype)).ulp.tolist() == [1]


def test_an_error_can_be_counted_in_ulp_of_a_magnitude():
    assert ulp([1 + 2**-20], [1], magnitudes=np.array([1024.0])) == [8 / 1024]


@pytest.mark.smoke
def test_half_an_ulp_of_float64_is_seen():
    """What a subtraction in float64 would round away."""
    with balls.precision(200):
        value = balls.arb(1) / 3
        truth = as_truth(value, value, np.float64)
    assert 0 < errors(np.array(1 / 3), truth).ulp <= 0.5
    exact = (balls.arb(1 / 3) - value).mid()
    assert errors(np.array(1 / 3), truth).ulp.item() == pytest.approx(float(abs(exact)) / 2**-54, abs=1e-6)


def test_below_the_smallest_normal_number_an_error_of_that_size_counts_as_none():
    assert ulp([0, 2.0**-126, 2.0**-124], [2.0**-130, 2.0**-130, 2.0**-130])[:2] == [0, 0]
    assert ulp([2.0**-124], [2.0**-130])[0] > 1e7
    assert ulp([0], [2.0**-126]) == [2**23]  # a normal number


def test_where_the_true_value_is_zero_nothing_but_what_underflow_may_leave_is_right():
    assert ulp([0, 2.0**-126], [0, 0]) == [0, 0]
    assert ulp([2.0**-100], [0])[0] > 2**24


def test_infinity_is_right_where_the_true_value_overflows():
    largest = float(np.finfo(np.float32).max)
    assert ulp([np.inf, largest, -np.inf, 1.0], [1e39] * 4)[:2] == [0, 0]
    assert min(ulp([-np.inf, 1.0, np.nan], [1e39] * 3)) > 1e6
    assert ulp([np.inf], [largest]) == [np.inf]


def test_nan_is_infinitely_wrong():
    assert ulp([np.nan, np.nan], [1.0, 0.0]) == [np.inf, np.inf]


def test_zeros_are_reported_where_the_true_value_is_normal():
    assert errors(np.zeros(3, np.float32), truth_of([1.0, 0.0, 2.0**-130], "float32")).zero.tolist() == [1, 0, 0]


def test_a_ball_too_wide_is_refused():
    wide = balls.arb(1, 2.0**-40)
    with pytest.raises(NotNarrow):
        as_truth(wide, wide, np.float32)


def test_precision_is_raised_until_the_digits_are_there():
    tried = []

    def cancelling():  # 1 - (1 - e^-700), of which 1010 bits are lost
        tried.append(balls.flint.ctx.prec)
        value = 1 - (1 - balls.exp(balls.arb(-700)))
        return [(value, abs(value))]

    (truth,) = certified(cancelling, np.float64)
    assert errors(np.exp(-700.0), truth).ulp.item() < 1
    assert len(tried) > 1
    assert balls.flint.ctx.prec < tried[0]  # as before


def test_what_no_precision_settles_is_refused():
    with pytest.raises(NotNarrow):
        certified(lambda: [(balls.arb(1, 1), balls.arb(1))], np.float32)


def test_floor_log2():
    assert [floor_log2(balls.arb(x)) for x in (1, 1.5, 2, 3, 0.75, 2.0**-1074)] == [0, 0, 1, 1, -1, -1074]
