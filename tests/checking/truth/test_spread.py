"""How far noise moves a result, what it changes altogether, and what can't be measured by it."""

import numpy as np
import pytest

from manual_grads.checking.truth.spread import (
    JUMP,
    PATTERNS,
    jumps,
    near_pole,
    patterns_of_noise,
    scaled_spread,
    spread_of,
)


def patterns(claimed, *pairs):
    """One point, of one entry: without noise, and under pairs of opposite patterns."""
    half, opposite = zip(*pairs, strict=True)
    return np.array([claimed, *half, *opposite], float)[None, :, None]


def test_every_pattern_but_the_first_has_its_opposite():
    noise = patterns_of_noise()
    assert not noise[0].any()
    np.testing.assert_array_equal(noise[1 : 1 + PATTERNS], -noise[1 + PATTERNS :])
    assert PATTERNS >= 5  # a spread is the largest of so many
    assert len(np.unique(noise[1:, 0])) == 2 * PATTERNS
    assert 0.9 < np.abs(noise).max() <= 1


def test_the_spread_is_the_largest_distance_from_what_no_noise_gives():
    assert spread_of(patterns(1.0, (1.5, 0.9), (1.1, 0.25))).tolist() == [[0.75]]
    # Where there is no such, from the first pattern.
    assert spread_of(patterns(np.nan, (1.0, 0.9), (1.1, 0.5))).tolist() == [[0.5]]


def test_at_the_edge_of_a_domain_one_side_says_enough():
    assert spread_of(patterns(1.0, (np.nan, 1.25), (1.125, np.inf))).tolist() == [[0.25]]


def test_what_noise_makes_nan_either_way_cannot_be_measured():
    unmeasured = patterns(1.0, (np.nan, np.nan), (1.125, 0.875))
    assert spread_of(unmeasured).tolist() == [[np.inf]]
    assert jumps(unmeasured).all()
    assert scaled_spread(unmeasured, 64.0).tolist() == [[np.inf]]
    # A derivative that is NaN itself is another matter: the forward's slope is asked.
    assert spread_of(patterns(np.nan, (np.nan, np.nan), (1.125, 0.875))).tolist() == [[0.0]]


@pytest.mark.smoke
def test_a_jump_is_a_part_of_the_largest_entry():
    moved = np.ones((1, 3, 3))
    moved[0, 1:, 0] = 1 + 0.9 * JUMP
    moved[0, 1:, 1] = 1 + 1.2 * JUMP
    np.testing.assert_array_equal(jumps(moved), [[False, True, False]])
    moved[0, :, 2] = 2
    assert not jumps(moved).any()


def test_magnified_noise_is_divided_out_but_of_a_jump():
    moved = np.ones((1, 3, 2))
    moved[0, 1:, 0] += 0.01
    moved[0, 1:, 1] += 0.5
    np.testing.assert_allclose(scaled_spread(moved, 64.0), [[0.01 / 64, 0.5]])
    np.testing.assert_allclose(scaled_spread(moved, 1.0), [[0.01, 0.5]])


def test_a_pole_is_beyond_the_usual_size_and_moved_by_noise():
    scales = np.array([[1, 3.0], [9, 29], [9, 31], [1e9, 1.9e9], [1e9, 2.1e9], [np.nan, 1e9], [1e9, np.inf]])
    patterns = scales[:, [0, 1, 1]]  # and one entry that noise leaves alone
    found = near_pole(np.stack([patterns, np.zeros_like(patterns)], -1), usual=3.0)
    np.testing.assert_array_equal(found, [False, False, True, False, True, False, True])


def test_where_noise_makes_all_nan_is_a_pole_if_it_moves_what_is_left():
    moved = np.array([[1.0, 1.0], [np.nan, np.nan], [1.0, 1.2]])[None]
    assert near_pole(moved, usual=1.0).all()
    still = np.array([[1.0, 1.0], [np.nan, np.nan], [1.0, 1.01]])[None]
    assert not near_pole(still, usual=1.0).any()  # the edge of a domain
    one = np.array([[1.0, 1.0], [np.nan, 1.0], [np.nan, 1.0]])[None]
    assert not near_pole(one, usual=1.0).any()  # the other is as it was
    trap = np.array([[np.nan, 1.0], [1.0, 1.0], [1.2, 1.0]])[None]
    assert not near_pole(trap, usual=1.0).any()
