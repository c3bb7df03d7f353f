"""Sums over the last axis that are accurate for any number of terms."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

# Numbers from which XLA's own ways on a CPU are the faster ones: to add, to replace an entry, and to exponentiate.
LARGE_ARRAY_SIZE = 4096
# Whether XLA on CPU adds many rows in blocks. Before, it lost up to 15 ULP.
ADDS_IN_BLOCKS = jax.__version_info__ >= (0, 10, 2)


def row_sum(x: Float[Array, "*batch classes"]) -> Float[Array, "*batch"]:
    """The sum over the last axis, to half an ULP for positive terms; of many rows of float32, to some 3 ULP.

    XLA on CPU adds a single row, or few, one term after the other: after a 1, 100,000 terms of 10⁻⁸ would all be lost.
    Many rows of float32 it adds in blocks, well and fast, from JAX 0.10.2 on.
    """
    many_rows = ADDS_IN_BLOCKS and x.size > x.shape[-1] and x.size >= LARGE_ARRAY_SIZE
    return x.sum(-1) if many_rows and x.dtype == jnp.float32 else compensated_sum(x)


@jax.jit
def weighted_sum(y: Float[Array, "*batch classes"], x: Float[Array, "*batch classes"]) -> Float[Array, "*batch"]:
    r"""$\sum_k y_k x_k$, where $0 \cdot \infty = 0$: a class without weight costs nothing, whatever it would."""
    total = row_sum(y * x)

    def without_zeros() -> Array:
        return row_sum(jnp.where(y == 0, 0, y * x))

    return lax.cond(jnp.isnan(total).any(), without_zeros, lambda: total)


def compensated_sum(x: Float[Array, "*batch classes"]) -> Float[Array, "*batch"]:
    """One half to the other until one term is left, and what that rounds off beside it: as if rounded once."""
    rounded_off = jnp.zeros_like(x)
    while (n := x.shape[-1]) > 1:
        (a, b, odd), (off_a, off_b, off_odd) = (jnp.split(y, (n // 2, n // 2 * 2), axis=-1) for y in (x, rounded_off))
        total, error = two_sum(a, b)
        x = jnp.concatenate([total, odd], axis=-1)
        rounded_off = jnp.concatenate([off_a + off_b + error, off_odd], axis=-1)
    return jnp.where(jnp.isfinite(x), x + rounded_off, x)[..., 0]  # beside ±∞, `rounded_off` is NaN


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """The rounded sum of a and b, and what it lacks: together exactly a + b (Knuth). NaN where the sum overflows."""
    total = a + b
    b_taken = total - a
    return total, (a - (total - b_taken)) + (b - b_taken)
