"""What `linear_softmax_cross_entropy` accepts, and what is said of anything else."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from manual_grads.formulas.inputs import as_floats, as_indices, as_known, as_shaped
from manual_grads.formulas.linear_softmax_cross_entropy import as_label_array, as_linear_layer
from manual_grads.nn.linear_cross_entropy.options import Layer, Settings
from manual_grads.nn.linear_cross_entropy.products import PRECISIONS, products_of


def as_layer(hidden: Any, weights: Any, bias: Any = None, logit_scale: Any = 1.0) -> Layer:
    """A linear layer's features, weights, bias and scale, as arrays of floats that fit; a scale of 1 is None.

    Raises:
        TypeError: if one isn't floating.
        ValueError: if one's shape doesn't fit, or there are no classes.
    """
    hidden, weights = as_linear_layer(hidden, weights)
    if bias is not None:
        bias = as_shaped("bias", bias, weights.shape[:1], "one number for each class, weights.shape[:1]")
    return Layer(hidden, weights, bias, as_scale(logit_scale))


def as_scale(value: Any) -> Float[Array, ""] | None:
    """`logit_scale` as a scalar array, or None if it is the number 1.

    Raises:
        TypeError: for what is neither a number nor floating.
        ValueError: for an array that isn't a scalar.
    """
    if is_number(value):
        return None if value == 1 else jnp.asarray(value, float)
    scale = as_floats("logit_scale", value)
    if scale.shape != ():
        raise ValueError(f"logit_scale has shape {scale.shape}, expected one number for all logits: shape ()")
    return scale


def as_settings(
    layer: Layer,
    *,
    soft_cap: Any,
    label_smoothing: Any,
    z_loss: Any,
    has_aux: Any,
    precision: Any,
    block_rows: Any,
    block_classes: Any,
    class_axis: Any,
) -> Settings:
    """What doesn't depend on values, checked.

    Raises:
        TypeError: for what isn't a number, or no bool.
        ValueError: for a number out of its range, another word, or an axis that isn't here.
    """
    if precision not in (None, *PRECISIONS):
        raise ValueError(f"precision is {precision!r}, expected None, 'default', 'high' or 'highest'")
    if not isinstance(has_aux, bool | np.bool_):
        raise TypeError(f"has_aux is {has_aux!r}, expected True or False")
    if class_axis is not None:
        check_axis(class_axis)
    return Settings(
        products=products_of(layer.h, layer.B, precision),
        block_rows=as_count("block_rows", block_rows),
        block_classes=as_count("block_classes", block_classes),
        axis=class_axis,
        soft_cap=None if soft_cap is None else as_number("soft_cap", soft_cap, "a number above 0", lambda c: 0 < c),
        label_smoothing=as_number(
            "label_smoothing", label_smoothing, "a number from 0 to below 1", lambda e: 0 <= e < 1
        ),
        z_loss=as_number("z_loss", z_loss, "a number from 0 on", lambda factor: 0 <= factor),
        has_aux=bool(has_aux),
    )


def is_number(value: Any) -> bool:
    """Whether it is a real number, of Python or of NumPy."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def as_number(name: str, value: Any, expected: str, fits: Callable[[float], bool]) -> float:
    """`value` as a number that is known when the loss is traced.

    Raises:
        TypeError: for what is no number, such as an array.
        ValueError: for one that doesn't fit, or that isn't finite.
    """
    if not is_number(value):
        raise TypeError(f"{name} is {value!r}, expected {expected}: of Python, not traced")
    if not (math.isfinite(value) and fits(value)):
        raise ValueError(f"{name} is {value}, expected {expected}")
    return float(value)


def as_weights_of_classes(value: Any, classes: int) -> Float[Array, "classes"]:
    """`class_weights` as an array of floats, none of which is known to be negative.

    Raises:
        TypeError: for any dtype but a floating one.
        ValueError: for another shape, or a negative number.
    """
    weights = as_shaped("class_weights", value, (classes,), "one number for each class, weights.shape[:1]")
    if not isinstance(weights, Tracer):
        negative = np.flatnonzero(np.asarray(weights) < 0)
        if negative.size:
            where = negative[0]
            raise ValueError(f"class_weights holds {weights[where]} for class {where}, expected numbers from 0 on")
    return weights


def as_not_ignored(ignore_index: Any, labels: Any, where: Any, batch: tuple[int, ...]) -> Bool[Any, "*batch"]:
    """`where`, without the examples whose label is `ignore_index`.

    Raises:
        TypeError: if that is no integer, or the labels aren't.
        ValueError: for labels of another shape than the batch's.
    """
    if isinstance(ignore_index, bool) or not isinstance(ignore_index, int | np.integer):
        raise TypeError(f"ignore_index is {ignore_index!r}, expected an integer, or None: the label that takes no part")
    labels = as_label_array(labels, batch)
    info = jnp.iinfo(labels.dtype)
    if not info.min <= ignore_index <= info.max:
        return where  # no label of this dtype is that
    return (labels != int(ignore_index)) & where


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
    labels = as_label_array(labels, batch)
    try:
        return as_indices(labels, classes, where)
    except ValueError as error:
        raise ValueError(f"{error}; an example without a label is left out by where= or ignore_index=") from None


def check_axis(class_axis: Any) -> None:
    """Raises a ValueError if there is no such mesh axis here."""
    try:
        lax.axis_size(class_axis)
    except NameError as error:
        raise ValueError(
            f"class_axis is {class_axis!r}, which is no axis here; expected the name of a mesh axis that weights is "
            "split over, inside jax.shard_map"
        ) from error


def as_count(name: str, value: Any) -> int | None:
    """`value` as a number of examples or classes, or None.

    Raises:
        TypeError: for what is no integer.
        ValueError: for less than 1.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} is {value!r}, expected an integer, or None to choose it from the shapes")
    if value < 1:
        raise ValueError(f"{name} is {value}, expected at least 1")
    return int(value)
