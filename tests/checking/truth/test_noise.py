"""Noise on every rounding: of the size that it should be, through loops and branches too, and none where nothing is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking.truth.noise import noisy, noisy_inputs
from manual_grads.checking.truth.spread import patterns_of_noise

U = 2.0**-24


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def spread(f, *args, differentiated=None, how=noisy):
    run = jax.jit(how(f, differentiated or (True,) * len(args)))
    results = np.array([run(U, noise, *args) for noise in patterns_of_noise()])
    assert np.isfinite(results).all()
    return np.max(np.abs(results - results[0]), axis=0)


@pytest.mark.smoke
def test_no_noise_changes_nothing():
    x = jnp.linspace(-2, 2, 7)
    f = jax.jit(lambda x: jnp.tanh(x).sum() / x[0])
    assert jax.jit(noisy(f, (True,)))(U, patterns_of_noise()[0], x) == f(x)


def test_cancellation_shows():
    def cancels(x):
        return (1 + x) - 1

    relative = spread(cancels, jnp.array(1e-4)) / 1e-4
    assert 1e3 * U < relative < 1e5 * U


@pytest.mark.smoke
def test_a_loop_is_as_noisy_as_its_rounds_written_out():
    def body(x):
        return jnp.sin(3 * x) - 0.9 * x

    def loop(x):
        return jax.lax.scan(lambda c, _: (body(c), None), x, None, length=5)[0]

    def written_out(x):
        for _ in range(5):
            x = body(x)
        return x

    x = jnp.array(0.7)
    assert 0.2 < spread(loop, x) / spread(written_out, x) < 5


@pytest.mark.smoke
def test_branches_are_evaluated_with_noise():
    def branch(x):
        return jax.lax.cond(x > 0, lambda x: (1 + x) - 1, lambda x: x, x)

    assert spread(branch, jnp.array(1e-4)) > 1e3 * U * 1e-4


def test_infinities_get_none():
    assert spread(lambda x: jnp.exp(jnp.array([-jnp.inf, 0.0]) + x).sum(), jnp.array(0.5)) < 100 * U


@pytest.mark.parametrize("how", [noisy, noisy_inputs])
def test_zeros_and_ones_of_what_is_not_differentiated_are_exact(how):
    def masked(x, m):
        return jnp.where(m == 1, x, -x)

    x, m = jnp.array([1.0, 2.0]), jnp.array([1.0, 0.0])
    assert (spread(masked, x, m, differentiated=(True, False), how=how) < 4 * U).all()
    assert (spread(masked, x, m, differentiated=(True, True), how=how)[0] > 1).all()


@pytest.mark.parametrize("how", [noisy, noisy_inputs])
def test_what_is_differentiated_is_moved_even_where_it_is_zero(how):
    """By a part of an ULP of 1: what a function does beside 0 is to show."""
    zero = jnp.zeros(3)
    assert (spread(lambda x: x * 1, zero, differentiated=(True,), how=how) > 0.01 * U).all()
    assert (spread(lambda x: x * 1, zero, differentiated=(False,), how=how) == 0).all()
