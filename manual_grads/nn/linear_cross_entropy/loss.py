r"""The last layer of Task 21, $R = L(g(Bh))$, for many classes: the loss and its gradients without the N×K logits."""

import math
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Bool, Float, Int

from manual_grads.formulas.inputs import ArrayLike
from manual_grads.nn.linear_cross_entropy.blocks import Blocks, gradients, losses, losses_and_gradients
from manual_grads.nn.linear_cross_entropy.inputs import as_class_indices, as_count, as_included, as_layer, check_axis
from manual_grads.nn.linear_cross_entropy.mesh import all_classes, summed_like, total, varying
from manual_grads.nn.linear_cross_entropy.tiles import computed

# Logits: a megabyte of float32, which stays in a core's cache.
TILE_SIZE = 2**18
# Classes of a tile, however many examples there are: fewer rows make matrix products slow.
MIN_TILE_CLASSES = 64


def linear_softmax_cross_entropy(
    hidden: Float[ArrayLike, "*batch hidden"],
    weights: Float[ArrayLike, "classes hidden"],
    labels: Int[ArrayLike, "*batch"],
    *,
    where: Bool[ArrayLike, "..."] | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    block_rows: int | None = None,
    block_classes: int | None = None,
    class_axis: Any = None,
) -> Float[Array, "*out"]:
    r"""$R = -\ln g_y(Bh)$, the softmax's log-loss of a linear layer, for many classes; per example, or reduced.

    Values and gradients are those of `softmax_cross_entropy_with_integer_labels(hidden @ weights.T, labels)`, without
    the N×K logits that autodiff keeps. For "mean" and "sum" the gradients are computed with the loss, and only scaled
    afterwards; inside a `lax.scan` that is differentiated as a whole, wrap the step in `jax.checkpoint`, or each step
    keeps its own. For "none" they are computed when the cotangents are known. An undifferentiated call computes the
    loss alone. `jax.jvp` and second derivatives work too, except forward mode of "none", which raises JAX's TypeError.

    Args:
        hidden: h, floating, with any number of leading batch axes; N examples in all.
        weights: B, floating, classes × hidden.
        labels: class indices, of shape `hidden.shape[:-1]`.
        where: which examples take part, as bools that can be broadcast to that shape. The others cost nothing and get
            gradient 0, whatever their features and labels hold. A mean is over those that take part, and 0 if none do.
        reduction: "mean", "sum" or "none".
        block_rows: the number of examples to handle at a time. All, if None: fewer need less memory beside a tile, but
            another dB to add up. (If a block has more examples than h has columns, but at most twice as many, the
            logits of those beyond are kept, too: at most as much memory as dB takes.)
        block_classes: the number of classes in a tile. If None, as many as make 2¹⁸ logits with the examples, but at
            least 64. Neither number need divide anything.
        class_axis: inside `jax.shard_map`, the mesh axis that the classes are split over: `weights` holds this device's
            classes, `labels` count all of them (see docs/sharding.md). A mean is over this device's examples.

    Returns:
        R of shape `hidden.shape[:-1]`, or a scalar, in the dtype that `hidden` and `weights` promote to, float32 at
        least: products of float16 and bfloat16 are added up in float32, and gradients rounded to their arguments'
        dtypes (where the cotangent isn't 1, dB in bfloat16 is rounded again when it is scaled).

        Accuracy is componentwise: a logit is wrong by up to H u |h|·|b|, an entry of g − y relatively by twice that and
        the roundings of one exponential and of the sum in its denominator. R and the label's entry 1 − g_y are computed
        without cancellation: they keep their digits in a saturated example.

    Raises:
        TypeError: if `hidden` or `weights` isn't floating, `labels` not integer, `where` not bool, a block size not an
            integer.
        ValueError: if shapes don't fit or there are no classes, `reduction` is another word, a block size isn't
            positive, `class_axis` is no axis of a mesh here, or a label whose value is known is outside [0, classes)
            (where it is traced, R and the gradients that it takes part in are NaN).

    From: Task 21, ∂R/∂B and ∂R/∂σ.
    """
    # What was given, checked: the layer, then which examples take part, then their labels.
    hidden, weights = as_layer(hidden, weights)
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction is {reduction!r}, expected 'mean', 'sum' or 'none'")
    if class_axis is not None:
        check_axis(class_axis)
    batch = hidden.shape[:-1]
    keep = as_included(True if where is None else where, batch)
    y = as_class_indices(labels, keep, batch, all_classes(weights.shape[0], class_axis)).reshape(-1)
    # One axis of examples; of those left out, not even NaN features may reach a product.
    h, keep = hidden.reshape(math.prod(batch), hidden.shape[-1]), keep.reshape(-1)
    if where is not None:
        h = jnp.where(keep[:, None], h, 0)
    # How it is cut into blocks of examples and tiles of classes.
    rows, classes = block_sizes(h.shape[0])
    blocks = Blocks(
        as_count("block_rows", block_rows, rows), as_count("block_classes", block_classes, classes), class_axis
    )
    # The losses, or their sum weighted by c.
    if reduction == "none":
        return jnp.where(keep, example_losses(h, weights, y, blocks), 0).reshape(batch)
    c = jnp.asarray(keep, computed(h, weights))
    if reduction == "mean":
        c = c / jnp.maximum(c.sum(), 1)
    return weighted_loss(h, weights, y, c, blocks)


