"""What `linear_softmax_cross_entropy` accepts, and what is said of anything else."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from manual_grads.formulas.inputs import as_floats, as_indices, as_known, as_vectors


def as_layer(hidden: Any, weights: Any) -> tuple[Float[Array, "*batch hidden"], Float[Array, "classes hidden"]]:
    """A linear layer's features and weights, as arrays of floats whose shapes multiply.

    Raises:
        TypeError: if one isn't floating.
        ValueError: if one's shape doesn't fit, or there are no classes.
    """
    hidden, weights = as_vectors("hidden", hidden), as_floats("weights", weights, ndim=2)
    if weights.shape[0] == 0:
        raise ValueError(f"weights has shape {weights.shape}, expected at least one class on the first axis")
    if weights.shape[1] != hidden.shape[-1]:
        raise ValueError(
            f"weights has shape {weights.shape}, expected classes × {hidden.shape[-1]}, "
            f"as hidden has shape {hidden.shape}"
        )
    return hidden, weights


def as_included(where: Any, batch: tuple[int, ...]) -> Bool[Any, "*batch"]:
    """`where` as one bool for each example.

    Raises:
        TypeError: for another dtype.
        ValueError: for a shape that can't be broadcast to the batch.
    """
    where = as_known("where", where, "bools")
    if where.dtype != bool:
        raise TypeError(f"where has dtype {where.dtype}, expected bool: which examples take part")
    try:
        return (jnp if isinstance(where, jax.Array) else np).broadcast_to(where, batch)
    except ValueError as error:
        raise ValueError(
            f"where has shape {where.shape}, expected one bool for each example: hidden.shape[:-1] = {batch}"
        ) from error


def as_class_indices(labels: Any, where: Any, batch: tuple[int, ...], classes: int) -> Int[Array, "*batch"]:
    """`labels` as class indices; 0 for an example that `where` leaves out, whatever its label.

    Raises:
        TypeError: for any dtype but an integer one.
        ValueError: for another shape than the batch's, or an index outside [0, classes).
    """
    labels = as_known("labels", labels, "integers")
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(
            f"labels has dtype {labels.dtype}, expected integers: class indices (for distributions over the classes, "
            "use softmax_cross_entropy(hidden @ weights.T, labels))"
        )
    if labels.shape != batch:
        raise ValueError(f"labels has shape {labels.shape}, expected hidden.shape[:-1] = {batch}")
    return as_indices(labels, classes, where)


def check_axis(class_axis: Any) -> None:
    """Raises a ValueError if there is no such mesh axis here."""
    try:
        lax.axis_size(class_axis)
    except NameError as error:
        raise ValueError(
            f"class_axis is {class_axis!r}, which is no axis here; expected the name of a mesh axis that weights is "
            "split over, inside jax.shard_map"
        ) from error


def as_count(name: str, value: Any, default: int) -> int:
    """`value` as a number of examples or classes.

    Raises:
        TypeError: for what is no integer.
        ValueError: for less than 1.
    """
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} is {value!r}, expected an integer, or None to choose it from the shapes")
    if value < 1:
        raise ValueError(f"{name} is {value}, expected at least 1")
    return int(value)
