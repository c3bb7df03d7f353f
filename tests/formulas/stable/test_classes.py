"""One class of each row: of few numbers and of many, and for an index that no class has."""

import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.formulas.stable.classes import MIN_SCATTERED, class_of, entry, mean_class, with_entry
from manual_grads.formulas.stable.sums import LARGE_ARRAY_SIZE

I = jnp.array([2, 0, 3], jnp.int32)  # noqa: E741 - the labels; three classes: the last label is none


@pytest.mark.smoke
@pytest.mark.parametrize("rows", [3, MIN_SCATTERED, LARGE_ARRAY_SIZE])
def test_an_entry_is_taken_and_replaced(rows):
    x, i = jnp.resize(jnp.arange(9.0), (rows, 3)), jnp.resize(I, rows)
    taken, replaced = entry(x, i), with_entry(x, i, -1.0)
    np.testing.assert_array_equal(taken[:3], [2, 3, np.nan])
    np.testing.assert_array_equal(replaced[:3], [[0, 1, -1], [-1, 4, 5], [6, 7, 8]])


@pytest.mark.parametrize(
    ("weight", "want"),
    [
        ([0, 0, 5, 0], 2),
        ([1e-3, 0, 1, 1e-3], 2),  # nearly all the weight: the mean is next to it
        ([-3, 0, 0, 1], 0),  # negative weights: some class that is there
        ([5, 0, 0, -4], 0),
        ([-5, 0, 0, 6], 3),
    ],
)
def test_the_mean_class_has_nearly_all_the_weight_and_is_one_of_the_classes(weight, want):
    weight = jnp.float32(weight)
    assert mean_class(weight, weight.sum()) == want


def test_the_class_of_an_entry_is_found():
    s = jnp.array([[3.0, 1, 2], [1, 2, 2], [1, 2, jnp.nan]])
    assert class_of(s.max(-1), s).tolist() == [0, 2, 0]
