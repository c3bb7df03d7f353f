"""One class of each row: its entry, replaced or found."""

import jax.numpy as jnp
from jax import lax
from jax.lax import Precision
from jaxtyping import Array, Bool, Float, Int

from manual_grads.formulas.stable.sums import is_large, is_sharded

# Numbers from which computing an exponential twice takes longer than storing it.
MIN_SCATTERED = 1024


def entry(x: Float[Array, "*batch classes"], i: Int[Array, "*batch"]) -> Float[Array, "*batch"]:
    """$x_i$, or NaN for an index that no class has."""
    return jnp.take_along_axis(x, i[..., None], -1, mode="fill")[..., 0]


def with_entry(
    x: Float[Array, "*batch classes"], i: Int[Array, "*batch"], value: Float[Array, "*batch"] | float
) -> Float[Array, "*batch classes"]:
    """`x` with $x_i$ replaced, and as it is for an index that no class has.

    Some thousand numbers are scattered: they are stored then, where XLA would compute masked ones anew for each of
    their uses. Fewer aren't worth the time that it takes to compile that.
    """
    some_thousand = is_large(x, MIN_SCATTERED) and not is_large(x)
    return scattered(x, i, value) if some_thousand and not is_sharded(x) else selected(x, i, value)


def scattered(
    x: Float[Array, "*batch classes"], i: Int[Array, "*batch"], value: Float[Array, "*batch"] | float
) -> Float[Array, "*batch classes"]:
    """`x` with $x_i$ replaced, by writing into it."""
    values = jnp.broadcast_to(jnp.asarray(value, x.dtype), i.shape)[..., None]
    return jnp.put_along_axis(x, i[..., None], values, -1, inplace=False, mode="drop")


def selected(
    x: Float[Array, "*batch classes"], i: Int[Array, "*batch"], value: Float[Array, "*batch"] | float
) -> Float[Array, "*batch classes"]:
    """`x` with $x_i$ replaced, by a choice for every class."""
    return jnp.where(is_class(i, x), jnp.broadcast_to(jnp.asarray(value, x.dtype), i.shape)[..., None], x)


def class_numbers(x: Float[Array, "*batch classes"]) -> Int[Array, "*batch classes"]:
    """The number of each entry's class."""
    return lax.broadcasted_iota(jnp.int32, x.shape, x.ndim - 1)


def is_class(i: Int[Array, "*batch"], x: Float[Array, "*batch classes"]) -> Bool[Array, "*batch classes"]:
    """Whether an entry is that of class i."""
    return lax.broadcasted_iota(i.dtype, x.shape, x.ndim - 1) == i[..., None]


def mean_class(weight: Float[Array, "*batch classes"], total: Float[Array, "*batch"]) -> Int[Array, "*batch"]:
    r"""The mean of the classes' numbers, $\sum_k k w_k / \sum_k w_k$, rounded to one of them.

    The cheapest way to find a class that has all the weight, or nearly so: a matrix product, where an argmax takes
    seventeen times as long as a maximum on a CPU. For other weights, it is just some class.
    """
    numbers = jnp.arange(weight.shape[-1], dtype=weight.dtype)
    mean = jnp.matmul(weight, numbers, precision=Precision.HIGHEST) / total
    return jnp.clip(jnp.round(mean), 0, numbers.size - 1).astype(jnp.int32)


def class_of(m: Float[Array, "*batch"], s: Float[Array, "*batch classes"]) -> Int[Array, "*batch"]:
    """The last class whose entry is m; class 0 if there is none."""
    return jnp.where(s == m[..., None], class_numbers(s), 0).max(-1)


def dominant_class(g: Float[Array, "*batch classes"]) -> Int[Array, "*batch"]:
    """The class that has more than half of a distribution, or the number of classes if none has."""
    number = jnp.where(g > 0.5, 1 + lax.broadcasted_iota(g.dtype, g.shape, g.ndim - 1), 0).max(-1)
    return jnp.where(number > 0, number - 1, g.shape[-1]).astype(jnp.int32)
