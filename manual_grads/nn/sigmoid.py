r"""The sigmoid of `jax.nn`, with the derivative of Task 18."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

import manual_grads.formulas.sigmoid as by_hand
from manual_grads.formulas.inputs import ArrayLike, as_floats, widen


def sigmoid(x: Float[ArrayLike, "*shape"]) -> Float[Array, "*shape"]:
    r"""$\sigma(x) = 1 / (1 + e^{-x})$, elementwise: in place of `jax.nn.sigmoid`.

    Args:
        x: floats of any shape.

    Returns:
        σ(x), of x's shape and dtype; of a weak type if x is.

    Derivatives: σ' is the hand-written one, within 2.5 ULP where JAX's σ(1 − σ) is 0 above x ≈ 17; σ'' is
    −σ'(x) tanh(x/2). One array of x's size is kept for the backward pass.

    Raises:
        TypeError: if `x` isn't float16, bfloat16, float32 or float64. (JAX's takes complex numbers and float8, too.)

    From: Task 18.
    """
    return sigmoid_of_floats(as_floats("x", x))


@jax.custom_jvp
def sigmoid_of_floats(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    r"""$\sigma(x) = 1 / (1 + e^{-x})$; a weak type stays weak, which `astype` doesn't leave it."""
    if x.dtype.itemsize < 4:
        return by_hand.sigmoid(x)
    return 1 / (1 + jnp.exp(-x))


@sigmoid_of_floats.defjvp
def sigmoid_jvp(
    primals: tuple[Float[Array, "*shape"]], tangents: tuple[Float[Array, "*shape"]]
) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    r"""σ(x), and how fast it changes along t: $\sigma'(x)\, t$."""
    (x,), (t,) = primals, tangents
    return sigmoid_of_floats(x), sigmoid_grad(x) * t


@jax.custom_jvp
def sigmoid_grad(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    r"""$\sigma'(x) = \sigma(x) (1 - \sigma(x))$, in the form that doesn't cancel."""
    return by_hand.sigmoid_grad(x)


@sigmoid_grad.defjvp
def sigmoid_grad_jvp(
    primals: tuple[Float[Array, "*shape"]], tangents: tuple[Float[Array, "*shape"]]
) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    r"""σ'(x), and how fast it changes along t: $-\sigma'(x) \tanh(x/2)\, t$.

    Textbook: $\sigma'(x) (1 - 2 \sigma(x))\, t$, Task 18's line "σ·(1 − σ)" differentiated; 1 − 2σ cancels near 0.
    """
    (x,), (t,) = primals, tangents
    first = sigmoid_grad(x)
    second = -first * jnp.tanh(widen(x) / 2).astype(x.dtype)
    return first, second * t
