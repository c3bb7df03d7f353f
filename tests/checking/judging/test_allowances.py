"""What a formula's own rounding is allowed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking import check_gradient
from manual_grads.checking.judging.allowances import lost_digits, with_formula_allowance, with_own_spread
from manual_grads.checking.trials.calls import Outcome
from manual_grads.checking.truth.evaluated import MAGNIFICATION
from manual_grads.checking.truth.primitives import coarsest_eps
from tests.checking.records import U, call_of, claim_of, expected_of, leaf_of, oracles_of, trial_of

POINTS = [np.ones((4, 2))]


@pytest.mark.smoke
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


def allowed(moved=0.0, name="float32", manual=lambda x: 2 * x, asked=None, **oracles):
    """What is expected, with the formula's allowance: each of its entries is moved so far by noise of size 1."""

    def under_noise(u, noise, x):
        if asked is not None:
            asked.append(u)
        # The first number of the largest pattern is taken to be 1.
        patterns = moved * u * noise[:, 0] / np.max(np.abs(noise[:, 0]))
        return 1 + patterns[None, :, None] * np.ones((len(x), 1, 2))

    right = expected_of(leaf_of(np.ones((4, 2)), allowance=np.full((4, 2), 4 * U)))
    made = oracles_of(None, **({"manual": under_noise, "example_eps": 2 * U} | oracles))
    return with_formula_allowance(claim_of(manual), made, right, trial_of(POINTS, name=name))


@pytest.mark.smoke
def test_a_formula_s_own_rounding_is_allowed():
    right = allowed(moved=3.0)
    assert right.for_formula
    np.testing.assert_allclose(right.leaves[0].allowance, (4 + 8 * 3) * U)


def test_noise_is_magnified_where_it_would_be_rounded_off():
    asked = []
    allowed(moved=3.0, asked=asked)
    allowed(moved=3.0, name="float64", asked=asked)
    assert asked == [U, MAGNIFICATION * 2.0**-53]


@pytest.mark.parametrize(("moved", "is_allowed"), [(9e2, True), (2e3, False)])
def test_a_formula_that_rounding_undoes_is_allowed_nothing(moved, is_allowed):
    right = allowed(moved=moved)  # eight times that is above 10⁴, or below
    assert bool((right.leaves[0].allowance > 5 * U).all()) == is_allowed
    assert right.for_formula


def test_a_formula_that_cannot_be_run_with_noise_is_allowed_nothing():
    def without_jaxpr(x):
        raise TypeError("no tracers here")

    right = allowed(moved=3.0, manual=without_jaxpr)
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
    right = allowed(name="float64", manual=manual, asked=asked, moved=1.0, example_eps=example_eps)
    assert asked == [MAGNIFICATION * u]
    coarse = 8 * u if u > 2.0**-53 else 0.0  # of the result's size, for what isn't noise
    np.testing.assert_allclose(right.leaves[0].allowance, 4 * U + 8 * u + coarse)


def test_what_cannot_be_looked_into_is_allowed_eight_times_what_an_ulp_of_its_inputs_does():
    trial = trial_of([np.ones((4, 2))], [call_of(lambda x: 3 * x, 4)])
    right = with_own_spread(expected_of(leaf_of(np.ones((4, 2)), allowance=np.zeros((4, 2)))), trial)
    most = 8 * 3 * 2.0**-52
    assert (right.leaves[0].allowance <= 1.5 * most).all()  # rounded to an ULP of 3, which is 2ε
    assert (right.leaves[0].allowance >= 0.4 * most).all()  # the largest of ten numbers of up to an ULP


@pytest.mark.parametrize(("thousands", "said"), [(1, False), (8, True)])
def test_digits_that_a_formula_loses_are_told(thousands, said):
    off = np.zeros((4, 2))
    off[2, 1] = thousands * 1000 * 2 * U
    strict = expected_of(leaf_of(np.ones((4, 2)), allowance=np.full((4, 2), 4 * U)))
    outcome = Outcome("jit of vmap", "call", np.arange(4), [1 + off])
    notes = lost_digits(outcome, strict, trial_of(POINTS, name="float32"))
    assert bool(notes) == said
    if said:
        assert "loses digits at 1 point (point 2), up to 8e+03 ULP" in notes[0]


def test_digits_that_are_lost_are_told_in_the_report():
    def relative_growth(x):
        return jnp.where(x == 0, 0, ((x - 1) * jnp.exp(x) + 1) / jnp.where(x == 0, 1, x) ** 2)

    def forward(x):
        return jnp.where(x == 0, 1, jnp.expm1(x) / jnp.where(x == 0, 1, x))

    report = check_gradient(forward, relative_growth, (np.float32(0.7),), thorough=False, scales=(0.01, 1.0))
    assert any("the manual formula loses digits at" in note for note in report.notes)
