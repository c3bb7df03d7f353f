r"""$e^{s_k - \max s}$ to one ULP, whatever the logits: what a softmax is made of.

`jnp.exp(s - s.max())` isn't that. The subtraction rounds, and exp makes the absolute error a relative one: 64 ULP where
the difference is 80. And the smallest terms underflow, although the sum of many might not.

Two functions are. Both take logits s and the maximum m of their row. `exact_exp` gives $e^{s - m}$ whatever they are;
`shifted_exp` for m below 64 only, and times a factor of the row that cancels in every quotient, `exp(m, m)`, but as
fast as XLA's fused kernels are. `with_exponential` chooses.
"""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from manual_grads.formulas.sums import MANY, two_sum

Exponential = Callable[[Float[Array, "..."], Float[Array, "*batch"]], Float[Array, "..."]]


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


def with_exponential(formula: Callable[..., Any]) -> Callable[..., Any]:
    """`formula(exp, s, m, ...)` as a function of the logits s and what follows: with the fastest exp that is exact.

    The choice is made around the whole formula, since XLA doesn't fuse across it, and where it pays: for many float32
    numbers on a CPU. (In float64, `scaled_exp` is the more accurate, too.)
    """

    def exact(s: Array, m: Array, *rest: Array) -> Any:
        return formula(exact_exp, s, m, *rest)

    def shifted(s: Array, m: Array, *rest: Array) -> Any:
        return formula(shifted_exp, s, m, *rest)

    def on_cpu(s: Array, m: Array, *rest: Array) -> Any:
        return lax.cond((m < 64).all(), shifted, exact, s, m, *rest)

    @jax.jit
    @wraps(formula)
    def chosen(s: Float[Array, "*batch classes"], *rest: Any) -> Any:
        m = s.max(-1)
        if s.dtype == jnp.float32 and s.size >= MANY:
            return lax.platform_dependent(s, m, *rest, cpu=on_cpu, default=exact)
        return exact(s, m, *rest)

    return chosen


def shifted_exp(s: Float[Array, "*batch classes"], m: Float[Array, "*batch"]) -> Float[Array, "*batch classes"]:
    r"""$e^{s - c}$ for m below 64, with $c = \lfloor \min(m, 0) \rfloor$; s may also be a number a row, as m is.

    There is no rounding to carry: s - c is exact, c being 0, or an integer whose sign s shares and from which s is
    less than 1 above or anywhere below. (But for c = -1 it may be off by 2⁻²⁵.) Results below 10⁻³⁸ are flushed to 0.
    """
    return jnp.exp(s - along(shift(m), s))


def shift(m: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """The shift of `shifted_exp`; from 64 on it isn't exact, nor ever used, but must keep the exponential finite."""
    return jnp.where(m < 64, jnp.floor(jnp.minimum(m, 0)), m - 64)


def exact_exp(s: Float[Array, "*batch classes"], m: Float[Array, "*batch"]) -> Float[Array, "*batch classes"]:
    r"""$e^{s - m}$; s may also be a number a row, as m is."""
    return once(scaled_exp(s, m) / FORMATS[s.dtype].unit)  # XLA would make of (a/u)(b/u), (ab)/u², which overflows


def scaled_exp(s: Float[Array, "*batch classes"], m: Float[Array, "*batch"]) -> Float[Array, "*batch classes"]:
    r"""$\mathrm{unit} \cdot e^{s - m}$, the unit a power of two; s may also be a number a row, as m is.

    With $s - m = n \ln 2 + r$, n an integer and |r| at most ln 2 / 2, the exponential is $2^n e^r$: the power is exact,
    and a short Taylor series does for $e^r$. What the subtraction of the maximum has rounded off is added to r.
    """
    ln2_high, ln2_low, degree, integer, unit = FORMATS[s.dtype]
    d, rounded_off = two_sum(s, -along(m, s))
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
    return once(exp_r * power_of_two)


def stored_exp(s: Float[Array, "*batch classes"]) -> Float[Array, "*batch classes"]:
    r"""$e^{s - m}$ times 2⁴⁰ (in float64, 2⁴²⁰), so that squares and their sums neither overflow nor underflow.

    For what uses each of them many times: a CPU's XLA would compute them anew for every use, which it does not with the
    result of a conditional. (It heeds no barrier where it fuses.) So this one has a case that hardly ever occurs.
    """
    m = s.max(-1)

    def scaled() -> Array:
        return scaled_exp(s, m) * 2.0 ** -(jnp.finfo(s.dtype).maxexp * 15 // 32)

    def on_cpu() -> Array:
        return lax.cond(jnp.isnan(m).all(), lambda: jnp.full_like(s, jnp.nan), scaled)

    return lax.platform_dependent(cpu=on_cpu, default=scaled)


def normalizer(exp: Exponential, m: Float[Array, "*batch"]) -> Float[Array, "*batch"] | float:
    """A power of two for each row by which its largest exponential is about 1.

    A sum of the row is to be multiplied by it before anything is divided by that: differentiated, it is squared.
    """
    if exp is exact_exp:
        return 1.0
    n = jnp.round((m - shift(m)) / math.log(2)).astype(jnp.int32)
    return jnp.ldexp(jnp.ones_like(m), -n)


def small_sum(
    sum_of: Callable[[Array], Array],
    e: Float[Array, "*batch classes"],
    exp: Exponential,
    s: Float[Array, "*batch classes"],
    m: Float[Array, "*batch"],
) -> Float[Array, "*batch"]:
    """A sum of some of e = exp(s, m), normalized, or of scaled exponentials where terms may have underflown."""

    def rescaled() -> Array:
        return sum_of(scaled_exp(s, m)) / FORMATS[s.dtype].unit * largest_of(exp, m)

    if exp is exact_exp:
        return rescaled()  # for nothing: XLA computes scaled_exp(s, m) once
    total = sum_of(e)
    return lax.cond((total < 2.0**-80).any(), rescaled, lambda: total * normalizer(exp, m))


def largest_of(exp: Exponential, m: Float[Array, "*batch"]) -> Float[Array, "*batch"] | float:
    """The largest exponential of each row, normalized: 1, or about 1."""
    return 1.0 if exp is exact_exp else exp(m, m) * normalizer(exp, m)


def once(x: Any) -> Any:
    """`x` as it is, but XLA may neither compute it anew for each of its uses nor find out what it was computed from."""
    return lax.optimization_barrier(x)


def along(row: Float[Array, "*batch"], s: Float[Array, "..."]) -> Float[Array, "..."]:
    """A number a row, with an axis of length one for the classes if s has one."""
    return row[..., None] if s.ndim > row.ndim else row