def block_sizes(examples: int) -> tuple[int, int]:
    """The default numbers of examples in a block, all of them, and of classes in a tile."""
    examples = max(examples, 1)
    return examples, max(TILE_SIZE // examples, MIN_TILE_CLASSES)


@partial(jax.custom_jvp, nondiff_argnums=(4,))
def weighted_loss(h: Array, B: Array, y: Array, c: Array, blocks: Blocks) -> Array:
    """$c^T R$, whose gradients are computed with it."""
    loss, _ = losses(h, B, y, blocks)
    return (c * loss).sum()


@partial(weighted_loss.defjvp, symbolic_zeros=True)
def weighted_loss_jvp(blocks: Blocks, primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    r"""$c^T R$, and how fast it changes: $dh \cdot t_h + dB \cdot t_B$. Transposed, that scales dh and dB."""
    h, B, y, c = primals
    t_h, t_B, _, _ = tangents
    if isinstance(t_B, SymbolicZero):  # B is frozen: there is no dB, nor its memory to keep logits in
        loss, log_z = losses(h, B, y, blocks)
        dh, _ = gradients(h, B, y, loss, log_z, c, blocks)
        rate = (dh * t_h).sum()
    else:
        loss, dh, dB = losses_and_gradients(h, B, y, c, blocks)
        rate = (dB * t_B).sum()
        if not isinstance(t_h, SymbolicZero):
            rate += (dh * t_h).sum()
    return (c * loss).sum(), total(rate, blocks.axis)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def example_losses(h: Array, B: Array, y: Array, blocks: Blocks) -> Array:
    r"""$R = -\ln g_y(Bh)$ of each example."""
    return losses(h, B, y, blocks)[0]


def example_losses_forward(h: Array, B: Array, y: Array, blocks: Blocks) -> tuple[Array, tuple[Array, ...]]:
    """R of each example; and what the gradients need: the arguments, R and ln Z."""
    loss, log_z = losses(h, B, y, blocks)
    return loss, (h, B, y, loss, log_z)


def example_losses_backward(blocks: Blocks, residuals: tuple, c: Array) -> tuple[Array, Array, None]:
    r"""$dh = G^T B$ and $dB = G h$ with $G = c\,(g - y)$, of logits that are computed again."""
    h, B, y, loss, log_z = residuals
    if blocks.axis is not None and not varying(B):
        c = lax.psum(c, blocks.axis)  # without the check of varying axes, each device has its share of the cotangent
    dh, dB = gradients(h, B, y, loss, log_z, c, blocks)
    return summed_like(dh, h).astype(h.dtype), summed_like(dB, B).astype(B.dtype), None


example_losses.defvjp(example_losses_forward, example_losses_backward)
