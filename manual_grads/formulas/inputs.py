"""What the formulas accept, and what is said of anything else."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import typing as jax_typing
from jax.core import Tracer
from jaxtyping import Array, Float, Int

from manual_grads.rules import FLOATS

# What a parameter takes: numbers, arrays of JAX and NumPy, and lists of either. Only arrays have a shape to be checked
# while running, so that jaxtyping can't be told of the lists; a type checker can. (Of lists of any depth, text is one.)
if TYPE_CHECKING:
    _List = Sequence[jax_typing.ArrayLike]
    ArrayLike = jax_typing.ArrayLike | _List | Sequence[_List] | Sequence[Sequence[_List]]
else:
    ArrayLike = jax_typing.ArrayLike

# Class indices, or a distribution over the classes that need not sum to one.
Labels = Int[ArrayLike, "*batch"] | Float[ArrayLike, "*batch classes"]


def as_floats(name: str, value: Any, ndim: int | None = None) -> Array:
    """`value` as an array of floats, with exactly `ndim` axes if that is given.

    Raises:
        TypeError: for what is no array, or of any dtype but those of `FLOATS`.
        ValueError: for another number of axes.
    """
    array = as_array(name, value, "floats", jnp.asarray)
    if array.dtype.name not in FLOATS:
        raise TypeError(
            f"{name} has dtype {array.dtype}, expected a floating one of {', '.join(FLOATS)} "
            f"(convert it: {name}.astype(jnp.float32))"
        )
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} has shape {array.shape}, expected {ndim} axes")
    return array


def as_array(name: str, value: Any, expected: str, convert: Callable[[Any], Any]) -> Any:
    """`value` as an array, by a function that converts it.

    Raises:
        TypeError: for what can't be converted.
    """
    try:
        return convert(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{name} is no array, expected one of {expected}: {error}") from error


def as_vectors(name: str, value: Any) -> Array:
    """`value` as vectors along its last axis, with any number of leading batch axes.

    Raises:
        TypeError: for any dtype but a floating one.
        ValueError: for a scalar.
    """
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
    """`value` as an array of floats of that very shape; `expected` says in words where the shape comes from.

    Raises:
        TypeError: for any dtype but a floating one.
        ValueError: for another shape.
    """
    array = as_floats(name, value)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, expected {expected} = {shape}")
    return array


def as_labels(labels: Any, scores: Array, scores_name: str = "logits", included: Any = True) -> Array:
    """`labels` as class indices, or as a distribution over the classes of `scores`, in their dtype, widened.

    What becomes of an index outside [0, classes), and of those that aren't `included`: see `as_indices`.

    Raises:
        TypeError: for what is no array, or of a dtype neither integer nor floating.
        ValueError: for a shape that doesn't fit `scores`, or an index outside [0, classes).
    """
    labels = as_known("labels", labels, "integers or floats")
    *batch, classes = scores.shape
    if jnp.issubdtype(labels.dtype, jnp.floating):
        return as_shaped("labels", labels, scores.shape, f"{scores_name}.shape").astype(widened(scores.dtype))
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(
            f"labels has dtype {labels.dtype}, expected integers (class indices) or floats (a distribution)"
        )
    if labels.shape != tuple(batch):
        raise ValueError(
            f"labels has dtype {labels.dtype} and shape {labels.shape}, expected class indices of shape "
            f"{scores_name}.shape[:-1] = {tuple(batch)}, or a floating distribution of shape {scores.shape}"
        )
    return as_indices(labels, classes, included)


def as_known(name: str, value: Any, expected: str) -> Any:
    """`value` as an array: NumPy's, if it isn't JAX's already.

    Raises:
        TypeError: for what is no array.
    """
    holds_jax = any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(value))
    return as_array(name, value, expected, jnp.asarray if holds_jax else np.asarray)


def as_indices(labels: Any, classes: int, included: Any = True) -> Int[Array, "*batch"]:
    """Integers as class indices; 0 for an example that isn't included, whatever its label.

    An index outside [0, classes) is an error where it is known that it is and that its example is included; otherwise
    (under jit or vmap) it becomes `classes`: an index that no class has.

    Raises:
        ValueError: for an index outside [0, classes).
    """
    # Which indices are outside. NumPy's 64 bits hold any label: in JAX's 32, 2³² + 1 would silently become class 1. And
    # under jit, JAX would trace the comparisons of a known label.
    xp = jnp if isinstance(labels, Tracer) else np
    labels = xp.asarray(labels)
    if labels.dtype.itemsize < 4:
        labels = labels.astype(xp.int32)  # an int8 can't be compared with 1000 classes
    outside = (labels < 0) | (labels >= classes)
    # Those that are known to be are refused, the others replaced.
    if xp is np and not isinstance(included, Tracer):
        wrong = labels[outside & np.asarray(included)]
        if wrong.size:
            raise ValueError(f"labels holds {wrong[0]}, expected class indices from 0 to {classes - 1}")
    valid = jnp.asarray(xp.where(outside, classes, labels), jnp.int32)
    return valid if included is True else jnp.where(included, valid, 0)


def are_indices(labels: Array) -> bool:
    """Whether labels that `as_labels` has checked are class indices."""
    return jnp.issubdtype(labels.dtype, jnp.integer)


def as_distribution(labels: Any, scores: Array, scores_name: str = "logits") -> Array:
    """`labels` as a distribution over the classes of `scores`: a one-hot vector for a class index, of NaN if no class.

    Raises:
        TypeError, ValueError: as `as_labels`.
    """
    y = as_labels(labels, scores, scores_name)
    if not are_indices(y):
        return y
    classes = scores.shape[-1]
    is_label = jax.lax.broadcasted_iota(y.dtype, scores.shape, scores.ndim - 1) == y[..., None]
    return jnp.where(y[..., None] < classes, is_label.astype(widened(scores.dtype)), jnp.nan)


def widened(dtype: Any) -> Any:
    """The dtype to compute in: float16 and bfloat16 are computed in float32 and rounded once, at the end."""
    return jnp.promote_types(dtype, jnp.float32)


def widen(array: Array) -> Array:
    """`array` in the dtype to compute in."""
    return array.astype(widened(array.dtype))
