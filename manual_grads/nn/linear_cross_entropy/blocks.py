r"""The losses $R = L(g(Bh))$ of Task 21 and the gradients of $c^T R$, for a block of examples after the other.

The block and its tiles are all that is held of the N×K logits. The gradients need them twice, before and after the
normalizers are known. They are kept where that costs little memory: whole if one tile has all classes, and otherwise in
the memory that dB will be written to, the logits of as many examples as dB has columns. The others are kept beside it
if they take no more than dB does (a quarter of dense autodiff's memory at most), and else computed again.

dB is in the dtype of computation until it is complete: on a CPU, XLA would write each tile of bfloat16 by converting
all of dB, there and back. (It converts bfloat16 weights as a whole, too, but once.)
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from manual_grads.nn.linear_cross_entropy import tiles
from manual_grads.nn.linear_cross_entropy.mesh import varying_like
from manual_grads.nn.linear_cross_entropy.tiles import Hidden, Indices, PerExample, Weights


class Blocks(NamedTuple):
    """How many examples a block has and classes a tile, and the mesh axis that the classes are split over, if any."""

    examples: int
    classes: int
    axis: Any = None


def losses(h: Hidden, B: Weights, y: Indices, blocks: Blocks) -> tuple[PerExample, PerExample]:
    """R and ln Z of each example."""
    s_y, y = tiles.label_logits(h, B, y, blocks.axis), tiles.local_labels(y, B, blocks.axis)

    def block(h: Hidden, y: Indices, s_y: PerExample) -> tuple[tuple[PerExample, PerExample], None]:
        _, m, o = tiles.normalizer_pass(h, B, y, s_y, (None, None), 0, blocks.classes)
        return tiles.loss_and_normalizer(m, o, s_y, blocks.axis), None

    (loss, log_z), _ = in_blocks(block, None, blocks.examples, h, y, s_y)
    return loss, log_z


def gradients(
    h: Hidden, B: Weights, y: Indices, loss: PerExample, log_z: PerExample, c: PerExample, blocks: Blocks
) -> tuple[Hidden, Weights]:
    """The gradients dh and dB of $c^T R$, from R and ln Z."""
    y = tiles.local_labels(y, B, blocks.axis)

    def block(
        h: Hidden, y: Indices, loss: PerExample, log_z: PerExample, c: PerExample
    ) -> tuple[tuple[Hidden], Weights]:
        dh, dB = tiles.gradient_pass(h, B, y, loss, log_z, c, (jnp.zeros(B.shape, c.dtype), None), 0, blocks.classes)
        return (dh,), dB

    zero = varying_like(jnp.zeros(B.shape, c.dtype), h, B, y, loss, c)
    (dh,), dB = in_blocks(block, zero, blocks.examples, h, y, loss, log_z, c)
    return dh, dB.astype(kept(B))


def losses_and_gradients(
    h: Hidden, B: Weights, y: Indices, c: PerExample, blocks: Blocks
) -> tuple[PerExample, Hidden, Weights]:
    """R of each example, and the gradients dh and dB of $c^T R$."""
    s_y, y = tiles.label_logits(h, B, y, blocks.axis), tiles.local_labels(y, B, blocks.axis)

    def block(h: Hidden, y: Indices, s_y: PerExample, c: PerExample) -> tuple[tuple[PerExample, Hidden], Weights]:
        # Where the logits are kept: all in one tile's memory, or those of `stored` examples in dB's.
        examples = h.shape[0]
        if blocks.classes >= B.shape[0]:
            written, stored = jnp.zeros((B.shape[0], examples), c.dtype), examples
        else:
            written, stored = jnp.zeros(B.shape, c.dtype), min(h.shape)
        # The other examples' beside it, unless that takes more than dB does.
        others = examples - stored
        memory = written, jnp.zeros((B.shape[0], others), c.dtype) if 0 < others <= stored else None
        # Two passes over the classes.
        memory, m, o = tiles.normalizer_pass(h, B, y, s_y, memory, stored, blocks.classes)
        loss, log_z = tiles.loss_and_normalizer(m, o, s_y, blocks.axis)
        dh, dB = tiles.gradient_pass(h, B, y, loss, log_z, c, memory, stored, blocks.classes)
        return (loss, dh), dB

    zero = varying_like(jnp.zeros(B.shape, c.dtype), h, B, y, s_y, c)
    (loss, dh), dB = in_blocks(block, zero, blocks.examples, h, y, s_y, c)
    return loss, dh, dB.astype(kept(B))


def in_blocks(block: Callable, zero: Any, size: int, *examples: Array) -> tuple[tuple[Array, ...], Any]:
    """What `block` returns for `size` examples after the other: what is each example's, and the sum of what is not."""
    count = examples[0].shape[0]
    if size >= count:
        return block(*examples)

    def add(summed: Any, args: list[Array]) -> tuple[Any, tuple[Array, ...]]:
        each, new = block(*args)
        return None if summed is None else summed + new, each

    whole = count - count % size
    summed, each = lax.scan(add, zero, [x[:whole].reshape(-1, size, *x.shape[1:]) for x in examples])
    each = tuple(x.reshape(whole, *x.shape[2:]) for x in each)
    if whole < count:
        summed, rest = add(summed, [x[whole:] for x in examples])
        each = tuple(jnp.concatenate(pair) for pair in zip(each, rest, strict=True))
    return each, summed


def kept(B: Weights) -> Any:
    """The dtype of dB until it is scaled: B's own, but not float16, in which small gradients would be lost."""
    return jnp.promote_types(B.dtype, jnp.bfloat16)
