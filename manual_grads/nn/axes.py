"""Any axes as rows of classes: what JAX's and optax's `axis` and `where` mean for formulas of the last axis."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.lib.array_utils import normalize_axis_tuple

from manual_grads.formulas.inputs import as_array

Axis = int | tuple[int, ...] | None


def as_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """`axis` as a tuple of axes counted from the last, −1; None is all of them.

    Raises:
        ValueError: for an axis that isn't there, or twice.
        TypeError: for what is no integer.
    """
    axes = range(ndim) if axis is None else normalize_axis_tuple(axis, ndim, "axis")
    return tuple(a - ndim for a in axes)


def as_mask(where: Any) -> Array:
    """`where` as an array of booleans.

    Raises:
        TypeError: for what is no array.
        ValueError: for any dtype but bool, as JAX has it.
    """
    mask = as_array("where", where, "booleans", jnp.asarray)
    if mask.dtype != bool:
        raise ValueError(f"where has dtype {mask.dtype}, expected bool (compare it: where != 0)")
    return mask


def broadcast(name: str, x: Array, other_name: str, other: Array) -> tuple[Array, Array]:
    """Both arrays, in the shape that they broadcast to.

    Raises:
        ValueError: if they don't broadcast.
    """
    try:
        shape = np.broadcast_shapes(x.shape, other.shape)
    except ValueError as error:
        raise ValueError(
            f"{other_name} has shape {other.shape}, expected one that broadcasts with {name}.shape = {x.shape}"
        ) from error
    return jnp.broadcast_to(x, shape), jnp.broadcast_to(other, shape)


def as_rows(x: Array, axes: tuple[int, ...]) -> Array:
    """`x` with those axes, in that order, as one last axis."""
    order = _rows_order(x.ndim, axes)
    moved = x.transpose(order)
    batch = moved.shape[: x.ndim - len(axes)]
    return moved.reshape(*batch, math.prod(moved.shape[len(batch) :]))


def from_rows(rows: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """An array of that shape whose `as_rows` the rows are: its inverse."""
    order = _rows_order(len(shape), axes)
    return rows.reshape([shape[axis] for axis in order]).transpose(np.argsort(order))


def only(mask: Array | None, x: Array, otherwise: float = 0) -> Array:
    """`x` where the mask is true, and `otherwise` elsewhere; all of x if there is no mask."""
    return x if mask is None else jnp.where(mask, x, jnp.asarray(otherwise, x.dtype))


def without_masked(mask: Array | None, s: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
    """Logits of −∞ for the masked classes, or of 0 where all are masked: what was there reaches no formula."""
    if mask is None:
        return s
    return jnp.where(mask, s, jnp.where(mask.any(-1, keepdims=True), -jnp.inf, 0).astype(s.dtype))


def _rows_order(ndim: int, axes: tuple[int, ...]) -> tuple[int, ...]:
    """All axes, counted from the first: the others as they are, then those of the rows in their order."""
    return (*(a for a in range(ndim) if a - ndim not in axes), *(a + ndim for a in axes))
