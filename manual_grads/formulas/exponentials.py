r"""$e^{s_k - \max s}$ to one ULP, whatever the logits: what a softmax is made of.

`jnp.exp(s - s.max())` isn't that. The subtraction rounds, and exp makes the absolute error a relative one: 64 ULP where
the difference is 80. And the smallest terms underflow, although the sum of many might not.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from manual_grads.formulas.sums import two_sum


class Format(NamedTuple):
    """What the exponential of a floating format needs."""

    ln2_high: float  # so short that its product with an integer below 2¹² is exact
    ln2_low: float  # the rest of ln 2
    degree: int  # of a Taylor series whose second derivative, too, is e^r to 2u for |r| ≤ ln 2 / 2
    integer: type  # of the format's width
    unit: float  # what stands for e^0: far above underflow, and 2²⁴ terms below overflow


FORMATS = {
    jnp.dtype("float32"): Format(
        float.fromhex("0x1.63p-1"), float.fromhex("-0x1.bd0105c610ca8p-13"), 8, jnp.int32, 2.0**100
    ),
    jnp.dtype("float64"): Format(
        float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33"), 14, jnp.int64, 2.0**900
    ),
}


def scaled_exp(s: Float[Array, "*batch classes"]) -> tuple[Float[Array, "*batch classes"], float]:
    r"""$e_k = \mathrm{unit} \cdot e^{s_k - \max s}$, and the unit, a power of two.

    With $s_k - \max s = n \ln 2 + r$, n an integer and |r| at most ln 2 / 2, the exponential is $2^n e^r$: the power is
    exact, and a short Taylor series does for $e^r$. What the subtraction of the maximum has rounded off is added to r.
    """
    ln2_high, ln2_low, degree, integer, unit = FORMATS[s.dtype]
    m = s.max(-1)[..., None]
    d, rounded_off = two_sum(s, -m)
    relevant = d > -2048  # below, e is 0; and where d is −inf, `rounded_off` is NaN
    d, rounded_off = jnp.maximum(d, -2048), jnp.where(relevant, rounded_off, 0)
    n = jnp.round(d / math.log(2))
    r = (d - n * ln2_high) - n * ln2_low + rounded_off
    series = 1 / math.factorial(degree)
    for k in reversed(range(2, degree)):
        series = series * r + 1 / math.factorial(k)
    exp_r = 1 + (r + r * r * series)
    info = jnp.finfo(s.dtype)
    exponent = jnp.maximum(n + (math.log2(unit) + info.maxexp - 1), 0).astype(integer)
    power_of_two = lax.bitcast_convert_type(exponent << info.nmant, s.dtype)
    return lax.optimization_barrier(exp_r * power_of_two), unit  # lest XLA compute it anew for each of its uses
