"""Slopes by differences where autodiff fails, along directions where there are many entries, and kinks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking.claim import as_claim
from manual_grads.checking.truth.compiled import compiled_oracles
from manual_grads.checking.truth.slopes import STEPS, disagreeing_directions, kinked, slopes_at, spread_of_slopes
from tests.checking import records


def oracles_of(forward, points):
    claim, example = as_claim(forward, jax.grad(forward), (points[0],), jax.grad)
    return compiled_oracles(claim, example, 2.0**-52, thorough=True)


@pytest.mark.smoke
def test_slopes_and_what_they_are_good_to():
    points = np.linspace(-2, 2, 15).reshape(5, 3)
    oracles = oracles_of(lambda x: jnp.sin(3 * x).sum(), points)
    value = [np.asarray(oracles.value(points))]
    want = 3 * np.cos(3 * points)
    slopes = slopes_at(oracles, [points], [want], np.ones(5, bool), value, np.array([], int))
    assert slopes is not None
    ((slope,), (error,)) = slopes
    np.testing.assert_allclose(slope, want, atol=1e-8)
    assert (np.abs(slope - want) <= 30 * error + 1e-12).all()
    (distance,) = spread_of_slopes(oracles, [points], np.arange(5), [slope], 2.0**-12)
    assert (distance.ravel() > 2.0**-16).all()  # as f'' and a part of 2⁻¹² of x say
    assert (distance.ravel() < 100 * 2.0**-12).all()


def taken(stepped, claimed=None, inside=None, unsteady=(), count=40, **oracles):
    """Slopes of x² at so many points of one entry, and at which points they were taken."""
    points = np.linspace(1, 2, count)[:, None]
    made = records.oracles_of(None, stepped=stepped, **oracles)
    claimed = 2 * points if claimed is None else claimed
    inside = np.ones(count, bool) if inside is None else inside
    slopes = slopes_at(made, [points], [claimed], inside, [points[:, 0] ** 2], np.array(unsteady, int))
    assert slopes is not None
    return slopes, np.flatnonzero(np.isfinite(slopes.errors[0][:, 0]))


def test_the_best_of_several_steps_is_taken():
    def stepped(h, x):  # truncation at large steps, rounding at small ones
        return 2 * np.asarray(x) + 1e4 * h**6 + 1e-12 / h

    slopes, at = taken(stepped)
    off = np.abs(slopes.of[0] - 2 * np.linspace(1, 2, 40)[:, None])[at]
    np.testing.assert_allclose(off, 1e4 * STEPS[2] ** 6 + 1e-12 / STEPS[2], rtol=1e-4)
    assert (off <= 30 * slopes.errors[0][at]).all()


def test_a_slope_is_no_better_than_the_values_rounding():
    slopes, at = taken(lambda h, x: 2 * np.asarray(x))
    np.testing.assert_allclose(slopes.errors[0][at, 0], 1e-10 * np.linspace(1, 2, 40)[at] ** 2)


def test_slopes_are_taken_where_autodiff_fails_or_is_undone_and_at_some_others():
    some = np.linspace(0, 39, 24).astype(int)
    double = lambda h, x: 2 * np.asarray(x)  # noqa: E731
    _, at = taken(double)
    np.testing.assert_array_equal(at, some)
    others = np.setdiff1d(np.arange(40), some)
    lost = np.where(np.isin(np.arange(40), others[:2]), np.nan, 1.0)[:, None]
    _, at = taken(double, claimed=lost * 2 * np.linspace(1, 2, 40)[:, None], unsteady=[others[5]])
    np.testing.assert_array_equal(at, np.union1d(some, others[[0, 1, 5]]))
    # Not outside of the domain.
    _, at = taken(double, claimed=lost, inside=np.isfinite(lost[:, 0]))
    np.testing.assert_array_equal(at, some)


def test_in_doubt_alone_they_are_taken_nowhere_else():
    double = lambda h, x: 2 * np.asarray(x)  # noqa: E731
    _, at = taken(double, unsteady=[7, 20], in_doubt_alone=True)
    np.testing.assert_array_equal(at, [7, 20])
    points = np.linspace(1, 2, 40)[:, None]
    made = records.oracles_of(None, stepped=double, in_doubt_alone=True)
    nowhere = slopes_at(made, [points], [2 * points], np.ones(40, bool), [points[:, 0] ** 2], np.array([], int))
    assert nowhere is None


def test_where_a_rule_of_the_forward_s_own_is_not_its_slope_every_point_is_taken():
    def wrong(h, x):
        return 2.001 * np.asarray(x)

    assert len(taken(wrong)[1]) == 24
    assert len(taken(wrong, own_rules=True)[1]) == 40
    assert len(taken(lambda h, x: 2.0001 * np.asarray(x), own_rules=True)[1]) == 24
    rough = lambda h, x: (2.1 + h) * np.asarray(x)  # noqa: E731
    assert len(taken(rough, own_rules=True)[1]) == 24  # too rough to refute anything


def directions(off, rough=0.0):
    """Whether directions disagree that are so far from autodiff, relative to the largest."""
    by_autodiff = np.array([[1.0, 1e-3]])

    def directed(h, x):
        return np.stack([by_autodiff, by_autodiff + off * np.array([0, 1]) + rough * h], 1)

    return bool(disagreeing_directions(records.oracles_of(None, directed=directed), [np.ones((1, 2))])[0])


def test_a_direction_refutes_a_rule_by_more_than_its_own_error():
    assert not directions(0.0)
    assert not directions(5e-6)
    assert directions(2e-5)
    assert not directions(2e-5, rough=1e-3)  # 30 of its errors is more
    assert not directions(0.5, rough=1e-2)  # a rough slope refutes nothing


def test_without_directions_or_values_nothing_is_refuted():
    assert not disagreeing_directions(records.oracles_of(None), [np.ones((2, 2))]).any()
    assert not kinked(records.oracles_of(None, value=lambda x: ()), [np.ones((2, 2))], []).any()


def test_a_forward_that_is_nan_beside_a_point_is_kinked_there():
    points = np.array([[0.0], [1.0]])
    oracles = records.oracles_of(None, value=lambda x: np.sqrt(np.where(x < 0, np.nan, x))[:, 0] * 0 + 1)
    np.testing.assert_array_equal(kinked(oracles, [points], [np.ones(2)]), [True, False])


def test_kinks_are_told_from_curves():
    points = np.array([[0.0, 1.0], [0.5, 1.0]])
    oracles = oracles_of(lambda x: jnp.abs(x).sum() + jnp.exp(x).sum(), points)
    np.testing.assert_array_equal(kinked(oracles, [points], [np.asarray(oracles.value(points))]), [True, False])


def wrong_rule(size):
    @jax.custom_jvp
    def forward(x):
        return (x**2).sum() / size

    forward.defjvp(lambda x, t: (forward(*x), 2.2 * (x[0] @ t[0]) / size))
    return forward


def test_many_entries_are_differenced_along_directions():
    points = np.random.default_rng(0).normal(size=(3, 5000))
    right, wrong = (oracles_of(f, points) for f in (lambda x: (x**2).sum(), wrong_rule(5000)))
    assert right.stepped is None
    assert not disagreeing_directions(right, [points]).any()
    assert disagreeing_directions(wrong, [points]).all()
