r"""Task 21: the network $R = L(g(B\,\sigma(Ax)))$, its gradients, and the factors of their chain rule."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.lax import Precision
from jaxtyping import Array, Float

from manual_grads.formulas import examples, plain
from manual_grads.formulas.inputs import ArrayLike, Labels, as_floats, as_labels, as_shaped, as_vectors, widen
from manual_grads.formulas.sigmoid import sigmoid, sigmoid_grad, sigmoid_jacobian
from manual_grads.formulas.stable.cross_entropy import loss, loss_gradient, loss_vjp
from manual_grads.rules import Sizes, derivative_of, link_jacobians, value, vjp

# A GPU's or TPU's default would round the factors to 10 or 7 bits, and no bound on the result would hold.
matmul = partial(jnp.matmul, precision=Precision.HIGHEST)
tensordot = partial(jnp.tensordot, precision=Precision.HIGHEST)


def network(key: Array, dtype: jnp.dtype, sizes: Sizes) -> tuple[Array, Array, Array, Array]:
    """The arguments (x, A, B, labels) of a network: x and a label for each example; A and B, which they share."""
    return network_and_cotangent(key, dtype, sizes)[:-1]


def network_and_cotangent(key: Array, dtype: jnp.dtype, sizes: Sizes) -> tuple[Array, Array, Array, Array, Array]:
    """The arguments (x, A, B, labels, cotangent) of a network, with a cotangent for each example's loss."""
    random = examples.generator(key)
    return (
        examples.normal(random, dtype, *sizes.batch, sizes.inputs, scale=1),
        examples.normal(random, dtype, sizes.hidden, sizes.inputs, scale=1),
        examples.normal(random, dtype, sizes.classes, sizes.hidden, scale=1),
        examples.labels(random, dtype, sizes),
        examples.normal(random, dtype, *sizes.batch),
    )


@derivative_of(plain.two_layer_loss, by=value, equation="21", example=network)
def two_layer_loss(
    x: Float[ArrayLike, "*batch inputs"],
    A: Float[ArrayLike, "hidden inputs"],
    B: Float[ArrayLike, "classes hidden"],
    labels: Labels,
) -> Float[Array, "*batch"]:
    r"""$R = L(g(B\,\sigma(Ax)))$, one per example; L is the log-loss and g the softmax.

    Args:
        x: inputs, floating, with any number of leading batch axes.
        A: the first layer's weights, floating, hidden × inputs.
        B: the second layer's weights, floating, classes × hidden.
        labels: class indices, of shape `x.shape[:-1]`, or a floating distribution of shape `[*batch, classes]`.

    Returns:
        R, of shape `x.shape[:-1]`, in the dtype that x, A and B promote to.

    Raises:
        TypeError: if x, A or B isn't floating, or `labels` neither integer nor floating.
        ValueError: if a shape doesn't fit, or an index whose value is known is outside [0, classes) (where it is
            traced, R is NaN).

    From: Task 21, first line.
    """
    x, A, B = as_network(x, A, B)
    _, _, v = forward_pass(x, A, B)
    return loss(v, as_labels(labels, v, "v")).astype(jnp.result_type(x, A, B))


def as_network(x: Any, A: Any, B: Any) -> tuple[Array, Array, Array]:
    """x, A and B as arrays of floats whose shapes multiply.

    Raises:
        TypeError: if one isn't floating.
        ValueError: if one's shape doesn't fit.
    """
    x, A, B = as_vectors("x", x), as_floats("A", A, ndim=2), as_floats("B", B, ndim=2)
    if A.shape[1] != x.shape[-1]:
        raise ValueError(f"A has shape {A.shape}, expected (hidden, inputs) with inputs = x.shape[-1] = {x.shape[-1]}")
    if B.shape[1] != A.shape[0]:
        raise ValueError(f"B has shape {B.shape}, expected (classes, hidden) with hidden = A.shape[0] = {A.shape[0]}")
    if B.shape[0] == 0:
        raise ValueError(f"B has shape {B.shape}, expected at least one class on the first axis")
    return x, A, B


def forward_pass(x: Array, A: Array, B: Array) -> tuple[Array, Array, Array]:
    r"""$w = Ax$, $\sigma(w)$ and $v = B\,\sigma(w)$, in the dtype of computation."""
    w = matmul(widen(x), widen(A).T)
    h = sigmoid(w)
    return w, h, matmul(h, widen(B).T)


def backward_pass(x: Array, A: Array, B: Array, w: Array, h: Array, dv: Array) -> tuple[Array, Array, Array]:
    r"""$dx = A^T \delta$, $dA = \delta x^T$ and $dB = dv\, \sigma(w)^T$, with $\delta = (B^T dv) \circ \sigma'(w)$.

    These are the gradients with respect to x, A and B, given dv, that with respect to v; dA and dB are summed over the
    batch.
    """
    delta = matmul(dv, widen(B)) * sigmoid_grad(w)
    batch = tuple(range(x.ndim - 1))
    dx = matmul(delta, widen(A))
    dA = tensordot(delta, widen(x), axes=(batch, batch))
    dB = tensordot(dv, h, axes=(batch, batch))
    return dx.astype(x.dtype), dA.astype(A.dtype), dB.astype(B.dtype)


