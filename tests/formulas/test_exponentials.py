"""`scaled_exp`: against NumPy in a wider format, on jitted code of several sizes, and at its edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.formulas.exponentials import scaled_exp

WIDER = {np.float32: np.float64, np.float64: np.longdouble}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(2,), (100,), (8, 100), (1000, 1000)], ids=str)
@pytest.mark.parametrize("scale", [1e-6, 1.0, 30.0, 1e4])
def test_is_accurate_to_an_ulp_and_a_bit(scale, shape, dtype):
    random = np.random.default_rng(0)
    s = random.normal(0, scale, shape).astype(dtype)
    if scale == 1e4:  # a maximum far from zero, and differences that matter
        s = (s + np.abs(random.normal(0, 30, shape))).astype(dtype)
    with jax.enable_x64(dtype == np.float64):
        e, unit = (np.asarray(part) for part in jax.jit(scaled_exp)(s))
    wide = s.astype(WIDER[dtype])
    difference = wide - wide.max(-1, keepdims=True)
    lost = (wide - (difference - (difference - wide))) - (wide.max(-1, keepdims=True) + (difference - wide))
    want = np.exp(difference) * (1 + lost) * unit
    normal = want > np.finfo(dtype).tiny
    # Half an ULP of the final addition, and as much again of those inside it. (1.14 is the worst of 8 million seen.)
    assert np.max(np.abs(e - want)[normal] / np.spacing(want.astype(dtype))[normal]) < 1.2
    assert np.all(e[~normal] <= np.finfo(dtype).tiny)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("call", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_edges(call, dtype):
    largest = np.finfo(dtype).max
    rows = np.array(
        [[0, -np.inf, -largest], [largest, -largest, 0], [-np.inf] * 3, [np.inf, 0, 0], [np.nan, 0, 0]], dtype
    )
    with jax.enable_x64(dtype == np.float64):
        e, unit = (np.asarray(part) for part in call(scaled_exp)(jnp.asarray(rows)))
    np.testing.assert_array_equal(e[:2] / unit, [[1, 0, 0], [1, 0, 0]])
    for row in e[2:]:
        assert np.isnan(row.sum())


def test_equal_differences_give_equal_bits():
    s = jnp.array([0.25, 1.5, -3.75])
    e, _ = scaled_exp(s)
    for offset in (1.0, -7.0, 2.0**15):
        np.testing.assert_array_equal(scaled_exp(s + offset)[0], e)
