r"""The logits of some classes, and the loss's gradient with respect to them: each option stands here, and once.

The logits are $s = \alpha B h + b$, and $s' = c \tanh(s / c)$ if they are capped. Both passes, the label's own logit
and every reduction come by them, so that none can be without an option.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from manual_grads.nn.linear_cross_entropy.mesh import all_classes, first_class, total
from manual_grads.nn.linear_cross_entropy.options import (
    Indices,
    Layer,
    PerExample,
    Settings,
    Shares,
    Statistics,
)

Tile = Float[Array, "classes examples"]


def tile_logits(
    layer: Layer, h_T: Float[Array, "hidden examples"], first: Array | int, classes: int, settings: Settings
) -> Tile:
    r"""$s = \alpha B h + b$ of some classes, not yet capped."""
    products = settings.products.matmul(rows(layer.B, first, classes), h_T, layer.dtype)
    return affine(products, layer, None if layer.bias is None else rows(layer.bias, first, classes)[:, None])


def label_logits(layer: Layer, y: Indices, settings: Settings) -> PerExample:
    r"""$s'_y$; NaN for an index that no class has."""

    def uncapped(local: Indices) -> PerExample:
        weights = layer.B[local].astype(layer.dtype)
        products = (layer.h.astype(weights.dtype) * weights).sum(-1)
        return affine(products, layer, None if layer.bias is None else layer.bias[local])

    return capped(of_labels(uncapped, y, layer, settings, jnp.nan), settings)


def weights_of_labels(
    class_weights: Float[Array, "classes"], y: Indices, layer: Layer, settings: Settings
) -> PerExample:
    r"""$w_y$; 1 for an index that no class has, whose R is NaN."""
    return of_labels(lambda local: class_weights[local], y, layer, settings, 1)


def of_labels(
    of: Callable[[Indices], PerExample], y: Indices, layer: Layer, settings: Settings, otherwise: float
) -> PerExample:
    """`of` the labels, as indices of the classes of the device that has theirs; else `otherwise`."""
    classes, local = layer.B.shape[0], local_labels(y, layer, settings)
    is_here = (local >= 0) & (local < classes)
    found = total(jnp.where(is_here, of(jnp.where(is_here, local, 0)), 0), settings.axis)
    return jnp.where(y < all_classes(classes, settings.axis), found, otherwise)


def local_labels(y: Indices, layer: Layer, settings: Settings) -> Indices:
    """The labels as indices of this device's classes."""
    return y - first_class(layer.B.shape[0], settings.axis)


def affine(products: Array, layer: Layer, bias: Array | None) -> Array:
    r"""$\alpha\,p + b$."""
    if layer.scale is not None:
        products = layer.scale.astype(products.dtype) * products
    return products if bias is None else products + bias.astype(products.dtype)


def capped(s: Array, settings: Settings) -> Array:
    r"""$s' = c \tanh(s / c)$."""
    return s if settings.soft_cap is None else settings.soft_cap * jnp.tanh(s / settings.soft_cap)


def logit_gradient(s: Tile, label: Array, found: Statistics, shares: Shares, settings: Settings, classes: int) -> Tile:
    r"""$G = (a (g - y') + \zeta\,g) \circ (1 - (s'/c)^2)$, the gradient of $a R + b \lambda (\ln Z)^2$ by s.

    Here $\zeta = 2 b \lambda \ln Z$ and $y'_k = (1 - \epsilon)\,I(k=y) + \epsilon/K$. In the label's entry, $g_y - 1$
    is $e^{-R} - 1$, from R that isn't smoothed; and $1 - (s'/c)^2$ is $4e / (1 + e)^2$ with $e = e^{-2|s/c|}$. Neither
    cancels.

    Textbook: $g - y$, Task 19.3; the options' lines are in `derivations.large_class`.
    """
    g = jnp.exp(capped(s, settings) - found.log_z)
    of_label, of_others = jnp.expm1(-found.loss), g
    if settings.label_smoothing:
        of_label = of_label + settings.label_smoothing * (1 - 1 / classes)
        of_others = of_others - settings.label_smoothing / classes
    G = shares.of_loss * jnp.where(label, of_label, of_others)
    if shares.of_normalizer is not None:
        G += (2 * settings.z_loss) * shares.of_normalizer * found.log_z * g
    if settings.soft_cap is not None:
        e = jnp.exp(-2 / settings.soft_cap * jnp.abs(s))
        G *= 4 * e / jnp.square(1 + e)
    return G


def rows(x: Array, first: Array | int, count: int) -> Array:
    """`count` rows of x, from the `first` on."""
    return x if count == x.shape[0] else lax.dynamic_slice_in_dim(x, first, count)
