"""What is expected where noise undoes autodiff, where it fails, and where a rule of the forward's own may be wrong."""

from typing import Any

import numpy as np
import pytest

from manual_grads.checking.formats import TrialFormat
from manual_grads.checking.truth.expected import expected
from manual_grads.checking.truth.slopes import STEPS
from tests.checking.records import U, oracles_of
from tests.checking.truth.one_leaf import (
    EPS,
    FIRST,
    KINK,
    NAMES,
    NO_KINK,
    USUAL,
    X,
    at_first,
    double,
    kicked,
    kinked,
    leaf_of,
)


@pytest.mark.smoke
def test_at_a_kink_what_lies_between_its_sides_is_right():
    leaf, _ = leaf_of(**kinked([1, 0, 0]), **KINK)
    assert leaf.decided.all()
    np.testing.assert_allclose(np.sort([leaf.low[0, 0], leaf.high[0, 0]]), np.sort([0, 4 * X[0, 0]]))
    np.testing.assert_array_equal(leaf.low[1:], leaf.want[1:])
    np.testing.assert_array_equal(leaf.high[1:], leaf.want[1:])


def test_where_noise_undoes_one_entry_the_others_are_judged():
    leaf, found = leaf_of(**kicked([1, 0, 0]), **KINK)
    np.testing.assert_array_equal(leaf.decided, ~FIRST[:, None] | [False, True, True])
    assert found.inside.all()


def test_beside_a_pole_none_is():
    pole = kicked([1e9, 0, 0])
    leaf, found = leaf_of(**pole, **KINK)
    np.testing.assert_array_equal(leaf.decided.all(1), ~FIRST)
    assert not leaf.decided[0].any()
    assert found.inside.all()
    # It is none where the forward is smooth: autodiff is beside a trap of its own.
    leaf, _ = leaf_of(**pole)
    assert leaf.decided[0].tolist() == [False, True, True]


@pytest.mark.parametrize("own", [U, EPS / 2])
def test_what_noise_makes_nan_is_not_judged(own):
    def claimed(u, noise, x):
        lost = FIRST[:, None, None] & (np.sign(noise[:, :1]) != 0) & (np.arange(3) == 1) & (u <= 65 * own)
        return np.where(lost, np.nan, double(x)[:, None])

    leaf, _ = leaf_of("float32", claimed=claimed, **KINK)
    np.testing.assert_array_equal(leaf.decided, ~FIRST[:, None] | [True, False, True])


# Where autodiff fails, or is undone, and there is a slope.


def test_in_a_trap_the_slope_is_what_is_right():
    nan = at_first(np.nan)
    leaf, found = leaf_of(derivative=nan, stepped=lambda h, x: double(x))
    np.testing.assert_allclose(leaf.want, 2 * X)
    assert leaf.decided.all()
    np.testing.assert_array_equal(leaf.known_to_ulp, ~FIRST[:, None] & np.ones((1, 3), bool))
    assert (leaf.allowance[0] >= 1e-7 * np.abs(2 * X[0]).max()).all()  # which is what it may be known to
    assert (leaf.allowance[0] < 1e-5).all()
    assert any("1 point (point 0)" in note and "judged there by differences" in note for note in found.notes)


@pytest.mark.parametrize("stepped", [None, lambda h, x: double(x) + 0.1 * h])
def test_in_a_trap_without_a_slope_nothing_is_judged(stepped):
    leaf, found = leaf_of(derivative=at_first(np.nan), stepped=stepped)
    np.testing.assert_array_equal(leaf.decided.all(1), ~FIRST)
    assert any("the gradient isn't judged there" in note for note in found.notes)


def test_in_a_trap_at_a_kink_nothing_is_judged():
    leaf, _ = leaf_of(derivative=at_first(np.nan), stepped=lambda h, x: double(x), **KINK)
    np.testing.assert_array_equal(leaf.decided.all(1), ~FIRST)


def test_in_a_trap_a_result_may_be_as_far_as_its_slope_moves_with_the_inputs():
    def steep(h, x):  # inputs that are off move it a thousand times as far
        return double(x) + 1e3 * (np.asarray(x) - X[np.abs(np.asarray(x)[:, None] - X).sum(-1).argmin(1)])

    flat, _ = leaf_of("float32", derivative=at_first(np.nan), stepped=lambda h, x: double(x))
    leaf, _ = leaf_of("float32", derivative=at_first(np.nan), stepped=steep)
    assert leaf.decided[0].any()
    assert leaf.allowance[0].max() > flat.allowance[0].max() + 1e3 * U * np.abs(X[0]).min()
    np.testing.assert_allclose(leaf.allowance[1:], flat.allowance[1:])


