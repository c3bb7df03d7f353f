r"""Task 18: the sigmoid, $\sigma(z) = 1 / (1 + e^{-z})$, and its derivative."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from manual_grads.formulas import examples, plain
from manual_grads.formulas.inputs import ArrayLike, as_floats, as_vectors, widen
from manual_grads.rules import Sizes, derivative_of, value


def one_z(key: Array, dtype: jnp.dtype, sizes: Sizes) -> tuple[Array]:
    """One number for each example."""
    return (examples.normal(examples.generator(key), dtype, *sizes.batch),)


@derivative_of(plain.sigmoid, by=value, equation="18", example=one_z)
def sigmoid(z: Float[ArrayLike, "*shape"]) -> Float[Array, "*shape"]:
    r"""$\sigma(z) = 1 / (1 + e^{-z})$, elementwise.

    Args:
        z: floats of any shape and floating dtype.

    Returns:
        σ(z), of z's shape and dtype. float16 and bfloat16 are computed in float32 and rounded once.

    Raises:
        TypeError: if `z` isn't floating.

    From: Task 18, first line.
    """
    z = as_floats("z", z)
    return (1 / (1 + jnp.exp(-widen(z)))).astype(z.dtype)


@derivative_of(plain.sigmoid, by=jax.grad, equation="18", example=one_z)
def sigmoid_grad(z: Float[ArrayLike, "*shape"]) -> Float[Array, "*shape"]:
    r"""$\sigma'(z) = \sigma(z)(1 - \sigma(z)) = e / (1 + e(2 + e))$ with $e = e^{-|z|}$, elementwise.

    The document's last line, σ(1 − σ), loses every digit above z ≈ 17 in float32, where σ rounds to 1. Its third one,
    e^(−z) / (1 + e^(−z))², overflows below z ≈ −88. But σ' is even, so −|z| may stand for −z: then nothing cancels,
    nothing overflows, and σ'(−z) is σ'(z) to the last bit. The square multiplied out saves a rounding.

    Args:
        z: floats of any shape and floating dtype.

    Returns:
        σ'(z), of z's shape and dtype. float16 and bfloat16 are computed in float32 and rounded once.

    Raises:
        TypeError: if `z` isn't floating.

    From: Task 18, last line.
    """
    z = as_floats("z", z)
    e = jnp.exp(-jnp.abs(widen(z)))
    return (e / (1 + e * (2 + e))).astype(z.dtype)


def one_vector(key: Array, dtype: jnp.dtype, sizes: Sizes) -> tuple[Array]:
    """A vector of hidden units for each example."""
    return (examples.normal(examples.generator(key), dtype, *sizes.batch, sizes.hidden),)


@derivative_of(plain.sigmoid, by=jax.jacobian, equation="21", example=one_vector)
def sigmoid_jacobian(z: Float[ArrayLike, "*batch n"]) -> Float[Array, "*batch n n"]:
    r"""$\partial \sigma(z)_i / \partial z_j = I(i=j)\, \sigma'(z_j)$, that is $\mathrm{diag}(\sigma')$.

    Args:
        z: vectors, floating, with any number of leading batch axes.

    Returns:
        A diagonal matrix for each vector, of z's dtype.

    Raises:
        TypeError: if `z` isn't floating.
        ValueError: if `z` is a scalar (its derivative is `sigmoid_grad`).

    From: Task 21, the factor ∂σ(Ax)/∂Ax.
    """
    z = as_vectors("z", z)
    diagonal = jnp.eye(z.shape[-1], dtype=bool)
    return jnp.where(diagonal, sigmoid_grad(z)[..., None, :], 0)
