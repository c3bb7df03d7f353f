"""An error as a part of what is allowed, and in ULP."""

import numpy as np
import pytest

from manual_grads.checking.judging.measure import ratios, ulps, worst_entry
from tests.checking.records import expected_of, leaf_of

EVERY = np.arange(2)


@pytest.mark.parametrize(
    ("error", "want", "dtype", "ulp"),
    [
        (2.0**-23, 1.0, "float32", 1.0),
        (2.0**-23, 1.99, "float32", 1.0),
        (2.0**-23, -2.0, "float32", 0.5),
        (2.0**-7, 1.0, "bfloat16", 1.0),
        (2.0**-149, 0.0, "float32", 1.0),
    ],
)
def test_an_ulp_is_the_distance_to_the_next_number(error, want, dtype, ulp):
    assert ulps(error, want, dtype) == ulp


def test_an_error_is_a_part_of_its_own_allowance_at_its_own_point():
    leaf = leaf_of([[1.0, 2.0], [3.0, 4.0]], allowance=np.array([[0.1, 0.2], [0.4, 0.8]]))
    got = np.array([[3.2, 4.0], [1.0, 2.4]])  # of the second point, and of the first
    np.testing.assert_allclose(ratios(got, leaf, np.array([1, 0])), [[0.5, 0.0], [0.0, 2.0]])


def test_nothing_is_said_of_what_is_undecided():
    leaf = leaf_of([[1.0, 2.0]], decided=np.array([[False, True]]))
    assert ratios(np.array([[np.nan, 2.0]]), leaf, np.array([0])).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_infinitely_wrong(bad):
    leaf = leaf_of([[1.0, 2.0]], allowance=np.array([[1e300, 1.0]]))
    assert ratios(np.array([[bad, 2.0]]), leaf, np.array([0])).tolist() == [[np.inf, 0.0]]
    worst = worst_entry([np.array([[2.0, bad]])], expected_of(leaf), np.array([0]), "float32")
    assert (worst.ratio, worst.ulp, worst.place) == (np.inf, np.inf, (1,))


def test_the_slope_is_right_too_where_there_is_one():
    leaf = leaf_of([[1.0, 1.0]], also=np.array([[2.0, np.nan]]))
    found = ratios(np.array([[2.0, 2.0]]), leaf, np.array([0]))
    assert found[0, 0] == 0
    assert found[0, 1] > 1


@pytest.mark.smoke
def test_the_worst_entry_and_the_largest_error_in_ulp_may_be_two():
    strict = leaf_of([[1.0, 1.0]] * 3, allowance=np.full((3, 2), 1e-7))
    lax = leaf_of([[1.0, 1.0]] * 3, allowance=np.full((3, 2), 1.0))
    right, off, far = np.ones((2, 2)), np.array([[1, 1], [1, 1 + 2e-7]]), np.array([[1, 1.5], [1, 1]])
    worst = worst_entry([off, far], expected_of(strict, lax), np.array([0, 2]), "float32")
    assert (worst.leaf, worst.point, worst.place, worst.got, worst.want) == (0, 2, (1,), 1 + 2e-7, 1.0)
    assert worst.ratio == pytest.approx(2)
    assert worst.ulp == pytest.approx(2.0**22)
    assert worst_entry([right, far], expected_of(strict, lax), np.array([0, 2]), "float32").leaf == 1


def test_an_entry_that_cancels_counts_as_if_it_were_a_part_of_the_usual_size():
    leaf = leaf_of([[0.0], [2.0**-4]], size=1.0)
    worst = worst_entry([np.array([[2.0**-27], [2.0**-4]])], expected_of(leaf), EVERY, "float32")
    assert worst.ulp == 1.0


def test_an_error_from_a_slope_has_no_meaning_in_ulp():
    leaf = leaf_of([[1.0], [1.0]], known_to_ulp=np.array([[False], [True]]))
    worst = worst_entry([np.array([[1.1], [1.0]])], expected_of(leaf), EVERY, "float32")
    assert worst.ulp == 0.0
    assert worst.ratio > 1
