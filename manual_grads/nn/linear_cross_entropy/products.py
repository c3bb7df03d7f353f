"""The matrix products of the loss: of which operands, to which precision.

Operands of 16 bits are multiplied as they are: their products are exact in float32, in which they are added up. What is
left to choose is how G, which is computed in float32, becomes one.
"""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.lax import Precision
from jaxtyping import Array, Float

# By names that `jax.default_matmul_precision` has, too.
PRECISIONS = {"default": Precision.DEFAULT, "high": Precision.HIGH, "highest": Precision.HIGHEST}
PrecisionName = Literal["default", "high", "highest"] | None
# A power of two that float16 holds, with room for a rounding: half of its largest.
FLOAT16_UNIT = 2.0**14


class Products(NamedTuple):
    """How to multiply."""

    precision: Any  # what JAX calls so: a `Precision`, or a name that `jax.default_matmul_precision` takes
    operand: Any = None  # the 16-bit dtype that G is rounded to; None if it stays as it is
    parts: int = 1  # how many numbers of that dtype a number of G becomes

    def matmul(self, x: Array, y: Array, dtype: Any) -> Array:
        """The product x y, added up in `dtype`."""
        return jnp.matmul(x, y, precision=self.precision, preferred_element_type=dtype)

    def operands(self, G: Float[Array, "classes examples"]) -> list[Array]:
        """G as operands whose sum it is, to the precision asked for."""
        if self.operand is None:
            return [G]
        if self.parts == 1:
            return [G.astype(self.operand)]
        # Not by a conversion there and back, which XLA takes for nothing.
        info = jnp.finfo(self.operand)
        high = lax.reduce_precision(G, exponent_bits=info.nexp, mantissa_bits=info.nmant)
        return [high.astype(self.operand), (G - high).astype(self.operand)]

    def scale(self, bound: Float[Array, "examples"]) -> Array | None:
        """A power of two that makes G, of which each column has a bound, fit into float16; None where all fit."""
        if self.operand != jnp.float16:
            return None
        largest = jnp.where(jnp.isfinite(bound), bound, 0).max(initial=jnp.finfo(bound.dtype).tiny)
        return jnp.exp2(jnp.floor(jnp.log2(FLOAT16_UNIT) - jnp.log2(largest)))


def products_of(hidden: Array, weights: Array, precision: PrecisionName) -> Products:
    """What a precision means for features and weights of these dtypes."""
    if hidden.dtype != weights.dtype or hidden.dtype.itemsize > 2:
        if precision is None:
            # A GPU's or TPU's default would round the factors to 10 or 7 bits, and no bound on the result would hold.
            chosen = getattr(jax.config, "jax_default_matmul_precision")  # noqa: B009 - which isn't in JAX's types
            return Products(chosen or Precision.HIGHEST)
        return Products(PRECISIONS[precision])
    if precision == "highest":
        return Products(Precision.HIGHEST)
    return Products(Precision.DEFAULT, hidden.dtype, parts=2 if precision == "high" else 1)
