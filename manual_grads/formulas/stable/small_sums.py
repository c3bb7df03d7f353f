"""Sums of exponentials of which the largest are left out: what is left may underflow term by term, and still matter."""

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from manual_grads.formulas.stable.exponentials import Exponential, largest_of, scaled_exp, scaled_normalizer

# Of a sum of shifted exponentials. Terms below 2⁻¹²⁶ are flushed to 0: 2²⁰ of them are less than 2⁻²⁴ of such a sum.
MIN_EXACT_SUM = 2.0**-80
# Numbers at a time, for what isn't to take memory: 64 KiB of float32, in any processor's cache.
BLOCK_SIZE = 2**14


def small_sum(
    sum_of: Callable[..., Array],
    e: Float[Array, "*batch classes"],
    exp: Exponential,
    s: Float[Array, "*batch classes"],
    m: Float[Array, "*batch"],
    *rest: Array,
) -> Float[Array, "*batch"]:
    """The normalized sum of some of the exponentials e, `sum_of(e, *rest)`, in which no underflow is felt.

    Where terms may have underflown that matter, it is computed again of scaled exponentials. The exponentials are
    `e = exp.of(s, m)`; `rest` has something for each row.
    """
    total = sum_of(e, *rest)
    if not exp.may_underflow:
        return total * exp.normalizer(m)

    def rescaled() -> Array:
        again = in_blocks(lambda s, m, *rest: sum_of(scaled_exp(s, m), *rest), s, m, *rest, batch=m.ndim)
        return again * scaled_normalizer(m) * largest_of(exp, m)

    return lax.cond((total < MIN_EXACT_SUM).any(), rescaled, lambda: total * exp.normalizer(m))


def in_blocks(function: Callable[..., Array], *rows: Array, batch: int) -> Float[Array, "*batch"]:
    """A function of rows, of some at a time: what hardly ever occurs isn't to take memory that is always set aside.

    `batch` is the number of leading axes that number the rows; the first of `rows` has one axis more, the classes.
    """
    flat = [x.reshape(-1, *x.shape[batch:]) for x in rows]
    count, classes = flat[0].shape
    block = min(count, max(1, BLOCK_SIZE // classes))

    def step(j: Array, results: Array) -> Array:
        some = (lax.dynamic_slice_in_dim(x, j * block, block) for x in flat)  # clamped: the last block may overlap
        return lax.dynamic_update_slice_in_dim(results, function(*some), j * block, 0)

    results = lax.fori_loop(0, -(-count // block), step, jnp.zeros_like(flat[1]))
    return results.reshape(rows[0].shape[:batch])
