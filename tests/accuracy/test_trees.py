"""The tree of a sum, found out from its results: of sums whose tree is known, and of those that the bounds count."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.accuracy import bounds, trees
from manual_grads.formulas.stable import row_sums, sums
from manual_grads.formulas.stable.reductions import added, reduce_rows, widths


def one_after_the_other(x):
    total = x[..., 0]
    for i in range(1, x.shape[-1]):
        total = total + x[..., i]
    return total


def in_halves(x):
    while (n := x.shape[-1]) > 1:
        x = jnp.concatenate([x[..., : n // 2] + x[..., n // 2 : n // 2 * 2], x[..., n // 2 * 2 :]], -1)
    return x[..., 0]


@pytest.mark.smoke
def test_the_tree_of_a_sum_one_after_the_other():
    assert [trees.additions(one_after_the_other, 6, i) for i in range(6)] == [5, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_tree_of_halves(dtype):
    assert [trees.additions(in_halves, 8, i, dtype) for i in range(8)] == [3] * 8
    assert trees.additions(in_halves, 5, 4, dtype) == 1  # the odd one, added last


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("terms", [2, 16, 18, 50, 200, 512])
def test_a_sum_in_groups_is_no_deeper_than_its_bound(terms, dtype):
    def in_groups(x):
        return reduce_rows(added, (0, 0), x, 2 * x)[0]

    assert trees.deepest(in_groups, terms, dtype) <= sum(widths(terms) or []) - 1 <= bounds.in_groups(terms)


@pytest.mark.parametrize("terms", [2, 4, 5, 33, 64, 200])
def test_nor_is_any_other_that_the_quick_forms_take(terms):
    for sum_of_rows in (row_sums.total, row_sums.summed):
        assert trees.deepest(sum_of_rows, terms) <= bounds.in_blocks(terms)


# Rows of which some have an awkward length. The sum of many is a library's: its tree isn't in the compiled text.
@pytest.mark.skipif(not sums.ADDS_IN_BLOCKS, reason="before, the forms add no rows so")
@pytest.mark.parametrize(
    "terms",
    [
        *(2, 10, 32, 33, 63, 64, 100, 257, 500),
        *(pytest.param(n, marks=pytest.mark.slow) for n in (40, 48, 65, 96, 127, 129, 1000, 1023, 1025, 2000, 4095)),
    ],
)
def test_xla_adds_no_term_more_often_than_the_bound_says(terms):
    count = terms if terms < 65 else 4
    most = trees.deepest(lambda x: x.sum(-1), terms, count=count)
    assert most <= bounds.in_blocks(terms), (
        f"assumption broken: XLA's row sum of {terms} terms adds one of them {most} times, "
        f"{bounds.in_blocks(terms)} were assumed; change bounds.in_blocks"
    )


@pytest.mark.slow
@pytest.mark.skipif(not sums.ADDS_IN_BLOCKS, reason="before, the forms add no rows so")
def test_nor_of_very_many_terms():
    """The first of a hundred thousand, which is added most often; by some of the rows, so that memory suffices."""
    terms, rows = 100_000, 64
    compiled = jax.jit(lambda x: x.sum(-1))
    outside = set()
    for start in range(1, terms, 3 * rows):
        probes = np.ones((rows, terms), np.float32)
        probes[:, 0] = trees.ABSORBING["float32"]
        others = np.minimum(np.arange(start, start + 3 * rows, 3), terms - 1)
        probes[np.arange(rows), others] = -trees.ABSORBING["float32"]
        outside |= set(np.asarray(compiled(probes)).tolist())
    assert 60 < len(outside) <= bounds.in_blocks(terms)


def test_what_the_forms_call_for_many_rows_is_that_sum():
    rows = -(-sums.LARGE_ARRAY_SIZE // 10)
    many = trees.additions(sums.row_sum, 10, 0, rows=rows)
    few = trees.additions(sums.row_sum, 10, 0)
    assert few == bounds.compensated(10) == 1
    assert many == (trees.additions(lambda x: x.sum(-1), 10, 0, rows=rows) if sums.ADDS_IN_BLOCKS else few)


def test_a_compensated_sum_has_no_such_tree():
    """Nothing is lost: the sum is exact, and so every term but one is outside."""
    assert trees.additions(lambda x: sums.compensated_sum(x.astype(jnp.float32)), 10, 0) == 1
