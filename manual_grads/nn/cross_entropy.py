r"""The cross-entropies of optax, with the derivative of Task 19.3."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from manual_grads.formulas.inputs import ArrayLike, as_array, as_floats, as_known, as_labels
from manual_grads.nn.axes import Axis, as_axes, as_mask, as_rows, broadcast
from manual_grads.nn.cross_entropy_rows import distribution_loss, index_loss


def softmax_cross_entropy(
    logits: Float[ArrayLike, "..."],
    labels: ArrayLike,
    axis: Axis = -1,
    where: Bool[ArrayLike, "..."] | None = None,
) -> Float[Array, "..."]:
    r"""$R = -\sum_k y_k \ln g_k$ along `axis`, g the softmax: in place of `optax.softmax_cross_entropy`.

    Args:
        logits: s, floating.
        labels: y, real numbers that broadcast with the logits and need not sum to one.
        axis: the axis, or axes, of the classes; None for all.
        where: booleans: the logits to include, or, without the axes of the classes, the examples. The others cost
            nothing, whatever they and their labels hold; an example of which nothing is included costs 0.

    Returns:
        R, of the logits' shape without `axis`, in the dtype that logits and labels promote to. As everywhere in this
        package, a class of weight 0 costs nothing, even if its logit is −inf (in optax's, NaN).

    Derivatives: ∂R/∂s = (Σy) g − y, accurate where the example is saturated, and ∂R/∂y = −ln g. Each is one array of
    the logits' size, kept for the backward pass if it is asked for.

    Raises:
        TypeError: if `logits` isn't floating, or `labels` no real numbers.
        ValueError: for an `axis` that isn't there, shapes that don't fit, no classes, or a `where` that isn't boolean.

    From: Task 19.3.
    """
    s = as_floats("logits", logits)
    y = as_array("labels", labels, "numbers", jnp.asarray)
    if not (jnp.issubdtype(y.dtype, jnp.integer) or y.dtype == bool):
        y = as_floats("labels", y)
    given, dtype = (s.shape, y.shape), jnp.result_type(s, y)
    s, y, axes, mask = *broadcast("logits", s.astype(dtype), "labels", y.astype(dtype)), *_axes_and_mask(s, axis, where)
    if any(s.shape[a] != given[0][a] for a in axes):
        raise ValueError(f"labels has shape {given[1]}: more classes than logits.shape = {given[0]} has")
    if mask is not None:
        s, mask = broadcast("logits", s, "where", mask)
        y = jnp.broadcast_to(y, s.shape)
    return distribution_loss(_class_rows(s, axes), as_rows(y, axes), None if mask is None else as_rows(mask, axes))


def softmax_cross_entropy_with_integer_labels(
    logits: Float[ArrayLike, "..."],
    labels: Int[ArrayLike, "..."],
    axis: int | tuple[int, ...] = -1,
    where: Bool[ArrayLike, "..."] | None = None,
) -> Float[Array, "..."]:
    r"""$R = -\ln g_y$ along `axis`, g the softmax: in place of optax's function of that name.

    Args:
        logits: s, floating.
        labels: class indices, of the logits' shape without `axis`, or of length 1 where the logits aren't.
        axis: the axis, or axes, of the classes; of a tuple, a label counts through the axes in their order.
        where: booleans: the logits to include, or, without the axes of the classes, the examples. An example of which
            nothing is included costs nothing, whatever it and its label hold. As in optax's, an included example's
            label is looked at even where its own class isn't included: R = ln Σ e^(s_l) over those that are, − s_y.

    Returns:
        R, of the logits' shape without `axis` and of their dtype.

    Derivatives: ∂R/∂s = g − y, accurate where the example is saturated: one array of the logits' size, computed with
    the loss and kept for the backward pass.

    Raises:
        TypeError: if `logits` isn't floating, or `labels` not integer.
        ValueError: for an `axis` that isn't there, shapes that don't fit, no classes, a `where` that isn't boolean, or
            an index whose value is known outside [0, classes). (Where it is traced, R and the gradient are NaN. In
            optax's, it counts from the end if it is negative.)

    From: Task 19.3.
    """
    s = as_floats("logits", logits)
    if not isinstance(axis, int | tuple):
        raise ValueError(f"axis is {axis!r}, expected an integer or a tuple of integers")
    axes, mask = _axes_and_mask(s, axis, where)
    if mask is not None:
        s, mask = broadcast("logits", s, "where", mask)
    rows, i = _class_rows(s, axes), _as_indices(labels)
    if i.ndim == rows.ndim - 1 and i.shape != rows.shape[:-1]:
        rows, i = _broadcast_batch(rows, i)
    if mask is None:
        return index_loss(rows, as_labels(i, rows), None)
    mask = jnp.broadcast_to(as_rows(mask, axes), rows.shape)
    return index_loss(rows, as_labels(i, rows, included=mask.any(-1)), mask)


def _axes_and_mask(s: Array, axis: Any, where: Any) -> tuple[tuple[int, ...], Array | None]:
    """The axes of the classes, counted from the last as −1, and `where` with all the axes of the logits, if given."""
    axes = as_axes(axis, s.ndim)
    if where is None:
        return axes, None
    mask = as_mask(where)
    return axes, mask if mask.ndim == s.ndim else jnp.expand_dims(mask, axes)


def _class_rows(s: Array, axes: tuple[int, ...]) -> Float[Array, "*batch classes"]:
    """Logits as rows of classes.

    Raises:
        ValueError: if there are no classes.
    """
    rows = as_rows(s, axes)
    if rows.shape[-1] == 0:
        raise ValueError(f"logits has shape {s.shape}, expected at least one class")
    return rows


def _as_indices(labels: Any) -> Any:
    """`labels` as an array of integers, NumPy's if it isn't JAX's already.

    Raises:
        TypeError: for any dtype but an integer one.
    """
    indices = as_known("labels", labels, "integers")
    if not jnp.issubdtype(indices.dtype, jnp.integer):
        raise TypeError(
            f"labels has dtype {indices.dtype}, expected integers (for distributions: softmax_cross_entropy)"
        )
    return indices


def _broadcast_batch(rows: Array, i: Any) -> tuple[Array, Any]:
    """Rows and class indices with the same batch axes: those of length one are repeated.

    Raises:
        ValueError: if they don't broadcast.
    """
    try:
        batch = np.broadcast_shapes(rows.shape[:-1], i.shape)
    except ValueError as error:
        raise ValueError(f"labels has shape {i.shape}, expected that of the examples, {rows.shape[:-1]}") from error
    by = jnp if isinstance(i, jax.Array) else np
    return jnp.broadcast_to(rows, (*batch, rows.shape[-1])), by.broadcast_to(i, batch)
