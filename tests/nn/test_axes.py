"""Axes as rows and back, and masks."""

import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.nn.axes import as_axes, as_mask, as_rows, broadcast, from_rows, without_masked


@pytest.mark.smoke
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3, (0, 2), (2, 0), (-1, 1), (), None], ids=str)
def test_rows_and_back(axis):
    x = np.arange(24).reshape(2, 3, 4)
    axes = as_axes(axis, 3)
    rows = as_rows(jnp.asarray(x), axes)
    moved = np.moveaxis(x, axes, range(-len(axes), 0))
    np.testing.assert_array_equal(rows, moved.reshape(*moved.shape[: 3 - len(axes)], -1))
    np.testing.assert_array_equal(from_rows(rows, x.shape, axes), x)


def test_rows_of_nothing():
    assert as_rows(jnp.zeros((0, 3, 2)), (-1, -2)).shape == (0, 6)


@pytest.mark.parametrize(("axis", "error"), [(3, ValueError), ((0, 0), ValueError), (1.0, TypeError)])
def test_axes_that_are_not_there(axis, error):
    with pytest.raises(error, match=r"axis|float"):
        as_axes(axis, 3)


def test_masks_are_boolean():
    with pytest.raises(ValueError, match="where has dtype int32, expected bool"):
        as_mask(jnp.array([1, 0]))
    with pytest.raises(TypeError, match="where is no array"):
        as_mask(object())


def test_shapes_that_do_not_broadcast():
    with pytest.raises(ValueError, match=r"where has shape \(2,\), expected one that broadcasts with x.shape = \(3,\)"):
        broadcast("x", jnp.zeros(3), "where", jnp.zeros(2))


def test_what_is_masked_is_replaced():
    s = jnp.array([[jnp.nan, 1.0], [jnp.inf, jnp.nan]])
    np.testing.assert_array_equal(without_masked(s == 1, s), [[-np.inf, 1], [0, 0]])
