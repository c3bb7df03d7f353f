r"""Task 21's network, with the derivatives of its links."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from manual_grads.formulas.inputs import ArrayLike, Labels, are_indices, as_labels, widen
from manual_grads.formulas.two_layer import as_network, matmul
from manual_grads.nn.cross_entropy_rows import distribution_loss, index_loss
from manual_grads.nn.sigmoid import sigmoid


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

    Derivatives: σ′ and g − y, by hand; the matrix products are linear, and left to JAX.

    Raises:
        TypeError, ValueError: as `manual_grads.two_layer_loss`.

    From: Task 21.
    """
    x, A, B = as_network(x, A, B)
    v = matmul(sigmoid(matmul(widen(x), widen(A).T)), widen(B).T)
    y = as_labels(labels, v, "v")
    loss = index_loss(v, y, None) if are_indices(y) else distribution_loss(v, y, None)
    return loss.astype(jnp.result_type(x, A, B))
