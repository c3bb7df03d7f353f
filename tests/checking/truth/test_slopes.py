"""Slopes by differences where autodiff fails, along directions where there are many entries, and kinks."""

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking import check_gradient
from manual_grads.checking.claim import as_claim
from manual_grads.checking.truth.compiled import compiled_oracles
from manual_grads.checking.truth.slopes import disagreeing_directions, kinked, slopes_at, spread_of_slopes


def oracles_of(forward, points):
    claim, example = as_claim(forward, jax.grad(forward), (points[0],), jax.grad)
    return compiled_oracles(claim, example, 2.0**-52, thorough=True)


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


def test_a_report_says_so():
    x = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    report = check_gradient(wrong_rule(1), lambda x: 2.2 * x, (x,), dtypes=["float64"])
    assert any("along 4 random directions in all 5000 entries" in note for note in report.notes)
    assert any("along random directions, the forward's own autodiff isn't its slope" in note for note in report.notes)
