r"""The sigmoid of `jax.nn`, with the derivative of Task 18."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

import manual_grads.formulas.sigmoid as by_hand
from manual_grads.formulas.inputs import as_floats, widen


def sigmoid(x: Float[ArrayLike, "*shape"]) -> Float[Array, "*shape"]:
    r"""$\sigma(x) = 1 / (1 + e^{-x})$, elementwise: in place of `jax.nn.sigmoid`.

    Args:
        x: floats of any shape.

    Returns:
        σ(x), of x's shape and dtype; of a weak type if x is.

    Derivatives: σ' is the hand-written one, within 3 ULP where JAX's σ(1 − σ) is 0 above x ≈ 17; σ'' is
    −σ'(x) tanh(x/2). One array of x's size is kept for the backward pass.

    Raises:
        TypeError: if `x` isn't float16, bfloat16, float32 or float64. (JAX's takes complex numbers and float8, too.)

    From: Task 18.
    """
    return value(as_floats("x", x))


@jax.custom_jvp
def value(x: Array) -> Array:
    r"""σ; a weak type stays weak, which `astype` doesn't leave it."""
    if x.dtype.itemsize < 4:
        return by_hand.sigmoid(x)
    return 1 / (1 + jnp.exp(-x))


@value.defjvp
def _(primals, tangents):
    (x,), (t,) = primals, tangents
    return value(x), slope(x) * t


@jax.custom_jvp
def slope(x: Array) -> Array:
    r"""σ'."""
    return by_hand.sigmoid_grad(x)


@slope.defjvp
def _(primals, tangents):
    (x,), (t,) = primals, tangents
    first = slope(x)
    second = -first * jnp.tanh(widen(x) / 2).astype(x.dtype)  # 1 − 2σ = −tanh(x/2), without its cancellation
    return first, second * t
