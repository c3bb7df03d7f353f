"""What can be asked of a format, and what a formula's own rounding is allowed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking.judging.allowances import (
    coarsest_eps,
    depends_on_x64,
    with_formula_allowance,
    within_format,
)
from manual_grads.checking.trials.calls import Outcome
from manual_grads.checking.truth.expected import MAGNIFICATION
from tests.checking.records import U, claim_of, expected_of, leaf_of, oracles_of, trial_of

POINTS = [np.ones((4, 2))]


@pytest.mark.parametrize(
    ("f", "eps"),
    [
        (lambda x: x * 2, 0.0),
        (lambda x: x.astype(jnp.float32).astype(x.dtype), 2.0**-23),
        (jax.jit(lambda x: x.astype(jnp.bfloat16)), 2.0**-7),
    ],
)
def test_the_coarsest_format_that_a_function_converts_to(f, eps):
    with jax.enable_x64(True):
        assert coarsest_eps(f, jnp.ones(3)) == eps


@pytest.mark.parametrize(
    ("name", "off", "another"),
    [("float32", 0.04, False), ("float32", 0.06, True), ("bfloat16", 0.2, False), ("bfloat16", 0.3, True)],
)
def test_a_value_that_changes_much_where_float64_is_enabled_is_another_function_s(name, off, another):
    trial = trial_of(POINTS, name="float32")
    trial = trial._replace(format=trial.format._replace(name=name))
    right = expected_of(leaf_of(np.ones((4, 2))))
    assert depends_on_x64([np.full(4, 1 + off)], right, trial) == another
    # It is usual points that tell, and those where the forward is finite.
    assert not depends_on_x64([np.full(4, 9.0)], right, trial._replace(usual=np.zeros(4, bool)))
    assert not depends_on_x64([np.full(4, 9.0)], right._replace(inside=np.zeros(4, bool)), trial)
    one = np.arange(4) == 0
    assert depends_on_x64([np.where(one, 9.0, 1.0)], right, trial._replace(usual=one))


def test_where_the_forward_itself_keeps_less_than_half_its_digits_nothing_is_judged():
    trial = trial_of(POINTS, name="float32")
    half = 2.0**-11.5
    right = expected_of(leaf_of(np.ones((4, 2))), value=[np.array([1.0, 1.0, 1e-3, 1e3])])
    values = [np.array([1 + 0.9 * half, np.inf, 1e-3 + 0.9 * half, 1e3 * (1 + 1.1 * half)])]
    found = within_format(values, right, trial)
    np.testing.assert_array_equal(found.inside, [True, False, True, False])
    np.testing.assert_array_equal(found.leaves[0].decided, [[True] * 2, [False] * 2, [True] * 2, [False] * 2])


def test_a_value_that_underflows_keeps_its_digits():
    trial = trial_of(POINTS, name="float32")
    right = expected_of(leaf_of(np.ones((4, 2))), value=[np.full(4, 1e-39)])
    assert within_format([np.zeros(4)], right, trial).inside.all()


def allowed(got, moved=0.0, name="float32", manual=lambda x: 2 * x, right=None, asked=None, **oracles):
    """What is expected, with the formula's allowance: each of its entries is moved so far by noise of size 1."""

    def under_noise(u, noise, x):
        if asked is not None:
            asked.append(u)
        # The first number of the largest pattern is taken to be 1.
        patterns = moved * u * noise[:, 0] / np.max(np.abs(noise[:, 0]))
        return 1 + patterns[None, :, None] * np.ones((len(x), 1, 2))

    right = right or expected_of(leaf_of(np.ones((4, 2)), allowance=np.full((4, 2), 4 * U)))
    outcome = Outcome("jit of vmap", "call", np.arange(4), [np.asarray(got)])
    made = oracles_of(None, **({"manual": under_noise, "example_eps": 2 * U} | oracles))
    return with_formula_allowance(claim_of(manual), made, right, trial_of(POINTS, name=name), [outcome])


OFF = np.full((4, 2), 1 + 6 * U)


def test_a_formula_s_own_rounding_is_allowed_if_it_is_needed():
    right = allowed(OFF, moved=3.0)
    assert right.for_formula
    np.testing.assert_allclose(right.leaves[0].allowance, (4 + 8 * 3) * U)
    # Not where all is well without it, nor a second time.
    assert not allowed(np.ones((4, 2)), moved=3.0).for_formula
    again = allowed(OFF, moved=3.0, right=right._replace(leaves=[leaf_of(np.ones((4, 2)), allowance=OFF * 0 + U)]))
    np.testing.assert_allclose(again.leaves[0].allowance, U)


def test_noise_is_magnified_where_it_would_be_rounded_off():
    asked = []
    allowed(OFF, moved=3.0, asked=asked)
    allowed(OFF, moved=3.0, name="float64", asked=asked)
    assert asked == [U, MAGNIFICATION * 2.0**-53]


@pytest.mark.parametrize(("moved", "is_allowed"), [(9e2, True), (2e3, False)])
def test_a_formula_that_rounding_undoes_is_allowed_nothing(moved, is_allowed):
    right = allowed(OFF, moved=moved)  # eight times that is above 10⁴, or below
    assert bool((right.leaves[0].allowance > 5 * U).all()) == is_allowed
    assert right.for_formula


def test_a_formula_that_cannot_be_run_with_noise_is_allowed_nothing():
    def without_jaxpr(x):
        raise TypeError("no tracers here")

    right = allowed(OFF, moved=3.0, manual=without_jaxpr)
    assert not right.for_formula
    np.testing.assert_allclose(right.leaves[0].allowance, 4 * U)


def in_float32(x):
    return (2 * x.astype(jnp.float32)).astype(x.dtype)


def in_bfloat16(x):
    return (2 * x.astype(jnp.bfloat16)).astype(x.dtype)


@pytest.mark.parametrize(
    ("manual", "example_eps", "u"),
    [
        (in_float32, 2.0**-7, 2.0**-24),  # by an example of bfloat16, float32 is as good as asked for
        (in_float32, 2.0**-52, 2.0**-53),  # by one of float64 it isn't
        (in_bfloat16, 2.0**-23, 2.0**-24),  # bfloat16 is less than float32
    ],
)
def test_a_formula_may_be_as_coarse_as_the_example(manual, example_eps, u):
    asked = []
    right = allowed(OFF, name="float64", manual=manual, asked=asked, moved=1.0, example_eps=example_eps)
    assert asked == [MAGNIFICATION * u]
    coarse = 8 * u if u > 2.0**-53 else 0.0  # of the result's size, for what isn't noise
    np.testing.assert_allclose(right.leaves[0].allowance, 4 * U + 8 * u + coarse)
