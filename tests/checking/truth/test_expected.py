"""How far from the truth a right result may be, in a format in which the forward itself may be of no use."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking.truth.spread import patterns_of_noise
from tests.checking.records import U
from tests.checking.truth.one_leaf import EPS, FIRST, USUAL, X, double, leaf_of, under_noise


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
