"""What `jax.shard_map` asks of a loop and of a hand-written cotangent, and where a device's classes begin."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array


def varying(x: Array) -> frozenset[str]:
    """The mesh axes along which x may differ from device to device: none outside `jax.shard_map`."""
    kind = jax.typeof(x)
    return kind.vma if hasattr(kind, "vma") else kind.manual_axis_type.varying  # vma: up to JAX 0.9


def varying_like(tree: Any, *others: Array) -> Any:
    """`tree`, its arrays marked as varying wherever one of the others does, as what a loop adds these to must be."""
    axes = frozenset().union(*map(varying, others))
    return jax.tree.map(lambda x: _marked(x, tuple(sorted(axes - varying(x)))), tree)


def summed_like(cotangent: Array, primal: Array) -> Array:
    """`cotangent`, added up over the axes along which it varies and its primal doesn't."""
    axes = tuple(sorted(varying(cotangent) - varying(primal)))
    return lax.psum(cotangent, axes) if axes else cotangent


def first_class(classes: int, axis: Any) -> Array | int:
    """The index, among all devices' classes, of this device's first."""
    return 0 if axis is None else lax.axis_index(axis) * classes


def all_classes(classes: int, axis: Any) -> int:
    """The number of classes on all devices."""
    return classes if axis is None else classes * lax.axis_size(axis)


def total(x: Array, axis: Any) -> Array:
    """The sum of x over the devices that the classes are split over."""
    return x if axis is None else lax.psum(x, axis)


def largest(x: Array, axis: Any) -> Array:
    """The maximum of x over the devices that the classes are split over."""
    return x if axis is None else lax.pmax(x, axis)


def first_of_largest(x: Array, index: Array, axis: Any) -> Array:
    """The index of the largest x over those devices, the lowest if several have it."""
    if axis is None:
        return index
    return lax.pmin(jnp.where(x == lax.pmax(x, axis), index, jnp.iinfo(index.dtype).max), axis)


def _marked(x: Array, axes: tuple[str, ...]) -> Array:
    """x, marked as varying along those axes too."""
    if hasattr(lax, "pcast"):
        return lax.pcast(x, axes, to="varying")
    return getattr(lax, "pvary")(x, axes)  # noqa: B009 - up to JAX 0.8