def test_in_a_trap_a_result_may_be_rounded_as_its_slope_may():
    def slope(x):  # which inputs that are off don't move
        return np.where(np.abs(x).max(1, keepdims=True) > 50, 2e3, 2.0) + np.zeros((1, 3))

    oracles: dict[str, Any] = {"stepped": lambda h, x: slope(x), "value": lambda x: np.ones(8)}
    points = np.where(FIRST[:, None], 100.0, X)
    leaf, _ = leaf_of(
        "float32", points=points, derivative=lambda x: slope(x) + np.where(x == 100, np.nan, 0), **oracles
    )
    assert leaf.decided.all()
    assert (leaf.allowance[0] >= 8 * U * 2e3).all()


def test_a_rough_slope_says_nothing_of_what_noise_undoes():
    def rough(h, x):  # every step another, of which one is right
        return double(x) + 1e-3 * (STEPS.index(h) % 2 == 0)

    leaf, _ = leaf_of(**kicked([1, 1, 1]), stepped=rough)
    assert not leaf.decided[0].any()


@pytest.mark.parametrize(("off", "decided"), [(0.0, True), (1e-6, True), (1e-3, False), (0.5, False)])
def test_what_noise_undoes_is_right_if_it_is_the_slope(off, decided):
    """A stop_gradient may be meant otherwise, and then it isn't judged there."""
    leaf, _ = leaf_of(**kicked([1, 1, 1]), stepped=lambda h, x: double(x) * (1 + off))
    assert bool(leaf.decided[0].all()) == decided
    assert leaf.decided[1:].all()
    np.testing.assert_array_equal(leaf.want[0], 2 * X[0] * (1 + off if decided else 1))


# A rule of the forward's own, which may be wrong.


def test_a_rule_that_is_not_the_slope_leaves_both_right():
    leaf, found = leaf_of(stepped=lambda h, x: 1.1 * double(x), modes={"forward": double}, own_rules=True)
    np.testing.assert_allclose(leaf.want, 2 * X)
    np.testing.assert_allclose(leaf.also, 2.2 * X)
    assert leaf.decided.all()
    assert not leaf.known_to_ulp.any()
    assert any("differences are the odd one out (the forward's own derivative rule" in note for note in found.notes)
    # But a stop_gradient says that the slope isn't meant.
    leaf, _ = leaf_of(stepped=lambda h, x: 1.1 * double(x), modes={"forward": double})
    assert np.isnan(leaf.also).all()


@pytest.mark.parametrize(
    ("oracles", "decided"),
    [
        ({"own_rules": True}, False),  # one oracle against another: there is no telling
        ({"own_rules": False}, True),  # a stop_gradient, which is meant
        ({"own_rules": True, "modes": {"forward": double}}, True),
    ],
)
def test_a_rule_that_is_refuted_along_a_direction(oracles, decided):
    by_autodiff = np.ones((8, 1, 4))
    directed = np.concatenate([by_autodiff, by_autodiff * np.where(FIRST, 1.1, 1)[:, None, None]], 1)
    leaf, found = leaf_of(directed=lambda h, x: directed, **oracles)
    np.testing.assert_array_equal(leaf.decided.all(1), ~FIRST | decided)
    assert any("along random directions" in note and "1 point (point 0)" in note for note in found.notes)


def test_a_slope_that_is_rough_is_no_oracle():
    leaf, _ = leaf_of(stepped=lambda h, x: double(x) * (1 + 1e-4 * h * (np.arange(3) == 1)))
    known = np.isfinite(leaf.by_oracle["differences"])
    np.testing.assert_array_equal(known[1:], np.broadcast_to([True, False, True], (7, 3)))


def test_a_note_names_three_points():
    _, found = leaf_of(modes={"forward": lambda x: double(x) * np.where(np.arange(8) < 5, 1.1, 1)[:, None]})
    (note,) = found.notes
    assert "5 points (point 0; point 1; point 2; …)" in note


def test_a_note_is_of_all_leaves():
    def two(factor):
        return lambda x: (
            double(x) * np.where(FIRST, factor, 1)[:, None],
            double(x)[::-1] * np.where(FIRST, factor, 1)[::-1, None],
        )

    def claimed(u, noise, x):
        return [np.stack([leaf] * len(noise), 1) for leaf in two(1.0)(x)]

    oracles = oracles_of(None, claimed=claimed, modes={"forward": two(1.1)}, **NO_KINK)
    found = expected(oracles, [X], NAMES, USUAL, TrialFormat("float64", [X.dtype]))
    (note,) = found.notes
    assert "2 points (point 0; point 7)" in note
