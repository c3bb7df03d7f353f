"""Rows that are computed again: those that are marked, in blocks, with no memory of the logits' size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads as mg
from manual_grads.formulas.stable.rows import BLOCK_SIZE, with_quick, with_rows_again
from manual_grads.formulas.stable.sums import ADDS_IN_BLOCKS

RTOL = 1e-6  # some units in the last place


def assert_small_sums(logits, sum_of_others):
    """The label's entry of every function is this sum, label 0 having nearly everything."""
    labels = np.zeros(len(logits), int)
    np.testing.assert_allclose(jax.jit(mg.softmax_cross_entropy_grad)(logits, labels)[:, 0], -sum_of_others, rtol=RTOL)
    np.testing.assert_allclose(jax.jit(mg.softmax_cross_entropy)(logits, labels), sum_of_others, rtol=RTOL)
    np.testing.assert_allclose(jax.jit(mg.log_softmax)(logits)[:, 0], -sum_of_others, rtol=RTOL)


# Of 67, 16 are done at a time, and the last 16 overlap.
@pytest.mark.smoke
@pytest.mark.parametrize(("rows", "offset"), [(1, 0), (67, 0), (67, 60), (67, 90)])
def test_a_sum_that_matters_of_terms_that_underflow(rows, offset):
    """999 classes of about e^-88, each below the smallest normal number; their sum isn't. No two rows are alike."""
    logits = np.full((rows, 1000), offset - 88, np.float32) + np.arange(rows, dtype=np.float32)[:, None] / 64
    logits[:, 0] = offset + 0.25
    sum_of_others = 999 * np.exp(logits[:, 1].astype(float) - logits[:, 0])
    assert_small_sums(logits, sum_of_others)
    np.testing.assert_allclose(jax.jit(mg.softmax_jacobian)(logits[:1])[0, 0, 0], sum_of_others[0], rtol=RTOL)


def test_terms_that_underflow_beside_one_that_does_not():
    """$e^{-69}$ is 2²⁶ times the smallest normal number, and 998 times that, lost, are 2⁻¹⁶ of it."""
    logits = np.full((67, 1000), -87.7, np.float32)
    logits[:, 0], logits[:, 1] = 0.25, -69
    logits[1::2, 1] = -20  # rows in which nothing matters that is lost
    others = np.exp(logits[:, 1:].astype(float) - logits[:, :1]).sum(1)
    assert_small_sums(logits, others)


@pytest.mark.parametrize("shape", [(3,), (2, 5), (1, 67)], ids=str)
@pytest.mark.parametrize("classes", [3, 1000, BLOCK_SIZE + 1])
def test_marked_rows_are_computed_again_and_others_kept(shape, classes):
    x = jnp.asarray(np.arange(np.prod(shape) * classes).reshape(*shape, classes) % 7, jnp.float32)
    c = jnp.arange(np.prod(shape), dtype=jnp.float32).reshape(shape)
    marked = c % 3 == 1
    again = jax.jit(lambda marked: with_rows_again(lambda x, c: x.sum(-1) + c, -jnp.ones(shape), marked, x, c))
    np.testing.assert_array_equal(again(np.zeros(shape, bool)), -1)
    got = np.asarray(again(marked))
    np.testing.assert_array_equal(got[marked], (x.sum(-1) + c)[marked])
    rows = max(1, BLOCK_SIZE // classes)
    if rows == 1:
        np.testing.assert_array_equal(got[~marked], -1)


def odd_rows_only(s):
    """Its own inverse, 0, in rows that begin with an even number; said so."""
    return jnp.where(s[..., :1] % 2 == 0, 0, -s), s[..., 0] % 2 == 1


@with_quick(odd_rows_only)
def negated(s):
    return -s


def test_vmapped_rows_have_choices_of_their_own_and_derivatives_are_the_function_s():
    s = jnp.arange(2 * 64 * 64.0).reshape(2, 64, 64)
    s = s.at[0, :, 0].set(1).at[1, 5, 0].set(4)
    for f in (negated, jax.vmap(negated), jax.jit(jax.vmap(negated))):
        np.testing.assert_array_equal(f(s), -s)
    np.testing.assert_array_equal(jax.grad(lambda s: (negated(s) ** 2).sum())(s), 2 * s)
    np.testing.assert_array_equal(jax.jvp(negated, (s,), (s,))[1], -s)
    assert negated(s.astype(jnp.bfloat16)).dtype == jnp.bfloat16


@pytest.mark.skipif(not ADDS_IN_BLOCKS, reason="before, so many classes are all computed with care")
def test_what_is_hardly_ever_computed_takes_no_memory():
    """2¹⁴ exponentials at a time: 0.006 of the logits; all at once, as much as they."""
    for f in (mg.log_softmax, mg.softmax):
        logits = jax.ShapeDtypeStruct((16384, 1000), jnp.float32)
        analysis = jax.jit(f).lower(logits).compile().memory_analysis()
        assert analysis
        assert analysis.temp_size_in_bytes < 0.05 * 4 * logits.size, f
