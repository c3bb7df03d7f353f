"""Which oracles a claim has, and what is known of them before anything is compiled."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking.claim import as_claim
from manual_grads.checking.truth.compiled import (
    MAX_DIFFERENCED,
    MAX_POINTS_DIFFERENCED,
    compiled_oracles,
    differenced_at_once,
)
from manual_grads.rules import jvp, vjp

X = np.array([0.5, 2.0])


@jax.custom_jvp
def ruled(x):
    return (x**2).sum()


ruled.defjvp(lambda x, t: (ruled(*x), 2.0 * (x[0] @ t[0])))


@jax.custom_vjp
def opaque(x):
    return (x**2).sum()


opaque.defvjp(lambda x: (opaque(x), x), lambda x, c: (2 * c * x,))


def oracles_of(forward, by=jax.grad, args=(X,), thorough=False):
    claim, example = as_claim(forward, by(forward), args, by)
    return compiled_oracles(claim, example, 2.0**-23, thorough)


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("forward", "own_rules"),
    [
        (lambda x: (x**2).sum(), False),
        (ruled, True),
        (opaque, True),
        # A stop_gradient says that the slope isn't meant.
        (lambda x: ruled(x - jax.lax.stop_gradient(x.max())), False),
    ],
)
def test_a_forward_has_rules_of_its_own(forward, own_rules):
    assert oracles_of(forward).own_rules == own_rules


@pytest.mark.parametrize(
    ("by", "args", "mode", "other"),
    [
        (jax.grad, (X,), "reverse", "forward"),
        (partial(jax.grad, argnums=0), (X,), "reverse", "forward"),
        (jax.jacobian, (X,), "reverse", "forward"),
        (jax.jacfwd, (X,), "forward", "reverse"),
        (partial(jax.jacfwd, argnums=0), (X,), "forward", "reverse"),
        (jvp, (X, X), "forward", "reverse"),
        (vjp, (X, np.float64(1)), "reverse", "forward"),
    ],
)
def test_the_mode_that_the_claim_itself_uses_and_the_other(by, args, mode, other):
    oracles = oracles_of(lambda x: (x**2).sum(), by, args, thorough=True)
    assert (oracles.claimed_mode, list(oracles.modes)) == (mode, [other])
    assert oracles.stepped is not None
    assert oracles.directed is None
    assert not oracles.notes


def test_a_quick_check_has_one_oracle_and_allows_for_what_it_does_not_measure():
    quick, thorough = (oracles_of(ruled, thorough=t) for t in (False, True))
    assert (quick.modes, quick.directed) == ({}, None)
    assert quick.in_doubt_alone and quick.stepped not in [function for function, _ in quick.jobs([X[None]])]
    assert (quick.safety, thorough.safety) == (64, 8)
    assert (quick.unmeasured, thorough.unmeasured) == (1e-10, 0)


def test_what_is_not_to_be_had_is_said():
    oracles = oracles_of(opaque, thorough=True)
    assert oracles.modes == {}
    assert oracles.notes == ["forward mode: not to be had (as forward mode of a custom_vjp)"]
    assert oracles.stepped is not None


@pytest.mark.parametrize(("entries", "each"), [(MAX_DIFFERENCED, True), (MAX_DIFFERENCED + 1, False)])
def test_of_too_many_entries_some_directions_are_differenced(entries, each):
    oracles = oracles_of(lambda x: (x**2).sum(), args=(np.ones(entries),), thorough=True)
    assert (oracles.stepped is not None, oracles.directed is not None) == (each, not each)
    assert bool(oracles.notes) != each


def test_in_float32_differences_are_too_coarse():
    oracles = oracles_of(lambda x: (x**2).sum(), thorough=True).in_float32()
    assert (oracles.stepped, oracles.directed, oracles.format_name) == (None, None, "float32")
    assert {f.format_name for f in (oracles.claimed, oracles.manual, oracles.value, oracles.modes["forward"])} == {
        "float32"
    }
    assert oracles.value(X[None]).dtype == np.float32


def test_so_many_points_are_differenced_at_once():
    points = np.ones((100, 1))
    assert differenced_at_once([points]) == MAX_POINTS_DIFFERENCED
    assert differenced_at_once([points[:7]]) == 7
    assert differenced_at_once([np.ones((100, 1900)), points]) == 4
    assert differenced_at_once([np.ones((100, 150)), np.ones((100, 50))]) == 10


@pytest.mark.smoke
def test_each_oracle_is_right_and_noise_moves_it():
    oracles = oracles_of(lambda x: jnp.sin(x).sum(), thorough=True)
    points, want = np.stack([X, -X]), np.cos(np.stack([X, -X]))
    assert oracles.stepped is not None
    for found in (oracles.modes["forward"](points), oracles.stepped(0.001, points)):
        np.testing.assert_allclose(found, want, rtol=1e-9)
    noise = np.array([[0.0] * 50, [1.0] * 50])
    under = np.asarray(oracles.claimed(1e-3, noise, points))
    assert under.shape == (2, 2, 2)
    np.testing.assert_allclose(under[:, 0], want, rtol=1e-12)
    assert (np.abs(under[:, 1] - want) > 1e-4).all()
    # The manual gradient is run at exact inputs: only its roundings are noisy.
    by_hand = np.asarray(oracles.manual(1e-3, noise, points))
    assert (np.abs(by_hand[:, 1] - want) > 1e-4).all()