@derivative_of(
    plain.two_layer_loss, by=partial(jax.grad, argnums=(0, 1, 2)), equation="21", example=network, summed=(1, 2)
)
def two_layer_grads(
    x: Float[ArrayLike, "*batch inputs"],
    A: Float[ArrayLike, "hidden inputs"],
    B: Float[ArrayLike, "classes hidden"],
    labels: Labels,
) -> tuple[Float[Array, "*batch inputs"], Float[Array, "hidden inputs"], Float[Array, "classes hidden"]]:
    r"""$dx = A^T \delta$, $dA = \delta x^T$, $dB = (g-y) \sigma(Ax)^T$; $\delta = (B^T (g-y)) \circ \sigma'(Ax)$.

    Args:
        x: inputs, floating, with any number of leading batch axes.
        A: the first layer's weights, floating, hidden × inputs.
        B: the second layer's weights, floating, classes × hidden.
        labels: class indices, of shape `x.shape[:-1]`, or a floating distribution of shape `[*batch, classes]`.

    Returns:
        (dx, dA, dB), each of the shape and dtype of what it is the gradient of: dx one per example, dA and dB summed
        over the batch (`vmap` gives them one per example).

    Raises:
        TypeError, ValueError: as `two_layer_loss`; the gradients for a traced label outside [0, classes) are NaN.

    From: Task 21, last three lines (dA and dB are misprinted there).
    """
    x, A, B = as_network(x, A, B)
    w, h, v = forward_pass(x, A, B)
    return backward_pass(x, A, B, w, h, loss_gradient(v, as_labels(labels, v, "v")))


@derivative_of(
    plain.two_layer_loss,
    by=partial(vjp, argnums=(0, 1, 2)),
    equation="21",
    example=network_and_cotangent,
    summed=(1, 2),
)
def two_layer_vjp(
    x: Float[ArrayLike, "*batch inputs"],
    A: Float[ArrayLike, "hidden inputs"],
    B: Float[ArrayLike, "classes hidden"],
    labels: Labels,
    cotangent: Float[ArrayLike, "*batch"],
) -> tuple[Float[Array, "*batch inputs"], Float[Array, "hidden inputs"], Float[Array, "classes hidden"]]:
    r"""$c\,dx$, $\sum c\,dA$, $\sum c\,dB$: `two_layer_grads` with each example weighted by its cotangent c.

    Args:
        x: inputs, floating, with any number of leading batch axes.
        A: the first layer's weights, floating, hidden × inputs.
        B: the second layer's weights, floating, classes × hidden.
        labels: class indices, of shape `x.shape[:-1]`, or a floating distribution of shape `[*batch, classes]`.
        cotangent: c, floating, of shape `x.shape[:-1]`. With 1/N for each of N examples, the mean loss's gradients.

    Returns:
        (dx, dA, dB), as `two_layer_grads`.

    Raises:
        TypeError, ValueError: as `two_layer_loss`, and if `cotangent` isn't floating or of another shape.

    From: Task 21, last three lines, times c.
    """
    x, A, B = as_network(x, A, B)
    c = widen(as_shaped("cotangent", cotangent, x.shape[:-1], "x.shape[:-1]"))
    w, h, v = forward_pass(x, A, B)
    return backward_pass(x, A, B, w, h, loss_vjp(v, as_labels(labels, v, "v"), c))


@derivative_of(plain.TWO_LAYER_LINKS, by=link_jacobians, equation="21", example=network)
def two_layer_jacobians(
    x: Float[ArrayLike, "*batch inputs"],
    A: Float[ArrayLike, "hidden inputs"],
    B: Float[ArrayLike, "classes hidden"],
    labels: Labels,
) -> tuple[
    Float[Array, "*batch classes"],
    Float[Array, "*batch classes hidden"],
    Float[Array, "*batch hidden hidden"],
    Float[Array, "*batch hidden inputs"],
]:
    r"""$\partial R/\partial x = (g-y) \cdot B \cdot \mathrm{diag}(\sigma') \cdot A$, factor by factor.

    The factors are ∂R/∂v = g − y, ∂v/∂σ = B, ∂σ/∂w = diag(σ') and ∂w/∂x = A; ∂R/∂x is a row vector.

    Args:
        x: inputs, floating, with any number of leading batch axes.
        A: the first layer's weights, floating, hidden × inputs.
        B: the second layer's weights, floating, classes × hidden.
        labels: class indices, of shape `x.shape[:-1]`, or a floating distribution of shape `[*batch, classes]`.

    Returns:
        The four factors, each with the batch's axes, in the dtype that x, A and B promote to.

    Raises:
        TypeError, ValueError: as `two_layer_loss`; ∂R/∂v for a traced label outside [0, classes) is NaN.

    From: Task 21, the line of four factors.
    """
    x, A, B = as_network(x, A, B)
    dtype, batch = jnp.result_type(x, A, B), x.shape[:-1]
    w, _, v = forward_pass(x, A, B)
    return (
        loss_gradient(v, as_labels(labels, v, "v")).astype(dtype),
        jnp.broadcast_to(B.astype(dtype), (*batch, *B.shape)),
        sigmoid_jacobian(w).astype(dtype),
        jnp.broadcast_to(A.astype(dtype), (*batch, *A.shape)),
    )
