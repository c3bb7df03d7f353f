"""Rows reduced in groups: the same as one term after the other, for every number of terms that can be divided."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.formulas.stable.reductions import MAX_GROUP, MAX_LAST, is_divided, reduce_rows, widths


def sum_and_last_largest(a, b):
    """Of what two sets of terms are, the sum; the largest, and the number of the last that is as large."""
    (sum_a, largest_a, i_a), (sum_b, largest_b, i_b) = a, b
    return sum_a + sum_b, jnp.maximum(largest_a, largest_b), jnp.where(largest_a > largest_b, i_a, i_b)


@pytest.mark.smoke
def test_the_widths_multiply_to_the_terms_and_are_few():
    for terms in range(1, 2000):
        found = widths(terms)
        prime = max((p for p in range(2, terms + 1) if terms % p == 0 and all(p % q for q in range(2, p))), default=1)
        if found is None:
            assert prime > MAX_GROUP
        else:
            *groups, last = found
            assert np.prod(found) == terms
            assert last <= (MAX_LAST if prime > MAX_GROUP else MAX_GROUP)
            assert all(1 < width <= MAX_GROUP for width in groups)
        assert is_divided(terms) == (prime <= MAX_GROUP)  # of 13 at a time, each addition may lose half an ULP
    assert widths(1000) == [8, 5, 5, 5]
    assert widths(26) == [2, 13]
    assert widths(16) == [8, 2]
    assert widths(17) is widths(34) is None


@pytest.mark.parametrize("shape", [(1,), (3, 4), (2, 16), (5, 24), (2, 3, 50), (7, 1000)], ids=str)
def test_rows_are_reduced_in_order(shape):
    """Whole numbers, of which every sum is exact, and of which some are equal."""
    x = np.random.default_rng(0).integers(-9, 9, shape).astype(np.float32)
    numbers = np.broadcast_to(np.arange(shape[-1], dtype=np.int32), shape)
    found = jax.jit(lambda *rows: reduce_rows(sum_and_last_largest, (0, -np.inf, -1), *rows))(x, x, numbers)
    last = shape[-1] - 1 - x[..., ::-1].argmax(-1)
    for got, want in zip(found, (x.sum(-1), x.max(-1), last), strict=True):
        np.testing.assert_array_equal(got, want)
        assert got.shape == shape[:-1]


def test_what_cannot_be_divided_is_refused():
    with pytest.raises(AssertionError, match="34 terms can't be divided: `widths` tells"):
        reduce_rows(sum_and_last_largest, (0, 0, 0), *3 * [jnp.ones((2, 34))])
