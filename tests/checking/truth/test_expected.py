"""What a result should be and how far from it a right one may be, by oracles that are plain functions."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking.arrays import quiet
from manual_grads.checking.formats import TrialFormat
from manual_grads.checking.truth.expected import expected
from manual_grads.checking.truth.slopes import STEPS
from manual_grads.checking.truth.spread import patterns_of_noise
from tests.checking.records import U, oracles_of

EPS = 2.0**-52
X = np.random.default_rng(0).normal(size=(8, 3))
NAMES = [f"point {i}" for i in range(8)]
USUAL = np.ones(8, bool)
FIRST = np.arange(8) == 0
NO_KINK: dict[str, Any] = {"value": lambda x: (np.asarray(x) ** 2).sum(1)}
KINK: dict[str, Any] = {"value": lambda x: np.abs(np.asarray(x) - X).sum(1) + 1}  # at every point


def double(x):
    return 2 * np.asarray(x)


def at_first(there, elsewhere=double):
    """A derivative that is another one at the first point."""
    return lambda x: np.where((np.asarray(x) == X[:1]).all(1, keepdims=True), there, elsewhere(x))


def under_noise(move, derivative=double):
    """An oracle that noise moves: `move(u * noise)` for the first number of each pattern, times each entry."""
    return lambda u, noise, x: derivative(x)[:, None] * (1 + move(u * noise[:, :1]))


def kicked(entries) -> dict[str, Any]:
    """Noise of any size moves these entries of the first point by all that they are."""

    def claimed(u, noise, x):
        kick = np.sign(noise[:, :1]) * np.asarray(entries)
        return double(x)[:, None] * (1 + np.where(FIRST[:, None, None], kick, 0))

    return {"claimed": claimed}


def leaf_of(dtype="float64", usual=USUAL, points=X, derivative=double, **oracles: Any):
    fmt = TrialFormat(dtype, [np.dtype(jnp.dtype(dtype))])
    with quiet():
        found = expected(oracles_of(derivative, **(NO_KINK | oracles)), [points], NAMES, usual, fmt)
    return found.leaves[0], found


@pytest.mark.smoke
def test_all_is_well():
    leaf, found = leaf_of(modes={"forward": double}, stepped=lambda h, x: double(x))
    np.testing.assert_array_equal(leaf.want, 2 * X)
    assert leaf.decided.all()
    assert leaf.known_to_ulp.all()
    assert np.isnan(leaf.also).all()
    assert found.inside.all()
    assert not found.notes
    assert leaf.size == np.median(np.abs(2 * X).max(1))
    assert list(leaf.by_oracle) == ["reverse", "forward", "differences"]
    np.testing.assert_array_equal(found.value[0], (X**2).sum(1))


def test_where_the_forward_is_not_finite_nothing_is_decided():
    leaf, found = leaf_of(value=lambda x: np.where(FIRST, np.inf, (np.asarray(x) ** 2).sum(1)))
    np.testing.assert_array_equal(found.inside, ~FIRST)
    np.testing.assert_array_equal(leaf.decided.all(1), ~FIRST)


# How far a right result may be.


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_a_result_may_be_as_far_as_noise_of_the_format_takes_it(dtype):
    u = float(jnp.finfo(dtype).eps) / 2
    still, _ = leaf_of(dtype)
    moved, _ = leaf_of(dtype, claimed=under_noise(lambda noise: 10 * noise))
    added = (moved.allowance - still.allowance) / np.abs(2 * X)
    reach = np.abs(patterns_of_noise()[:, 0]).max()
    # Eight times the spread; and in float64 as much again, as the oracle itself is no better.
    np.testing.assert_allclose(added, (2 if dtype == "float64" else 1) * 8 * 10 * reach * u, rtol=1e-2)


def test_in_float64_noise_is_magnified_and_divided_out():
    asked = []
    leaf_of(claimed=lambda u, noise, x: asked.append(u) or np.stack([double(x)] * len(noise), 1))
    assert asked == [64 * EPS / 2]
    leaf_of("float32", claimed=lambda u, noise, x: asked.append(u) or np.stack([double(x)] * len(noise), 1))
    assert asked[1:] == [64 * EPS / 2, U]


def test_a_result_may_be_rounded_and_lose_what_its_usual_terms_lose():
    points = X.copy()
    points[0], points[1] = 1e6, 1e-9
    leaf, _ = leaf_of("float32", points=points)
    assert (leaf.allowance[0] >= U * 2e6).all()
    assert (leaf.allowance[1] >= U * leaf.size).all()
    assert (leaf.allowance <= 10 * U * (leaf.size + 2 * np.abs(points)) + 1e-37).all()


def test_a_result_may_underflow():
    leaf, _ = leaf_of("float16", points=1e-5 * X)
    assert (leaf.allowance >= float(jnp.finfo("float16").smallest_normal)).all()


def test_a_quick_oracle_may_lose_some_itself():
    exact, _ = leaf_of()
    quick, _ = leaf_of(unmeasured=1e-10)
    added = (quick.allowance - exact.allowance) / np.maximum(np.abs(2 * X).max(1, keepdims=True), exact.size)
    np.testing.assert_allclose(added, 1e-10, rtol=1e-5)


@pytest.mark.parametrize(("spread", "decided"), [(0.04, True), (0.08, False)])
def test_what_is_not_known_to_half_its_size_is_not_judged(spread, decided):
    leaf, _ = leaf_of("float32", claimed=under_noise(lambda noise: spread * np.sign(noise) * (np.abs(noise) > U / 64)))
    assert leaf.decided.all() == decided


def test_what_does_not_fit_into_the_format_is_not_judged():
    points = X.copy()
    points[0], points[1] = 60000.0, 10000.0
    leaf, _ = leaf_of("float16", points=points, value=lambda x: np.asarray(x, float).sum(1) / 8)
    assert leaf.decided.all(1).tolist() == [False] + [True] * 7


# Where the forward itself is of no use in the format.


def in_format(change) -> dict[str, Any]:
    """A forward whose value is another one in any format but float64."""

    def value(x):
        exact = (np.asarray(x, float) ** 2).sum(1)
        return exact if x.dtype == np.float64 else exact * change

    return {"value": value}


@pytest.mark.parametrize(
    ("name", "off", "another"),
    [("float32", 0.04, False), ("float32", 0.06, True), ("bfloat16", 0.2, False), ("bfloat16", 0.3, True)],
)
def test_a_value_that_changes_much_where_float64_is_enabled_is_another_function_s(name, off, another):
    points = np.round(8 * X) / 8  # which each format holds

    def said(value, usual=USUAL):
        notes = leaf_of(name, points=points, usual=usual, **value)[1].notes
        return any("another one where float64 is enabled: the oracles are in float32" in note for note in notes)

    assert said(in_format(1 + off)) == another
    # It is usual points that tell.
    assert not said(in_format(np.where(FIRST, 9.0, 1.0)), ~FIRST)
    assert said(in_format(np.where(FIRST, 9.0, 1.0)), FIRST)
    assert not said(in_format(9.0), np.zeros(8, bool))


def test_where_the_forward_keeps_less_than_half_its_digits_nothing_is_judged():
    half = 2.0**-11.5
    points = X.astype("f4").astype("f8")
    points[2], points[3] = 2.0**-10, 2.0**10
    change = np.ones(8)
    change[:4] = 1 + 0.9 * half, np.inf, 1 + 3 * half, 1 + 1.1 * half
    leaf, found = leaf_of("float32", points=points, **in_format(change))
    # At the third point the value is small beside its usual size, and so is what it loses.
    assert found.inside.tolist() == [True, False, True, False] + [True] * 4
    np.testing.assert_array_equal(leaf.decided.all(1), found.inside)


def test_a_value_that_underflows_keeps_its_digits():
    tiny: dict[str, Any] = {"value": lambda x: np.full(8, 1e-39 if x.dtype == np.float64 else 0.0)}
    assert leaf_of("float32", **tiny)[1].inside.all()


# Where noise undoes autodiff.


def test_at_a_kink_the_other_entries_are_judged():
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
