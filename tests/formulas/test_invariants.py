"""What holds of the derivatives whatever the logits, saturated ones included; on jitted code."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import manual_grads as mg

U = 2.0**-24  # half an ULP of 1 in float32
TINY = float(np.finfo(np.float32).tiny)  # below it, XLA on CPU flushes to zero

SIZES = st.sampled_from([1, 2, 3, 7])
logits = SIZES.flatmap(lambda n: hnp.arrays(np.float32, n, elements=st.floats(-100, 100, width=32)))
pairs = SIZES.flatmap(
    lambda n: st.tuples(*[hnp.arrays(np.float32, n, elements=st.floats(-100, 100, width=32)) for _ in range(3)])
)

softmax, jacobian = jax.jit(mg.softmax), jax.jit(mg.softmax_jacobian)
jvp, vjp, gradient = jax.jit(mg.softmax_jvp), jax.jit(mg.softmax_vjp), jax.jit(mg.softmax_cross_entropy_grad)
many = settings(max_examples=200, deadline=None)


@many
@given(logits)
def test_probabilities_sum_to_one(s):
    # Each is right to 6 ULP, which is 12 u of its own size.
    assert abs(np.sum(softmax(s), dtype=float) - 1) <= 12 * U


@many
@given(logits)
def test_jacobian_is_symmetric_and_its_rows_and_columns_sum_to_zero(s):
    J = np.asarray(jacobian(s), float)
    np.testing.assert_array_equal(J, J.T)
    # Each entry is right to 12 ULP; the entries of a row cancel but for that.
    assert np.all(np.abs(J.sum(0)) <= 24 * U * np.abs(J).sum(0) + len(s) * TINY)


@many
@given(logits)
def test_jacobian_is_positive_semidefinite(s):
    J = np.asarray(jacobian(s), float)
    assert np.linalg.eigvalsh(J).min() >= -24 * U * np.abs(J).sum()


@many
@given(logits, st.sampled_from([-64.0, 1.0, 32.0, 2.0**10]))
def test_shift_invariance_is_exact(s, c):
    s = np.round(s * 64) / np.float32(64)  # so that s + c is exact
    np.testing.assert_array_equal(softmax(s + np.float32(c)), softmax(s))
    np.testing.assert_array_equal(jacobian(s + np.float32(c)), jacobian(s))


@pytest.mark.smoke
@many
@given(pairs)
def test_jvp_and_vjp_are_adjoint(arrays):
    s, u, v = arrays
    left = np.asarray(jvp(s, u), float) @ v
    right = np.asarray(vjp(s, v), float) @ u
    g = np.asarray(softmax(s), float)
    # The sums' terms, with absolute values: g_k |v_k| (|u_k| + Σ g_l |u_l|).
    size = g @ (np.abs(v) * np.abs(u)) + (g @ np.abs(v)) * (g @ np.abs(u))
    # A flushed entry counts times |u_k| or |v_k| and what it was multiplied by, at most 100 each.
    assert abs(left - right) <= 64 * U * size + len(s) * 1e4 * TINY


@many
@given(logits, st.randoms(use_true_random=False))
def test_permuting_the_logits_permutes_the_results(s, random):
    order = np.array(random.sample(range(len(s)), len(s)))
    # The sum is taken in another order, which may round otherwise. Both results are within the bounds of 6 and 12 ULP,
    # so that their difference could be twice what is allowed here.
    np.testing.assert_allclose(softmax(s[order]), np.asarray(softmax(s))[order], rtol=12 * U, atol=TINY)
    np.testing.assert_allclose(jacobian(s[order]), np.asarray(jacobian(s))[order][:, order], rtol=24 * U, atol=TINY)


@many
@given(logits, st.integers(0, 6))
def test_cross_entropy_s_gradient_sums_to_zero_even_when_saturated(s, label):
    label = label % len(s)
    for y in (label, np.float32(np.arange(len(s)) == label)):
        got = np.asarray(gradient(s, y), float)
        assert abs(got.sum()) <= 12 * U * np.abs(got).max() + len(s) * TINY


@pytest.mark.smoke
@many
@given(hnp.arrays(np.float32, 100, elements=st.floats(width=32, allow_nan=False)))
def test_sigmoid_s_derivative_is_even_bit_for_bit(z):
    for f in (mg.sigmoid_grad, jax.jit(mg.sigmoid_grad)):
        np.testing.assert_array_equal(f(z), f(-z))


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64])
def test_the_known_failure_of_autodiff(dtype):
    """At [40, 0], and in float16 at [9, 0], `jax.grad` gives 0 for the label and not for the other class."""
    with jax.enable_x64(dtype == jnp.float64):
        got = np.asarray(gradient(jnp.array([9.0 if dtype == jnp.float16 else 40.0, 0.0], dtype), 0), float)
    assert got[0] == -got[1] < 0
