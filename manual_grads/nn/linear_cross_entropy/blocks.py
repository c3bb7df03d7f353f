r"""The losses $R = L(g(Bh))$ of Task 21 and the gradients of $a^T R$, for a block of examples after the other.

The block and its tiles are all that is held of the N×K logits. The gradients need them twice, before and after the
normalizers are known. On a CPU they are kept where that costs little memory: whole if one tile has all classes, and
otherwise in the memory that dB will be written to, the logits of as many examples as dB has columns. The others are
kept beside it if they take no more than dB does (a quarter of dense autodiff's memory at most), else computed again.

dB is in the dtype of computation until it is complete: on a CPU, XLA would write each tile of bfloat16 by converting
all of dB, there and back.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from manual_grads.formulas.stable.exponentials import once
from manual_grads.nn.linear_cross_entropy import tiles
from manual_grads.nn.linear_cross_entropy.logits import label_logits, local_labels
from manual_grads.nn.linear_cross_entropy.mesh import varying_like
from manual_grads.nn.linear_cross_entropy.options import Indices, Layer, Settings, Shares, Statistics
from manual_grads.nn.linear_cross_entropy.platforms import Tiling, by_platform


def find_statistics(layer: Layer, y: Indices, settings: Settings) -> Statistics:
    """R and ln Z of each example, and what the options need."""
    s_y, y = label_logits(layer, y, settings), local_labels(y, layer, settings)

    def all_blocks(tiling: Tiling, layer: Layer, y: Indices, s_y: Array) -> Statistics:
        def block(sums: None, h: Array, y: Array, s_y: Array) -> tuple[Statistics, None]:
            del sums  # nothing is
            some = of_block(layer, h)
            _, running = tiles.normalizer_pass(some, y, s_y, (None, None), 0, tiling.classes, settings)
            return tiles.statistics(running, s_y, some, settings), None

        return in_blocks(block, None, tiling.rows, layer.h, y, s_y)[0]

    return by_platform(all_blocks, settings, layer.h.shape[0], layer, y, s_y)


def gradients(layer: Layer, y: Indices, found: Statistics, shares: Shares, settings: Settings) -> Layer:
    r"""The gradients of $a^T R + \lambda\,b^T (\ln Z)^2$, from R and ln Z."""
    y = local_labels(y, layer, settings)
    found = Statistics(found.loss, found.log_z)

    def all_blocks(tiling: Tiling, layer: Layer, y: Indices, found: Statistics, shares: Shares) -> Layer:
        def block(sums: Layer | None, h: Array, y: Array, found: Statistics, shares: Shares) -> tuple[Array, Layer]:
            into = None if tiling.keeps_logits else sums
            written = jnp.zeros(layer.B.shape, layer.dtype) if into is None else None
            some = of_block(layer, h)
            new = tiles.gradient_pass(some, y, found, shares, (written, None), 0, tiling.classes, settings, into)
            return new.h, added(sums, new, into)

        zero = nothing(layer, y, found, shares)
        dh, sums = in_blocks(block, zero, tiling.rows, layer.h, y, found, shares)
        return sums._replace(h=dh)

    return rounded(by_platform(all_blocks, settings, layer.h.shape[0], layer, y, found, shares), layer)


def statistics_and_gradients(layer: Layer, y: Indices, shares: Shares, settings: Settings) -> tuple[Statistics, Layer]:
    r"""R and ln Z of each example, and the gradients of $a^T R + \lambda\,b^T (\ln Z)^2$."""
    s_y, y = label_logits(layer, y, settings), local_labels(y, layer, settings)

    def all_blocks(tiling: Tiling, layer: Layer, y: Indices, s_y: Array, shares: Shares) -> tuple[Statistics, Layer]:
        def block(
            sums: Layer | None, h: Array, y: Array, s_y: Array, shares: Shares
        ) -> tuple[tuple[Statistics, Array], Layer]:
            some = of_block(layer, h)
            into = None if tiling.keeps_logits or tiling.classes >= layer.B.shape[0] else sums
            memory, stored = memory_of(tiling, some, into)
            memory, running = tiles.normalizer_pass(some, y, s_y, memory, stored, tiling.classes, settings)
            found = tiles.statistics(running, s_y, some, settings)
            new = tiles.gradient_pass(some, y, found, shares, memory, stored, tiling.classes, settings, into)
            return (found, new.h), added(sums, new, into)

        zero = nothing(layer, y, s_y, shares)
        (found, dh), sums = in_blocks(block, zero, tiling.rows, layer.h, y, s_y, shares)
        return found, sums._replace(h=dh)

    found, grads = by_platform(all_blocks, settings, layer.h.shape[0], layer, y, s_y, shares)
    return found, rounded(grads, layer)


def of_block(layer: Layer, h: Array) -> Layer:
    """The layer, of a block's examples.

    As one with them, B isn't the same for all blocks: or JAX and XLA would take what is computed of B alone, its tiles
    and their transposes, out of the loop over the blocks, and keep copies of all of it.
    """
    some = layer._replace(h=h)
    return some if h.shape == layer.h.shape else once(some)


def memory_of(tiling: Tiling, layer: Layer, into: Layer | None) -> tuple[tiles.Memory, int]:
    """Where a block's logits are kept, and of how many examples in what dB is written over.

    All in one tile's memory, or those of as many examples as dB has columns in dB's.
    """
    (examples, columns), (classes, _) = layer.h.shape, layer.B.shape
    if tiling.classes >= classes:
        return (jnp.zeros((classes, examples), layer.dtype), None), examples
    if not tiling.keeps_logits:
        return (jnp.zeros(layer.B.shape, layer.dtype) if into is None else None, None), 0
    stored = min(examples, columns)
    # The other examples' beside it, unless that takes more than dB does.
    others = examples - stored
    beside = jnp.zeros((classes, others), layer.dtype) if 0 < others <= stored else None
    return (jnp.zeros(layer.B.shape, layer.dtype), beside), stored


def in_blocks(block: Callable, zero: Any, size: int, *examples: Any) -> tuple[Any, Any]:
    """What `block(sums, ...)` returns for `size` examples after the other: what is each example's, and the sums."""
    count = jax.tree.leaves(examples)[0].shape[0]
    if size >= count:
        return block(None, *examples)

    def add(sums: Any, args: tuple) -> tuple[Any, Any]:
        each, new = block(sums, *args)
        return new, each

    whole = count - count % size
    sums, each = lax.scan(add, zero, jax.tree.map(lambda x: x[:whole].reshape(-1, size, *x.shape[1:]), examples))
    each = jax.tree.map(lambda x: x.reshape(whole, *x.shape[2:]), each)
    if whole < count:
        sums, rest = add(sums, jax.tree.map(lambda x: x[whole:], examples))
        each = jax.tree.map(lambda *pair: jnp.concatenate(pair), each, rest)
    return each, sums


def nothing(layer: Layer, *others: Any) -> Layer:
    """Zeros for what is summed over blocks of examples: dB, db and dα."""
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, layer.dtype), layer._replace(h=None))
    return varying_like(zeros, *jax.tree.leaves((layer, others)))


def added(sums: Layer | None, new: Layer, into: Layer | None) -> Layer:
    """The sums with a block's, to some of which these are added already where they were written `into` them."""
    new = new._replace(h=None)
    if sums is None:
        return new
    if into is None:
        return jax.tree.map(lambda x, y: x + y, sums, new)
    return new if new.scale is None or sums.scale is None else new._replace(scale=sums.scale + new.scale)


def rounded(grads: Layer, layer: Layer) -> Layer:
    """The gradients, dB in B's own dtype until it is scaled; but not in float16, in which small ones would be lost."""
    return grads._replace(B=grads.B.astype(jnp.promote_types(layer.B.dtype, jnp.bfloat16)))
