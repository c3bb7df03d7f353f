r"""The last layer of Task 21, $R = L(g(Bh))$, for many classes: its gradients without the N×K logits."""

import math
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from manual_grads.formulas.inputs import as_floats, as_vectors
from manual_grads.nn.linear_cross_entropy_blocks import Blocks, gradients, losses, losses_and_gradients
from manual_grads.nn.linear_cross_entropy_inputs import as_class_indices, as_count, as_mask, check_axis
from manual_grads.nn.linear_cross_entropy_mesh import all_classes, summed_like, total, varying
from manual_grads.nn.linear_cross_entropy_tiles import computed

TILE = 2**18  # logits: a megabyte of float32, which stays in a core's cache


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
    r"""$R = -\ln g_y(Bh)$, where $\partial R/\partial h = B^T (g - y)$ and $\partial R/\partial B = (g - y) h^T$.

    Raises: ...
    """
    hidden, weights = as_vectors("hidden", hidden), as_floats("weights", weights, ndim=2)
    if weights.shape[0] == 0:
        raise ValueError(f"weights has shape {weights.shape}, expected at least one class on the first axis")
    if weights.shape[1] != hidden.shape[-1]:
        raise ValueError(
            f"weights has shape {weights.shape}, expected classes × {hidden.shape[-1]}, as hidden has shape {hidden.shape}"
        )
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction is {reduction!r}, expected 'mean', 'sum' or 'none'")
    if class_axis is not None:
        check_axis(class_axis)
    batch = hidden.shape[:-1]
    keep = as_mask(True if where is None else where, batch)
    y = as_class_indices(labels, keep, batch, all_classes(weights.shape[0], class_axis)).reshape(-1)
    h, keep = hidden.reshape(math.prod(batch), hidden.shape[-1]), keep.reshape(-1)
    if where is not None:
        h = jnp.where(keep[:, None], h, 0)
    rows, classes = block_sizes(h.shape[0])
    blocks = Blocks(as_count("block_rows", block_rows, rows), as_count("block_classes", block_classes, classes), class_axis)
    if reduction == "none":
        return jnp.where(keep, example_losses(h, weights, y, blocks), 0).reshape(batch)
    c = jnp.asarray(keep, computed(h, weights))
    if reduction == "mean":
        c = c / jnp.maximum(c.sum(), 1)
    return weighted_loss(h, weights, y, c, blocks)


def block_sizes(examples: int) -> tuple[int, int]:
    """The default numbers of examples in a block, all of them, and of classes in a tile."""
    examples = max(examples, 1)
    return examples, max(TILE // examples, 64)


@partial(jax.custom_jvp, nondiff_argnums=(4,))
def weighted_loss(h: Array, B: Array, y: Array, c: Array, blocks: Blocks) -> Array:
    """$c^T R$, whose gradients are computed with it."""
    loss, _ = losses(h, B, y, blocks)
    return (c * loss).sum()


@weighted_loss.defjvp
def weighted_loss_jvp(blocks: Blocks, primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    """$c^T R$, and how fast it changes: $dh \\cdot t_h + dB \\cdot t_B$. Transposed, that scales dh and dB."""
    h, B, y, c = primals
    t_h, t_B, _, _ = tangents
    loss, dh, dB = losses_and_gradients(h, B, y, c, blocks)
    return (c * loss).sum(), total((dh * t_h).sum() + (dB * t_B).sum(), blocks.axis)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def example_losses(h: Array, B: Array, y: Array, blocks: Blocks) -> Array:
    """R of each example."""
    return losses(h, B, y, blocks)[0]


def example_losses_forward(h: Array, B: Array, y: Array, blocks: Blocks) -> tuple[Array, tuple]:
    """The same, and what the gradients need."""
    loss, log_z = losses(h, B, y, blocks)
    return loss, (h, B, y, loss, log_z)


def example_losses_backward(blocks: Blocks, residuals: tuple, c: Array) -> tuple[Array, Array, None]:
    """The gradients, of logits that are computed again."""
    h, B, y, loss, log_z = residuals
    if blocks.axis is not None and not varying(B):
        c = lax.psum(c, blocks.axis)  # without the check of varying axes, each device has its share of the cotangent
    dh, dB = gradients(h, B, y, loss, log_z, c, blocks)
    return summed_like(dh, h).astype(h.dtype), summed_like(dB, B).astype(B.dtype), None


example_losses.defvjp(example_losses_forward, example_losses_backward)
