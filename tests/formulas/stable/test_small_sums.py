"""Sums of terms that underflow one by one: their digits, in some rows of many, and no memory of the logits' size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads as mg
from manual_grads.formulas.stable.small_sums import BLOCK_SIZE, in_blocks

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


def test_the_sums_that_are_hardly_ever_computed_again_take_no_memory():
    """In blocks, 2¹⁴ exponentials at a time: 0.006 of the logits; all at once, as much as they."""
    logits = jax.ShapeDtypeStruct((16384, 1000), jnp.float32)
    analysis = jax.jit(mg.log_softmax).lower(logits).compile().memory_analysis()
    assert analysis
    assert analysis.temp_size_in_bytes < 0.05 * 4 * logits.size


@pytest.mark.parametrize("shape", [(), (3,), (2, 5)], ids=str)
@pytest.mark.parametrize("classes", [3, BLOCK_SIZE // 2, BLOCK_SIZE + 1])
def test_in_blocks_is_the_function(shape, classes):
    x, c = np.arange(np.prod(shape) * classes).reshape(*shape, classes) % 7.0, np.arange(np.prod(shape)).reshape(shape)
    got = in_blocks(lambda x, c: x.sum(-1) + c, jnp.float32(x), jnp.float32(c), batch=len(shape))
    np.testing.assert_array_equal(got, x.sum(-1) + c)
