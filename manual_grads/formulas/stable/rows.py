"""Functions of rows of logits: quickly where that is right, and with care, some rows at a time, elsewhere."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from manual_grads.formulas.inputs import widen
from manual_grads.formulas.stable.parts import is_few
from manual_grads.formulas.stable.sums import ADDS_IN_BLOCKS, is_large, is_sharded

# Numbers at a time, for what isn't to take memory: 64 KiB of float32, in any processor's cache.
BLOCK_SIZE = 2**14


def with_quick(quick: Callable[..., tuple[Any, Bool[Array, "*batch"]]]) -> Callable[[Callable[..., Any]], Any]:
    """A function of rows of logits and of what each row has beside them, by `quick` where that is faster and right.

    The function as it was written is the attribute `careful` of what is returned.

    Both compute in float32 at least; the result is of the logits' dtype. The derivative is that of the function itself:
    `quick` may be such as has none.
    """

    def decorate(careful: Callable[..., Any]) -> Callable[..., Any]:
        careful_rows, quick_rows = in_wide(careful), partial(quickly, careful, quick)

        @wraps(careful)
        def rows(s: Float[Array, "*batch classes"], *rest: Any) -> Any:
            if not is_quick(s):
                return careful_rows(s, *rest)
            return lax.platform_dependent(s, *rest, cpu=quick_rows, default=careful_rows)

        chosen: Any = jax.jit(rows)
        chosen.careful = careful  # for what is careful itself
        return chosen

    return decorate


def is_quick(s: Float[Array, "*batch classes"]) -> bool:
    """Whether a CPU is faster with the quick forms, and adds with enough digits: many numbers, in more than one row."""
    classes = s.shape[-1]
    return is_large(s) and s.size > classes > 1 and (ADDS_IN_BLOCKS or is_few(s)) and not is_sharded(s)


def in_wide(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function computed in float32 at least, with floats of the first argument's dtype as results."""

    @wraps(function)
    def wide(s: Array, *rest: Array) -> Any:
        def cast(x: Array) -> Array:
            return x.astype(s.dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x

        widened = (widen(x) if jnp.issubdtype(x.dtype, jnp.floating) else x for x in (s, *rest))
        return jax.tree.map(cast, function(*widened))

    return wide


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def quickly(careful: Callable[..., Any], quick: Callable[..., Any], s: Array, *rest: Array) -> Any:
    """`careful(s, *rest)`, of which `quick` computes the rows that it may."""
    results, right = in_wide(quick)(s, *rest)
    return with_rows_again(in_wide(careful), results, ~right, s, *rest)


@quickly.defjvp
def quickly_jvp(
    careful: Callable[..., Any], quick: Callable[..., Any], primals: tuple[Array, ...], tangents: tuple[Any, ...]
) -> tuple[Any, Any]:
    """Its results, and how fast those of `careful` change."""
    _, rates = jax.jvp(in_wide(careful), primals, tangents)
    return quickly(careful, quick, *primals), rates


def with_rows_again(function: Callable[..., Any], results: Any, again: Bool[Array, "*batch"], *rows: Array) -> Any:
    """The results of a function of rows, computed for those that are marked: a block of rows at a time.

    The loop is over blocks that have such a row, so that it costs nothing where there is none. What it writes into is
    `results`; a conditional would copy them.
    """
    batch = again.shape
    flat = [x.reshape(-1, *x.shape[len(batch) :]) for x in rows]
    count, classes = flat[0].shape
    size = min(count, max(1, BLOCK_SIZE // classes))
    blocks = -(-count // size)
    marked = jnp.pad(again.reshape(-1), (0, blocks * size - count)).reshape(blocks, size).any(-1)
    marked = jnp.append(marked, True)  # where the loop ends

    def next_marked(j: Array | int) -> Array:
        # Compiled as one loop, which a minimum is not.
        return lax.argmax(marked & (jnp.arange(blocks + 1) > j), 0, jnp.int32)

    def step(state: tuple[Array, Any]) -> tuple[Array, Any]:
        j, results = state
        start = j * size  # of the last block, less: it ends with the rows
        found = function(*(lax.dynamic_slice_in_dim(x, start, size) for x in flat))
        return next_marked(j), jax.tree.map(
            lambda x, again: lax.dynamic_update_slice_in_dim(x, again, start, 0), results, found
        )

    flat_results = jax.tree.map(lambda x: x.reshape(count, *x.shape[len(batch) :]), results)
    _, done = lax.while_loop(lambda state: state[0] < blocks, step, (next_marked(-1), flat_results))
    return jax.tree.map(lambda x: x.reshape(*batch, *x.shape[1:]), done)
