r"""The forward functions in a textbook's way, of exp, log, tanh, sum and max: what `jax.grad` is to differentiate.

No function here has a derivative rule of its own, as `jax.nn.softmax` and `lax.logistic` have. What the package exports
are more accurate forms of the same functions; each is claimed to be equal to its plain form.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from manual_grads.formulas.inputs import Labels, as_distribution


def sigmoid(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    r"""$1 / (1 + e^{-z})$."""
    return 1 / (1 + jnp.exp(-z))


def log_softmax(logits: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
    r"""$s_k - \ln \sum_l e^{s_l}$, the largest logit being subtracted first."""
    s = logits - logits.max(-1, keepdims=True)
    return s - jnp.log(jnp.exp(s).sum(-1, keepdims=True))


def softmax(logits: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
    r"""$e^{s_k} / \sum_l e^{s_l}$, the largest logit being subtracted first."""
    e = jnp.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def logloss(probs: Float[Array, "*batch classes"], labels: Labels) -> Float[Array, "*batch"]:
    r"""$-\sum_k y_k \ln g_k$."""
    return -(as_distribution(labels, probs).astype(probs.dtype) * jnp.log(probs)).sum(-1)


def softmax_cross_entropy(logits: Float[Array, "*batch classes"], labels: Labels) -> Float[Array, "*batch"]:
    r"""$-\sum_k y_k (s_k - \ln \sum_l e^{s_l})$."""
    return -(as_distribution(labels, logits).astype(logits.dtype) * log_softmax(logits)).sum(-1)


def two_layer_loss(
    x: Float[Array, "*batch inputs"],
    A: Float[Array, "hidden inputs"],
    B: Float[Array, "classes hidden"],
    labels: Labels,
) -> Float[Array, "*batch"]:
    r"""$L(g(B\,\sigma(Ax)))$."""
    return softmax_cross_entropy(sigmoid(x @ A.T) @ B.T, labels)


def linear_softmax_cross_entropy(
    hidden: Float[Array, "*batch hidden"],
    weights: Float[Array, "classes hidden"],
    labels: Int[Array, "*batch"],
    bias: Float[Array, "classes"],
    logit_scale: Float[Array, ""],
    class_weights: Float[Array, "classes"],
    soft_cap: Float[Array, ""],
    label_smoothing: Float[Array, ""],
    z_loss: Float[Array, ""],
) -> Float[Array, "*batch"]:
    r"""$-w_y \sum_k y'_k \ln g_k + \lambda\,(\ln Z)^2$ of capped logits; $y'_k = (1-\epsilon)\,I(k=y) + \epsilon/K$."""
    s = soft_cap * jnp.tanh((logit_scale * (hidden @ weights.T) + bias) / soft_cap)
    log_g = log_softmax(s)
    y = (1 - label_smoothing) * as_distribution(labels, s).astype(s.dtype) + label_smoothing / s.shape[-1]
    log_z = s[..., 0] - log_g[..., 0]  # of any class
    return z_loss * log_z**2 - class_weights[labels] * (y * log_g).sum(-1)


# The same network as the links of a chain: x → w → σ(w) → v → R.
TWO_LAYER_LINKS = (
    lambda x, A, B, labels: A @ x,
    lambda w, A, B, labels: sigmoid(w),
    lambda h, A, B, labels: B @ h,
    lambda v, A, B, labels: softmax_cross_entropy(v, labels),
)
