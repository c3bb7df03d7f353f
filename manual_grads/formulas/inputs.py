"""What the formulas accept, and what is said of anything else."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

# Class indices, or a distribution over the classes that need not sum to one.
Labels = Int[ArrayLike, "*batch"] | Float[ArrayLike, "*batch classes"]


def as_floats(name: str, value: Any, ndim: int | None = None) -> Array:
    """`value` as an array of floats, with exactly `ndim` axes if that is given.

    Raises:
        TypeError: for what is no array, or of any dtype but a floating one.
        ValueError: for another number of axes.
    """
    try:
        array = jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} is no array, expected one of floats: {error}") from error
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(
            f"{name} has dtype {array.dtype}, expected a floating one (convert it: {name}.astype(jnp.float32))"
        )
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} has shape {array.shape}, expected {ndim} axes")
    return array


def as_vectors(name: str, value: Any) -> Array:
    """`value` as vectors along its last axis, with any number of leading batch axes."""
    array = as_floats(name, value)
    if array.ndim == 0:
        raise ValueError(f"{name} has shape (), expected at least one axis (leading axes are the batch)")
    return array


def as_classes(name: str, value: Any) -> Array:
    """`value` as one float per class along its last axis, with any number of leading batch axes.

    Raises:
        TypeError: for any dtype but a floating one.
        ValueError: for a scalar, or for no classes.
    """
    array = as_vectors(name, value)
    if array.shape[-1] == 0:
        raise ValueError(f"{name} has shape {array.shape}, expected at least one class on the last axis")
    return array


def as_shaped(name: str, value: Any, shape: tuple[int, ...], expected: str) -> Array:
    """`value` as an array of floats of that very shape; `expected` says in words where the shape comes from."""
    array = as_floats(name, value)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, expected {expected} = {shape}")
    return array


def as_distribution(labels: Any, scores: Array, scores_name: str = "logits") -> Array:
    """`labels` as a distribution y over the classes of `scores`: class indices become one-hot vectors.

    The result has the shape of `scores` and its dtype, widened. An index outside [0, classes) is an error where its
    value is known; where it is traced (under jit or vmap) its y is NaN, and so is whatever is computed from it.

    Raises:
        TypeError: for labels neither integer nor floating.
        ValueError: for a shape that doesn't fit `scores`, or an index outside [0, classes).
    """
    # Indices stay in NumPy's 64 bits until they are checked: in JAX's 32, 2³² + 1 would silently become class 1.
    holds_jax = any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(labels))
    labels = jnp.asarray(labels) if holds_jax else np.asarray(labels)
    *batch, classes = scores.shape
    dtype = widened(scores.dtype)
    if jnp.issubdtype(labels.dtype, jnp.floating):
        return as_shaped("labels", labels, scores.shape, f"{scores_name}.shape").astype(dtype)
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(
            f"labels has dtype {labels.dtype}, expected integers (class indices) or floats (a distribution)"
        )
    if labels.shape != tuple(batch):
        raise ValueError(
            f"labels has dtype {labels.dtype} and shape {labels.shape}, expected class indices of shape "
            f"{scores_name}.shape[:-1] = {tuple(batch)}, or a floating distribution of shape {scores.shape}"
        )
    if labels.dtype.itemsize < 4:
        labels = labels.astype(jnp.int32)  # an int8 can't be compared with 1000 classes
    known = (labels >= 0) & (labels < classes)
    if not isinstance(known, Tracer) and not known.all():
        outside = np.asarray(labels)[~np.asarray(known)]
        raise ValueError(f"labels holds {outside.flat[0]}, expected class indices from 0 to {classes - 1}")
    labels, known = jnp.asarray(labels), jnp.asarray(known)
    is_label = jax.lax.broadcasted_iota(labels.dtype, scores.shape, scores.ndim - 1) == labels[..., None]
    return jnp.where(known[..., None], is_label.astype(dtype), jnp.nan)


def widened(dtype: Any) -> Any:
    """The dtype to compute in: float16 and bfloat16 are computed in float32 and rounded once, at the end."""
    return jnp.promote_types(dtype, jnp.float32)


def widen(array: Array) -> Array:
    """`array` in the dtype to compute in."""
    return array.astype(widened(array.dtype))
