r"""The last layer of Task 21, $R = L(g(Bh))$, for many classes: the loss and its gradients without the N×K logits."""

import math
from typing import Any, Literal

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from manual_grads.formulas.inputs import ArrayLike
from manual_grads.nn.linear_cross_entropy.inputs import (
    as_class_indices,
    as_included,
    as_layer,
    as_not_ignored,
    as_settings,
    as_weights_of_classes,
)
from manual_grads.nn.linear_cross_entropy.logits import weights_of_labels
from manual_grads.nn.linear_cross_entropy.mesh import all_classes
from manual_grads.nn.linear_cross_entropy.options import Shares
from manual_grads.nn.linear_cross_entropy.products import PrecisionName
from manual_grads.nn.linear_cross_entropy.rules import Aux, example_losses, weigh, weighted_loss


def linear_softmax_cross_entropy(
    hidden: Float[ArrayLike, "*batch hidden"],
    weights: Float[ArrayLike, "classes hidden"],
    labels: Int[ArrayLike, "*batch"],
    *,
    bias: Float[ArrayLike, "classes"] | None = None,
    soft_cap: float | None = None,
    logit_scale: Float[ArrayLike, ""] | float = 1.0,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    class_weights: Float[ArrayLike, "classes"] | None = None,
    where: Bool[ArrayLike, "..."] | None = None,
    ignore_index: int | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    has_aux: bool = False,
    precision: PrecisionName = None,
    block_rows: int | None = None,
    block_classes: int | None = None,
    class_axis: Any = None,
) -> Any:
    r"""$R = -\ln g_y(\alpha Bh + b)$, a linear layer's softmax cross-entropy for many classes, reduced or for each.

    Values and gradients are those of `softmax_cross_entropy_with_integer_labels(hidden @ weights.T, labels)`, without
    the N×K logits that autodiff keeps. For "mean" and "sum" the gradients are computed with the loss, and only scaled
    afterwards; inside a `lax.scan` that is differentiated as a whole, wrap the step in `jax.checkpoint`, or each step
    keeps its own. For "none" they are computed when the cotangents are known. An undifferentiated call computes the
    loss alone. `jax.jvp` and second derivatives work too, except forward mode of "none", which raises JAX's TypeError.

    An example's loss is $w_y\,(-\sum_k y'_k \ln g_k) + \lambda\,(\ln Z)^2$, with g and Z of the logits
    $s = \alpha B h + b$, or $c \tanh(s / c)$; each option below is a letter of it. What is not asked for costs nothing.

    Args:
        hidden: h, floating, with any number of leading batch axes; N examples in all.
        weights: B, floating, classes × hidden.
        labels: class indices, of shape `hidden.shape[:-1]`.
        bias: b, one number for each class. A class of −∞ (such as a padded vocabulary has) takes no part.
        soft_cap: c > 0: the logits, with scale and bias, become $c \tanh(s / c)$. (A bias of −∞ then masks no more.)
        logit_scale: α, a number or a scalar array.
        label_smoothing: ε in [0, 1): $y'_k = (1 - \epsilon)\,I(k=y) + \epsilon / K$.
        z_loss: λ ≥ 0.
        class_weights: w ≥ 0, one number for each class: an example's R, smoothing and all, counts $w_y$ times, its
            z-loss once. (torch weighs each class's part of a smoothed label by that class's own weight instead.) A mean
            divides the sum by Σ w_y, as torch's does.
        where: which examples take part, as bools that can be broadcast to that shape. The others cost nothing and get
            gradient 0, whatever their features and labels hold. A mean is over those that take part, and 0 if none do.
        ignore_index: a label that takes no part, such as −100, beside those that `where` leaves out.
        reduction: "mean", "sum" or "none".
        has_aux: return `(loss, aux)`, where aux has, of each example, `log_normalizer` (ln Z), `label_log_prob`
            (ln g_y) and `prediction` (the first class of the largest logit, before the cap), from the same passes; not
            differentiated. Where an example takes no part, they are 0, 0 and −1.
        precision: of the matrix products. For features and weights of the same 16 bits, all operands are 16-bit numbers
            that are added up in float32: G, the gradient with respect to the logits, is rounded once if this is None or
            "default", split into two such numbers if "high", and if "highest", all operands are float32. For others,
            what `jax.lax.Precision` says; None is full precision, or what `jax.default_matmul_precision` says.
        block_rows: the number of examples to handle at a time. If None, all on a CPU, up to 8192 on an accelerator:
            fewer need less memory beside a tile, but another dB to add up. (On a CPU, if a block has more examples than
            h has columns, but at most twice as many, the logits of those beyond are kept, too: at most as much memory
            as dB takes.)
        block_classes: the number of classes in a tile. If None, as many as make 2¹⁸ logits with the examples on a CPU,
            but at least 64, and 2²⁶ on an accelerator. Neither number need divide anything.
        class_axis: inside `jax.shard_map`, the mesh axis that the classes are split over: `weights`, `bias` and
            `class_weights` hold this device's classes, `labels` count all of them (see docs/sharding.md). A mean is
            over this device's examples.

    Returns:
        R of shape `hidden.shape[:-1]`, or a scalar, in the dtype that `hidden` and `weights` promote to, float32 at
        least: products of float16 and bfloat16 are added up in float32, and gradients rounded to their arguments'
        dtypes (where the cotangent isn't 1, dB in bfloat16 is rounded again when it is scaled). With `has_aux`, that
        and a named tuple.

        Accuracy is componentwise: a logit is wrong by up to H u |h|·|b|, an entry of g − y relatively by twice that and
        the roundings of one exponential and of the sum in its denominator. R and the label's entry 1 − g_y are computed
        without cancellation: they keep their digits in a saturated example, with any of the options. A capped logit is
        wrong by 12 u of itself more. In 16 bits, unless "highest", a rounding of G is added to each term of dB and dh.

    Raises:
        TypeError: if an argument has another dtype or isn't the number that it should be.
        ValueError: if shapes don't fit or there are no classes, a number is out of its range or a word another one,
            `class_axis` is no axis of a mesh here, or a label whose value is known is outside [0, classes) (where it is
            traced, R and the gradients that it takes part in are NaN).

    From: Task 21, ∂R/∂B and ∂R/∂σ.
    """
    # What was given, checked: the layer, then which examples take part, then their labels.
    layer = as_layer(hidden, weights, bias, logit_scale)
    settings = as_settings(
        layer,
        soft_cap=soft_cap,
        label_smoothing=label_smoothing,
        z_loss=z_loss,
        has_aux=has_aux,
        precision=precision,
        block_rows=block_rows,
        block_classes=block_classes,
        class_axis=class_axis,
    )
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction is {reduction!r}, expected 'mean', 'sum' or 'none'")
    classes = layer.B.shape[0]
    if class_weights is not None:
        class_weights = as_weights_of_classes(class_weights, classes)
    batch = layer.h.shape[:-1]
    keep = as_included(True if where is None else where, batch)
    if ignore_index is not None:
        keep = as_not_ignored(ignore_index, labels, keep, batch)
    y = as_class_indices(labels, keep, batch, all_classes(classes, class_axis)).reshape(-1)
    # One axis of examples; of those left out, not even NaN features may reach a product.
    h, keep = layer.h.reshape(math.prod(batch), layer.h.shape[-1]), keep.reshape(-1)
    if where is not None or ignore_index is not None:
        h = jnp.where(keep[:, None], h, 0)
    layer = layer._replace(h=h)
    w = None if class_weights is None else weights_of_labels(class_weights.astype(layer.dtype), y, layer, settings)
    # The losses, or their sum, in which an example's R counts a times and its z-loss b times.
    if reduction == "none":
        losses: Any = example_losses(layer, y, settings)
        loss = losses.loss if w is None else weigh(w, losses.loss, layer)
        loss = loss if losses.penalty is None else loss + losses.penalty
        loss, aux = jnp.where(keep, loss, 0).reshape(batch), losses.aux
    else:
        b = jnp.asarray(keep, layer.dtype)
        a = b if w is None else jnp.where(keep, w, 0)
        if reduction == "mean":
            a, b = mean_shares(a, b, counted=w is None)
        loss, aux = weighted_loss(layer, y, Shares(a, b if settings.z_loss else None), settings)
    return (loss, _of_included(aux, keep, batch)) if aux is not None else loss


def mean_shares(a: Array, b: Array, counted: bool) -> tuple[Array, Array]:
    """Both divided by the sum of a; 0 if that is 0. If a has been counted, it is a number of examples."""
    if counted:
        a = a / jnp.maximum(a.sum(), 1)
        return a, a
    total = a.sum()
    inverse = jnp.where(total == 0, 0, 1 / jnp.where(total == 0, 1, total))
    return a * inverse, b * inverse


def _of_included(aux: Aux, keep: Array, batch: tuple[int, ...]) -> Aux:
    """What `has_aux` asks for, of the examples that take part."""
    log_z, log_g, prediction = (jnp.where(keep, x, no).reshape(batch) for x, no in zip(aux, (0, 0, -1), strict=True))
    return Aux(log_z, log_g, prediction.astype(jnp.int32))
