"""The unit bounds: measured anew on this platform, against a reference that balls certify."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.accuracy import sweep, units
from manual_grads.accuracy.unit_bounds import UNIT_BOUNDS, Unit

EACH = pytest.mark.parametrize(("name", "dtype"), UNIT_BOUNDS)
EXTENDED = pytest.mark.skipif(not units.is_extended(), reason="NumPy has no format that is wider than float64 here")
QUICK_COUNT = 2**20


def assert_within(name, found, dtype):
    allowed = UNIT_BOUNDS[name, dtype]
    within = found.ulp <= allowed.ulp and found.relative <= allowed.relative
    assert within, (
        f"assumption broken: {name} in {dtype} is off by {found.ulp} ULP, {found.relative} u at {found.at}; "
        f"{allowed.ulp} and {allowed.relative} were assumed by all bounds of accuracy/bounds.py that name it"
    )


def test_every_function_is_measured_in_both_formats():
    assert set(UNIT_BOUNDS) == {(name, dtype) for name in units.FUNCTIONS for dtype in ("float32", "float64")}


@pytest.mark.smoke
@EXTENDED
@EACH
def test_many_numbers(name, dtype):
    assert_within(name, units.measure(name, sweep.spread(np.dtype(dtype), QUICK_COUNT, seed=7)), dtype)


@pytest.mark.slow
@pytest.mark.parametrize("name", units.FUNCTIONS)
def test_every_number_of_float32(name):
    """All 2³² but those outside the domain: minutes each."""
    assert_within(name, units.measure(name, sweep.every(np.dtype("float32"))), "float32")


@EXTENDED
@EACH
def test_the_reference_is_certified_by_balls(name, dtype):
    assert units.certify(name, np.dtype(dtype), count=2**10, seed=1) <= units.MAX_REFERENCE_ERROR


def test_a_wrong_reference_is_refused(monkeypatch):
    right = units.FUNCTIONS["log1p"]
    wrong = right._replace(reference=lambda z: np.log1p(z) * (1 + 2.0**-30))
    monkeypatch.setitem(units.FUNCTIONS, "log1p", wrong)
    with pytest.raises(AssertionError, match="the reference for log1p is wrong by"):
        units.certify("log1p", np.dtype("float32"))


def test_a_worse_function_is_found(monkeypatch):
    off = units.FUNCTIONS["exp"]._replace(compiled=lambda z: jnp.exp(z) * (1 + 2.0**-21 * (z > 3) * (z < 3.1)))
    monkeypatch.setitem(units.FUNCTIONS, "exp", off)
    found = units.measure("exp, not near overflow", sweep.spread(np.dtype("float32"), 2**16))
    assert found.relative < 2
    found = units.measure("exp", sweep.spread(np.dtype("float32"), 2**16))
    assert found.relative > 7
    assert 3 < found.at < 3.1


def test_errors_are_in_ulp_of_the_value_and_in_u():
    z = np.array([1.0, 2.0], np.float32)
    value = np.array([1.5, 1.25])
    got = np.array([1.5 + 3 * 2.0**-23, 1.25], np.float32)
    assert units.largest_errors(got, value, z) == Unit(3.0, 4.0, 1.0)
    assert units.largest_errors(value.astype(np.float32), value, z) == units.RIGHTLY_ROUNDED


def test_an_infinity_for_a_finite_value_is_an_error():
    got, value = np.array([np.inf], np.float32), np.array([2.0**100])
    assert units.largest_errors(got, value, got).ulp == np.inf


@pytest.mark.smoke
def test_division_is_rounded_right():
    """The quotient of two float32 in float64, rounded again, is the quotient rounded once."""
    a, b = (np.random.default_rng(seed).integers(2**31, size=2**16, dtype=np.int32).view(np.float32) for seed in (0, 1))
    with np.errstate(all="ignore"):
        true = a.astype(np.float64) / b.astype(np.float64)
        tiny, largest = (float(x) for x in (np.finfo(np.float32).smallest_normal, np.finfo(np.float32).max))
        usual = (abs(true) >= tiny) & (abs(true) <= largest) & (abs(a) >= tiny) & (abs(b) >= tiny)
        got = np.asarray(jax.jit(lambda a, b: a / b)(a, b))
        assert np.array_equal(got[usual], true[usual].astype(np.float32))
