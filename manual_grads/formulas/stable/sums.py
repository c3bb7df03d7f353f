"""Sums over the last axis that are accurate for any number of terms."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jax.sharding import AxisType
from jaxtyping import Array, Float

# Numbers from which XLA's own ways on a CPU are the faster ones: to add, to replace an entry, and to exponentiate.
LARGE_ARRAY_SIZE = 4096
# Terms up to which halves, written out, take no longer than a loop, nor to compile.
MAX_HALVED = 16
# Whether XLA on CPU adds many rows in blocks. Before, it lost up to 15 ULP.
ADDS_IN_BLOCKS = jax.__version_info__ >= (0, 10, 2)


def is_large(x: Float[Array, "*batch classes"], size: int = LARGE_ARRAY_SIZE) -> bool:
    """Whether there are so many numbers; for a batch whose size is a symbol (`jax.export`), taken for few."""
    return isinstance(x.size, int) and x.size >= size


def is_sharded(*arrays: Array) -> bool:
    """Whether any is on a mesh of explicit sharding, where a reshape, a gather or a scatter need not be defined.

    Which of its axes are split doesn't matter: under `vmap`, its type doesn't tell.
    """
    return any(AxisType.Explicit in jax.typeof(x).sharding.mesh.axis_types for x in arrays)


def row_sum(x: Float[Array, "*batch classes"]) -> Float[Array, "*batch"]:
    """The sum over the last axis, to half an ULP for positive terms; of many rows of float32, to some 4 ULP.

    XLA on CPU adds a single row, or few, one term after the other: after a 1, 100,000 terms of 10⁻⁸ would all be lost.
    Many rows of float32 it adds in blocks, well and fast, from JAX 0.10.2 on.
    """
    many_rows = ADDS_IN_BLOCKS and is_large(x) and x.size > x.shape[-1]
    return x.sum(-1) if many_rows and x.dtype == jnp.float32 else compensated_sum(x)


def weighted_sum(y: Float[Array, "*batch classes"], x: Float[Array, "*batch classes"]) -> Float[Array, "*batch"]:
    r"""$\sum_k y_k x_k$, where $0 \cdot \infty = 0$: a class without weight costs nothing, whatever it would."""
    return row_sum(finite_product(y, x))


@jax.custom_jvp
def finite_product(y: Float[Array, "*shape"], x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    r"""$y x$, with $0 \cdot \infty = 0$."""
    return jnp.where(y == 0, 0, y * x)


@partial(finite_product.defjvp, symbolic_zeros=True)
def finite_product_jvp(primals: tuple[Array, Array], tangents: tuple[Any, Any]) -> tuple[Array, Array]:
    r"""$x\,t_y + y\,t_x$: a weight of 0 that changes costs x at once, which a select by the weight would forget.

    Where x isn't finite, as a logarithm's at 0, its change need not be either: without weight, that costs nothing.
    """
    (y, x), (t_y, t_x) = primals, tangents
    product = finite_product(y, x)
    rate = jnp.zeros_like(product)
    if not isinstance(t_y, SymbolicZero):
        rate += rate_of_weight(t_y, x)
    if not isinstance(t_x, SymbolicZero):
        rate += jnp.where((y == 0) & ~jnp.isfinite(x), 0, y * t_x)
    return product, rate


def rate_of_weight(t: Float[Array, "*shape"], x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    r"""$x t$, linear in t, with $\infty \cdot 0 = 0$.

    A select by t wouldn't be linear, and JAX could not transpose it. To multiply by the largest finite number, twice,
    is: ±∞ from every normal number, and 0 from 0. (A select stands between the two, lest XLA multiply them first.)
    """
    is_infinite, largest = jnp.isinf(x), jnp.finfo(x.dtype).max
    beyond = jnp.where(is_infinite, t * largest, 0) * jnp.copysign(largest, x)
    return finite(x) * t + beyond


@jax.custom_jvp
def finite(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`x`, with 0 for ±∞; differentiated as x itself is."""
    return jnp.where(jnp.isinf(x), 0, x)


@finite.defjvp
def finite_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    """The finite numbers of x, and how fast x changes: t."""
    return finite(*primals), tangents[0]


@jax.custom_jvp
def compensated_sum(x: Float[Array, "*batch classes"]) -> Float[Array, "*batch"]:
    """The sum, and what its additions round off beside it: as if rounded once.

    Many numbers are halved, one half added to the other, for that is vectorized; and few, which XLA writes out. The
    rest is one loop, which compiles in a fifth of the time of halves.
    """
    rounded_off = x - x  # zeros with derivatives: before JAX 0.12, the rule below is forgotten within that of another
    while (n := x.shape[-1]) > 1 and (n <= MAX_HALVED or is_large(x)):
        (a, b, odd), (off_a, off_b, off_odd) = (jnp.split(y, (n // 2, n // 2 * 2), axis=-1) for y in (x, rounded_off))
        total, off = add_compensated((a, off_a), (b, off_b))
        x, rounded_off = jnp.concatenate([total, odd], -1), jnp.concatenate([off, off_odd], -1)
    zero = jnp.zeros((), x.dtype)
    total, off = lax.reduce((x, rounded_off), (zero, zero), add_compensated, (x.ndim - 1,))
    return jnp.where(jnp.isfinite(total), total + off, total)  # beside ±∞, what is rounded off is NaN


@compensated_sum.defjvp
def compensated_sum_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    """The sum of the tangents: a product with ones, which is not added one term after the other either."""
    (x,), (x_dot,) = primals, tangents
    return compensated_sum(x), jnp.matmul(x_dot, jnp.ones(x.shape[-1], x.dtype), precision=lax.Precision.HIGHEST)


def add_compensated(a: tuple[Array, Array], b: tuple[Array, Array]) -> tuple[Array, Array]:
    """The sum of two sums, and what the additions so far have rounded off."""
    total, error = two_sum(a[0], b[0])
    return total, a[1] + b[1] + error


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """The rounded sum of a and b, and what it lacks: together exactly a + b (Knuth). NaN where the sum overflows."""
    total = a + b
    b_taken = total - a
    return total, (a - (total - b_taken)) + (b - b_taken)
