"""The exponentials: against NumPy in a wider format, on jitted code of several sizes, and at their edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.formulas.stable.exponentials import FORMATS, scaled_exp, stored_exp

WIDER = {np.float32: np.float64, np.float64: np.longdouble}
RTOL = 1e-6  # two results of the same function, compiled and not; those of the two functions differ by powers of two


def of_rows(exp):
    """The exponentials of whole rows, and that of each row's largest logit."""

    def function(s):
        m = s.max(-1)
        return exp(s, m), exp(m, m)[..., None]

    return function


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(2,), (8, 100), (1000, 1000)], ids=str)
@pytest.mark.parametrize("scale", [1e-6, 1.0, 30.0, 1e4])
def test_is_accurate_to_an_ulp_and_a_bit(scale, shape, dtype):
    random = np.random.default_rng(0)
    s = random.normal(0, scale, shape).astype(dtype)
    if scale == 1e4:  # a maximum far from zero, and differences that matter
        s = (s + np.abs(random.normal(0, 30, shape))).astype(dtype)
    with jax.enable_x64(dtype == np.float64):
        e, largest = (np.asarray(part) for part in jax.jit(of_rows(scaled_exp))(s))
    wide = s.astype(WIDER[dtype])
    difference = wide - wide.max(-1, keepdims=True)
    lost = (wide - (difference - (difference - wide))) - (wide.max(-1, keepdims=True) + (difference - wide))
    want = np.exp(difference) * (1 + lost) * largest
    normal = want > np.finfo(dtype).tiny
    # Half an ULP of the final addition, and as much again of those inside it. (1.14 is the worst of 8 million seen.)
    assert np.max(np.abs(e - want)[normal] / np.spacing(want.astype(dtype))[normal]) < 1.2
    assert np.all(e[~normal] <= np.finfo(dtype).tiny)


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("dtype", "call"),
    [(np.float32, lambda f: f), (np.float32, jax.jit), (np.float64, jax.jit)],
    ids=["eager", "jit", "float64"],
)
def test_edges(dtype, call):
    largest = np.finfo(dtype).max
    rows = np.array(
        [[0, -np.inf, -largest], [largest, -largest, 0], [-np.inf] * 3, [np.inf, 0, 0], [np.nan, 0, 0]], dtype
    )
    with jax.enable_x64(dtype == np.float64):
        e, largest = (np.asarray(part) for part in call(of_rows(scaled_exp))(jnp.asarray(rows)))
    np.testing.assert_array_equal(e[:2] / largest[:2], [[1, 0, 0], [1, 0, 0]])
    for row in e[2:]:
        assert np.isnan(row.sum())


def test_equal_differences_give_equal_bits():
    s = jnp.array([0.25, 1.5, -3.75])
    exponentials = jax.jit(of_rows(scaled_exp))
    e, _ = exponentials(s)
    for offset in (1.0, -7.0, 2.0**15):
        np.testing.assert_array_equal(exponentials(s + offset)[0], e)


@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 1e-6), ("float64", 1e-15)])
def test_the_series_may_be_differentiated_twice(dtype, rtol):
    """Each derivative of e^(s − m) is itself again: a series a term shorter would be off by 20 units in the second."""
    with jax.enable_x64(dtype == "float64"):
        s, m = jnp.linspace(-2, 0, 101, dtype=dtype), jnp.zeros((), dtype)
        once = jax.grad(lambda s: scaled_exp(s, m))
        e, twice = (jax.jit(jax.vmap(f))(s) for f in (lambda s: scaled_exp(s, m), jax.grad(once)))
    np.testing.assert_allclose(twice, e, rtol=rtol)


def test_stored_exponentials_are_the_scaled_ones_by_another_power_of_two_each_row_on_its_own():
    s = jnp.array([[0.0, 1.0, -3.0], [jnp.nan, 0.0, 1.0]])
    for call in (lambda f: f, jax.jit):
        e = call(stored_exp)(s)
        np.testing.assert_allclose(e[0], 2.0**40 * np.exp([-1.0, 0.0, -4.0]), rtol=RTOL)
        assert np.isnan(e[1]).any()


@pytest.mark.parametrize("dtype", list(FORMATS), ids=str)
def test_the_largest_exponential_is_the_unit_and_many_do_not_overflow(dtype):
    with jax.enable_x64(dtype == jnp.float64):
        m = jnp.array([-1e30, -200.0, -0.5, 0.0, 1.0, 63.9], dtype)
        unit = FORMATS[dtype].unit
        np.testing.assert_array_equal(scaled_exp(m, m), unit)
        assert np.isfinite(jnp.asarray(2.0**24 * unit, dtype))
        assert np.frexp(unit)[0] == 0.5  # a power of two: nothing is rounded
