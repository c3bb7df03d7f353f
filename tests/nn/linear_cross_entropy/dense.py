"""The loss with every option as a user would write it without this package: all logits at once, by exp, log and sum."""

import jax.numpy as jnp


def dense(
    h,
    B,
    bias,
    scale,
    class_weights,
    y,
    *,
    soft_cap=None,
    label_smoothing=0.0,
    z_loss=0.0,
    keep=None,
    reduction="mean",
):
    """The reduced loss; `keep` is which examples take part."""
    s = scale * (h @ B.T) + bias
    if soft_cap is not None:
        s = soft_cap * jnp.tanh(s / soft_cap)
    top = s.max(-1, keepdims=True)
    log_z = jnp.log(jnp.exp(s - top).sum(-1)) + top[..., 0]
    classes = s.shape[-1]
    target = (1 - label_smoothing) * (jnp.arange(classes) == y[..., None]) + label_smoothing / classes
    w = class_weights[y]
    loss = w * (target * (log_z[..., None] - s)).sum(-1) + z_loss * log_z**2
    keep = jnp.ones(loss.shape, bool) if keep is None else keep
    loss = jnp.where(keep, loss, 0)
    if reduction == "none":
        return loss
    return loss.sum() / jnp.where(keep, w, 0).sum() if reduction == "mean" else loss.sum()
