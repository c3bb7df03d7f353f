r"""$e^{s_k - \max s}$ to one ULP, whatever the logits: what a softmax is made of.

`jnp.exp(s - s.max())` isn't that. The subtraction rounds, and exp makes the absolute error a relative one: 64 ULP where
the difference is 80. And the smallest terms underflow, although the sum of many might not.

`scaled_exp` is. It takes logits s and the maximum m of their row, and gives $e^{s - m}$ times a power of two, which is
the same for all rows.
"""

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from manual_grads.formulas.stable.sums import two_sum

# Smaller differences s − m are taken for this one: its exponential is 0 in float64, too, and n is below 2¹².
MIN_DIFFERENCE = -2048


class ExpFormat(NamedTuple):
    """What `scaled_exp` needs of a floating format."""

    ln2_high: float  # so short that its product with an integer below 2¹² is exact
    ln2_low: float  # the rest of ln 2
    degree: int  # of a Taylor series whose second derivative, too, is e^r to 2u for |r| ≤ ln 2 / 2
    integer: Any  # the dtype of integers of the format's width
    unit: float  # what stands for e^0: far above underflow, and 2²⁴ terms below overflow
    stored_unit: float  # the same of `stored_exp`, so that squares and their sums neither overflow nor underflow


FORMATS = {
    jnp.dtype("float32"): ExpFormat(
        ln2_high=float.fromhex("0x1.63p-1"),
        ln2_low=float.fromhex("-0x1.bd0105c610ca8p-13"),
        degree=8,
        integer=jnp.int32,
        unit=2.0**100,
        stored_unit=2.0**40,
    ),
    jnp.dtype("float64"): ExpFormat(
        ln2_high=float.fromhex("0x1.62e42feep-1"),
        ln2_low=float.fromhex("0x1.a39ef35793c76p-33"),
        degree=14,
        integer=jnp.int64,
        unit=2.0**900,
        stored_unit=2.0**420,
    ),
}


def scaled_exp(s: Float[Array, "*batch classes"], m: Float[Array, "*batch"]) -> Float[Array, "*batch classes"]:
    r"""$\mathrm{unit} \cdot e^{s - m}$, the unit a power of two; s may also be a number a row, as m is.

    With $s - m = n \ln 2 + r$, n an integer and |r| at most ln 2 / 2, the exponential is $2^n e^r$: the power is exact,
    and a short Taylor series does for $e^r$. What the subtraction of the maximum has rounded off is added to r.
    """
    form = FORMATS[s.dtype]
    # s − m, and what it has rounded off.
    d, rounded_off = two_sum(s, -along(m, s))
    relevant = d > MIN_DIFFERENCE  # where d is −inf, `rounded_off` is NaN
    d, rounded_off = jnp.maximum(d, MIN_DIFFERENCE), jnp.where(relevant, rounded_off, 0)
    # n and r.
    n = jnp.round(d / math.log(2))
    r = (d - n * form.ln2_high) - n * form.ln2_low + rounded_off
    # e^r = 1 + r + r² (1/2! + r/3! + …), by Horner's rule.
    series = 1 / math.factorial(form.degree)
    for k in reversed(range(2, form.degree)):
        series = series * r + 1 / math.factorial(k)
    exp_r = 1 + (r + r * r * series)
    return once(exp_r * power_of_two(n + math.log2(form.unit)))


def power_of_two(n: Float[Array, "..."]) -> Float[Array, "..."]:
    """$2^n$ for integers n, and 0 where that would be subnormal."""
    info = jnp.finfo(n.dtype)
    exponent = jnp.maximum(n + (info.maxexp - 1), 0).astype(FORMATS[n.dtype].integer)
    return lax.bitcast_convert_type(exponent << info.nmant, n.dtype)


def stored_exp(s: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
    r"""$e^{s - m}$ times 2⁴⁰ (in float64, 2⁴²⁰), so that squares and their sums neither overflow nor underflow.

    For what uses each of them many times: a CPU's XLA would compute them anew for every use, which it does not with the
    result of a conditional. (It heeds no barrier where it fuses.) So this one has a case that hardly ever occurs.
    """
    m, form = s.max(-1), FORMATS[s.dtype]

    def scaled() -> Array:
        return scaled_exp(s, m) * (form.stored_unit / form.unit)

    def on_cpu() -> Array:
        return lax.cond(jnp.isnan(m).all(), lambda: s * jnp.nan, scaled)

    return lax.platform_dependent(cpu=on_cpu, default=scaled)


def once(x: Any) -> Any:
    """`x` as it is, but XLA may neither compute it anew for each of its uses nor find out what it was computed from."""
    return lax.optimization_barrier(x)


def along(row: Float[Array, "*batch"], s: Float[Array, "..."]) -> Float[Array, "..."]:
    """A number a row, with an axis of length one for the classes if s has one."""
    return row[..., None] if s.ndim > row.ndim else row
