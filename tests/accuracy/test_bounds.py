"""The derived bounds: sums of named terms, that hold; and what each of them is made of is felt if it changes."""

import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.accuracy import bounds, inputs, promises, survey
from manual_grads.accuracy.promises import PROMISES
from manual_grads.accuracy.unit_bounds import UNIT_BOUNDS, Unit
from manual_grads.formulas.stable.softmax import MAX_COMPENSATED
from manual_grads.rules import RULES

NAMES = [*bounds.OF_NUMBERS, *bounds.OF_ROWS]
MANY, SOME = 100_000, 1000


def test_every_bound_in_ulp_of_the_value_is_derived():
    assert set(NAMES) == {name for name, promise in PROMISES.items() if promise.ulp is not None}


@pytest.mark.parametrize("name", NAMES)
def test_a_bound_is_the_sum_of_its_named_terms(name):
    terms = bounds.derivation(name, "float32", 10)
    assert all(term.name and term.size >= 0 for term in terms)
    assert bounds.derived(name, "float32", 10) == pytest.approx(sum(term.size for term in terms), abs=2e-3)


@pytest.mark.smoke
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", NAMES)
def test_in_16_bits_every_promise_is_derived(name, dtype):
    """Up to a thousand classes; of a hundred thousand, XLA's sum of many rows may be off by 100 u."""
    assert 0.5 <= bounds.derived(name, dtype, SOME) <= 0.5 + promises.DOUBLE_ROUNDING


@pytest.mark.parametrize(
    ("unit", "name", "dtype"),
    [
        ("exp, not near overflow", "sigmoid", "float32"),
        ("exp, not near overflow", "sigmoid_grad", "float64"),
        ("exp, not near overflow", "softmax", "float32"),
        ("exp, not near overflow", "softmax", "float64"),
        ("scaled exp", "softmax_jacobian", "float64"),
        ("exp, not near overflow", "softmax_cross_entropy_grad", "float64"),
        ("log", "logloss", "float32"),
        ("log", "log_softmax", "float64"),
        ("log1p, from 0", "softmax_cross_entropy", "float32"),
    ],
)
def test_a_worse_unit_makes_a_worse_bound(unit, name, dtype, monkeypatch):
    before = bounds.derived(name, dtype, 10)
    worse = UNIT_BOUNDS[unit, dtype]
    monkeypatch.setitem(UNIT_BOUNDS, (unit, dtype), Unit(worse.ulp + 1, worse.relative + 1))
    assert bounds.derived(name, dtype, 10) > before + 0.2


@pytest.mark.parametrize("name", bounds.OF_ROWS)
def test_a_deeper_sum_makes_a_worse_bound(name, monkeypatch):
    before = bounds.derived(name, "float32", 100)
    monkeypatch.setattr(bounds, "in_blocks", lambda terms: terms + 5)
    assert bounds.derived(name, "float32", 100) > before + 5


E, A, L = 3.0, 11.0, 2.0  # u of an exponential, of a sum, and of the largest exponential
LOG, LOG1P = (bounds.unit(name, "float32") for name in ("log", "log1p, from 0"))
BY_HAND = {
    "softmax": 2 * E + A + 0.5,
    "log_softmax": max(LOG + (E / 2 + A + L + 1) / np.log(2), LOG1P + E + A + L + 1) + 0.5,
    "softmax_cross_entropy_grad": 2 * E + A + 1.5,
    "softmax_jacobian": max(4 * E + 2 * A, 2 * E + 3 * A) + 3.5,
    "softmax_cross_entropy_hessian": max(4 * E + 2 * A, 2 * E + 3 * A) + 3.5 + A + 1,
}


@pytest.mark.smoke
@pytest.mark.parametrize("name", BY_HAND)
def test_a_bound_by_hand(name):
    form = bounds.Form("any", [bounds.Term("e", E)], L, lambda terms: A, lambda terms: A)
    assert bounds.size(bounds.OF_ROWS[name](form, "float32", 100)) == pytest.approx(BY_HAND[name], rel=1e-12)


def test_the_sums_of_a_small_matrix_are_compensated():
    small, large = (bounds.derived("softmax_jacobian", "float32", MAX_COMPENSATED + more) for more in (0, 1))
    assert small == bounds.derived("softmax_jacobian", "float32", 3)
    assert large > small + 10


def test_the_bound_of_the_softmax_by_hand():
    """Two exponentials, nine additions, and half an ULP for the division."""
    e = UNIT_BOUNDS["exp, not near overflow", "float64"].relative
    assert bounds.derived("softmax", "float64", 10) == pytest.approx(2 * e + 9 + 0.5, abs=1e-5)


@pytest.mark.smoke
def test_the_share_of_a_sum_that_the_sigmoid_s_derivative_assumes():
    """Its terms are the largest that they are for any e from 0 to 1."""
    (e_term, inside, *_) = bounds.sigmoid_grad("float32")
    error = UNIT_BOUNDS["exp, not near overflow", "float32"].relative
    e = np.linspace(0, 1, 10_001)
    largest = (error * (1 - e) / (1 + e) + 2 * e * (2 + e) / (1 + e) ** 2).max()
    assert e_term.size + inside.size == pytest.approx(largest, abs=1e-5)


def test_the_loss_of_another_class_is_bounded_wherever_it_is():
    """At random δ = m − s_i and T: no error of its terms is more than what is assumed to be the worst."""
    form = bounds.forms("float32")[0]
    bound = bounds.size(bounds.loss_of_another(form, "float32", 10))
    log1p = UNIT_BOUNDS["log1p, from 0", "float32"].relative
    random = np.random.default_rng(0)
    delta, more = random.exponential(1, 10**5), random.uniform(0, 8, 10**5)
    e_i = np.exp(-delta)
    x = e_i + more
    value = delta + np.log1p(x)
    errors = bounds.size(form.exponential) * x + form.additions(10) * (1 + more) + (1 - e_i) + x
    total = errors / ((1 + x) * value) + (delta + log1p * np.log1p(x)) / value + 0.5
    assert total.max() <= bound + 0.05  # between the points of its grid


def test_an_error_above_the_derived_bound_fails(monkeypatch):
    rule, dtype = RULES["logloss_grad"], jnp.dtype("float32")
    by = survey.known(rule, dtype, inputs.cases(rule, dtype, 3))
    got = {"by hand": survey.run(rule.manual, dtype, by.cases.args)}
    assert survey.measured(rule, "float32", [(got, by)]).passed
    monkeypatch.setattr(bounds, "LAST_ROUNDING", 0.1)
    assert not survey.measured(rule, "float32", [(got, by)]).passed
