r"""The functions and their derivatives as a textbook has them, for one example: the lines of the document, typed in.

The functions of these names that the package exports equal them for real numbers, and keep the digits that these lose.
y is the label as a vector: one-hot, or a distribution over the classes. s are the logits, g the probabilities.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from manual_grads.rules import Rule


def sigmoid(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    r"""$1 / (1 + e^{-z})$."""
    return 1 / (1 + jnp.exp(-z))


def sigmoid_grad(z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    r"""$\sigma (1 - \sigma)$."""
    return sigmoid(z) * (1 - sigmoid(z))


def sigmoid_jacobian(z: Float[Array, "n"]) -> Float[Array, "n n"]:
    r"""$\mathrm{diag}(\sigma')$."""
    return jnp.diag(sigmoid_grad(z))


def softmax(s: Float[Array, "classes"]) -> Float[Array, "classes"]:
    r"""$e^{s_k} / \sum_l e^{s_l}$."""
    e = jnp.exp(s)
    return e / e.sum()


def log_softmax(s: Float[Array, "classes"]) -> Float[Array, "classes"]:
    r"""$s_k - \ln \sum_l e^{s_l}$."""
    return s - jnp.log(jnp.exp(s).sum())


def softmax_jacobian(s: Float[Array, "classes"]) -> Float[Array, "classes classes"]:
    r"""$g_k (I(k=l) - g_l)$."""
    g = softmax(s)
    return jnp.diag(g) - jnp.outer(g, g)


def softmax_jvp(s: Float[Array, "classes"], t: Float[Array, "classes"]) -> Float[Array, "classes"]:
    r"""$g_k (t_k - \sum_l g_l t_l)$."""
    g = softmax(s)
    return g * (t - g @ t)


def softmax_vjp(s: Float[Array, "classes"], c: Float[Array, "classes"]) -> Float[Array, "classes"]:
    r"""$g_l (c_l - \sum_k g_k c_k)$: the same, since the Jacobian is symmetric."""
    g = softmax(s)
    return g * (c - g @ c)


def logloss(g: Float[Array, "classes"], y: Float[Array, "classes"]) -> Float[Array, ""]:
    r"""$-\sum_k y_k \ln g_k$."""
    return -(y * jnp.log(g)).sum()


def logloss_grad(g: Float[Array, "classes"], y: Float[Array, "classes"]) -> Float[Array, "classes"]:
    r"""$-y_k / g_k$."""
    return -y / g


def softmax_cross_entropy(s: Float[Array, "classes"], y: Float[Array, "classes"]) -> Float[Array, ""]:
    r"""$-\sum_k y_k \ln g_k(s)$."""
    return logloss(softmax(s), y)


def softmax_cross_entropy_grad(s: Float[Array, "classes"], y: Float[Array, "classes"]) -> Float[Array, "classes"]:
    r"""$(\sum_k y_k) g_l - y_l$."""
    return y.sum() * softmax(s) - y  # g − y, if y sums to 1


def softmax_cross_entropy_jvp(
    s: Float[Array, "classes"], y: Float[Array, "classes"], t: Float[Array, "classes"]
) -> Float[Array, ""]:
    r"""$\sum_l (\partial R / \partial s_l)\, t_l$."""
    return softmax_cross_entropy_grad(s, y) @ t


def softmax_cross_entropy_vjp(
    s: Float[Array, "classes"], y: Float[Array, "classes"], c: Float[Array, ""]
) -> Float[Array, "classes"]:
    r"""$c\, \partial R / \partial s_l$."""
    return c * softmax_cross_entropy_grad(s, y)


def softmax_cross_entropy_hessian(
    s: Float[Array, "classes"], y: Float[Array, "classes"]
) -> Float[Array, "classes classes"]:
    r"""$(\sum_k y_k)(\mathrm{diag}(g) - g g^T)$."""
    return y.sum() * softmax_jacobian(s)


def softmax_cross_entropy_hvp(
    s: Float[Array, "classes"], y: Float[Array, "classes"], t: Float[Array, "classes"]
) -> Float[Array, "classes"]:
    r"""$(\sum_k y_k)\, g \circ (t - g^T t)$."""
    return y.sum() * softmax_jvp(s, t)


def two_layer_loss(
    x: Float[Array, "inputs"],
    A: Float[Array, "hidden inputs"],
    B: Float[Array, "classes hidden"],
    y: Float[Array, "classes"],
) -> Float[Array, ""]:
    r"""$L(g(B\,\sigma(Ax)))$."""
    return softmax_cross_entropy(B @ sigmoid(A @ x), y)


def two_layer_grads(
    x: Float[Array, "inputs"],
    A: Float[Array, "hidden inputs"],
    B: Float[Array, "classes hidden"],
    y: Float[Array, "classes"],
) -> tuple[Array, Array, Array]:
    r"""$A^T \delta$, $\delta x^T$ and $(g-y) h^T$, with $h = \sigma(Ax)$ and $\delta = (B^T (g-y)) \circ \sigma'$."""
    h = sigmoid(A @ x)
    dv = softmax_cross_entropy_grad(B @ h, y)
    delta = (B.T @ dv) * h * (1 - h)
    return A.T @ delta, jnp.outer(delta, x), jnp.outer(dv, h)


def two_layer_vjp(
    x: Float[Array, "inputs"],
    A: Float[Array, "hidden inputs"],
    B: Float[Array, "classes hidden"],
    y: Float[Array, "classes"],
    c: Float[Array, ""],
) -> tuple[Array, ...]:
    r"""The same three, times c."""
    return tuple(c * gradient for gradient in two_layer_grads(x, A, B, y))


def two_layer_jacobians(
    x: Float[Array, "inputs"],
    A: Float[Array, "hidden inputs"],
    B: Float[Array, "classes hidden"],
    y: Float[Array, "classes"],
) -> tuple[Array, Array, Array, Array]:
    r"""$g - y$, $B$, $\mathrm{diag}(\sigma')$ and $A$: the chain's factors."""
    h = sigmoid(A @ x)
    return softmax_cross_entropy_grad(B @ h, y), B, jnp.diag(h * (1 - h)), A


def textbook_form(rule: Rule) -> Callable[..., Any] | None:
    """A rule's function as a textbook has it, if it is here."""
    return globals().get(rule.name)
