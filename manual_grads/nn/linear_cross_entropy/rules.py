r"""The derivative rules of the loss of a linear layer: one for sums over the examples, one for each example's own."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float, Int

from manual_grads.formulas.stable.sums import finite_product, rate_of_weight
from manual_grads.nn.linear_cross_entropy.blocks import find_statistics, gradients, statistics_and_gradients
from manual_grads.nn.linear_cross_entropy.mesh import all_classes, summed_like, total, varying
from manual_grads.nn.linear_cross_entropy.options import Indices, Layer, PerExample, Settings, Shares, Statistics


class Aux(NamedTuple):
    """What the passes know of each example beside its loss; not differentiated."""

    log_normalizer: Float[Array, "*batch"]  # ln Z
    label_log_prob: Float[Array, "*batch"]  # ln g_y
    prediction: Int[Array, "*batch"]  # the first class of the largest logit


class Losses(NamedTuple):
    """Each example's R, λ (ln Z)² if z-loss is asked for, and what `has_aux` asks for."""

    loss: PerExample
    penalty: PerExample | None
    aux: Aux | None


def losses_of(found: Statistics, layer: Layer, settings: Settings) -> Losses:
    r"""$R = -\ln g_y + \frac{\epsilon}{K} \sum_k (s_y - s_k)$ and $\lambda\,(\ln Z)^2$.

    Textbook: $-\sum_k y'_k \ln g_k$ with $y'_k = (1 - \epsilon)\,I(k=y) + \epsilon/K$; as $y'$ sums to one, each class
    costs $-\ln g_y + (s_y - s_k)$.
    """
    loss = found.loss
    if found.spread is not None:
        loss = loss + settings.label_smoothing / all_classes(layer.B.shape[0], settings.axis) * found.spread
    aux = None
    if found.prediction is not None:
        # As floats, which have a tangent of their own kind: they are exact up to 2²⁴ classes.
        aux = Aux(found.log_z, -found.loss, found.prediction.astype(layer.dtype))
    return Losses(loss, settings.z_loss * jnp.square(found.log_z) if settings.z_loss else None, aux)


@partial(jax.custom_jvp, nondiff_argnums=(3,))
def weighted_loss(layer: Layer, y: Indices, shares: Shares, settings: Settings) -> tuple[Array, Aux | None]:
    r"""$a^T R + \lambda\,b^T (\ln Z)^2$, whose gradients are computed with it."""
    losses = losses_of(find_statistics(layer, y, settings), layer, settings)
    return weighted(losses, shares, layer), losses.aux


@partial(weighted_loss.defjvp, symbolic_zeros=True)
def weighted_loss_jvp(settings: Settings, primals: tuple, tangents: tuple) -> tuple[tuple, tuple]:
    r"""The sum, and how fast it changes: $dh \cdot t_h + dB \cdot t_B + \dots$ Transposed, that scales dh, dB, ...

    Nothing changes what `has_aux` asks for.
    """
    (layer, y, shares), (t, _, t_shares) = primals, tangents
    if isinstance(t.B, SymbolicZero):  # B is frozen: there is no dB, nor its memory to keep logits in
        found = find_statistics(layer, y, settings)
        grads = gradients(layer, y, found, shares, settings)
    else:
        found, grads = statistics_and_gradients(layer, y, shares, settings)
    losses = losses_of(found, layer, settings)
    # The classes' share of the rate is split over devices, the examples' isn't.
    rate: Any = total(changed(grads, t, layer.dtype), settings.axis)
    for cost, t_share in zip((losses.loss, losses.penalty), t_shares, strict=True):
        if not (cost is None or t_share is None or isinstance(t_share, SymbolicZero)):
            rate += rate_of_weight(t_share, cost).sum(-1)
    return (weighted(losses, shares, layer), losses.aux), (rate, jax.tree.map(jnp.zeros_like, losses.aux))


def changed(grads: Layer, t: Layer, dtype: Any) -> Array:
    """The sum of the gradients' products with what their arguments change by."""
    rates = []
    for grad, by in zip((grads.B, grads.h, grads.bias, grads.scale), (t.B, t.h, t.bias, t.scale), strict=True):
        if grad is not None and by is not None and not isinstance(by, SymbolicZero):
            rates.append((grad.astype(dtype) * by.astype(dtype)).sum())
    return sum(rates[1:], rates[0]) if rates else jnp.zeros((), dtype)


def weighted(losses: Losses, shares: Shares, layer: Layer) -> Array:
    r"""$a^T R + b^T \lambda\,(\ln Z)^2$."""
    value = weigh(shares.of_loss, losses.loss, layer).sum()
    return value if losses.penalty is None else value + weigh(shares.of_normalizer, losses.penalty, layer).sum()


def weigh(share: Any, cost: PerExample, layer: Layer) -> PerExample:
    """Share times cost, where a share of 0 costs nothing, even of ∞: only a bias can make that of finite arguments."""
    return share * cost if layer.bias is None else finite_product(share, cost)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def example_losses(layer: Layer, y: Indices, settings: Settings) -> Losses:
    r"""R and $\lambda\,(\ln Z)^2$ of each example."""
    return losses_of(find_statistics(layer, y, settings), layer, settings)


def example_losses_forward(layer: Layer, y: Indices, settings: Settings) -> tuple[Losses, tuple]:
    """The losses; and what the gradients need: the arguments, R and ln Z."""
    found = find_statistics(layer, y, settings)
    return losses_of(found, layer, settings), (layer, y, Statistics(found.loss, found.log_z))


def example_losses_backward(settings: Settings, residuals: tuple, cotangents: Losses) -> tuple[Layer, None]:
    r"""$dh = G^T B$ and $dB = G h$ with $G = a\,(g - y)$, of logits that are computed again."""
    layer, y, found = residuals
    shares = Shares(cotangents.loss, cotangents.penalty)
    if settings.axis is not None and not varying(layer.B):
        # Without the check of varying axes, each device has its share of the cotangent.
        shares = jax.tree.map(lambda c: lax.psum(c, settings.axis), shares)
    grads = gradients(layer, y, found, shares, settings)
    return jax.tree.map(lambda grad, x: summed_like(grad, x).astype(x.dtype), grads, layer), None


example_losses.defvjp(example_losses_forward, example_losses_backward)
