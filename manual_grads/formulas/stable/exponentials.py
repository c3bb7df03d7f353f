r"""$e^{s_k - \max s}$ to one ULP, whatever the logits: what a softmax is made of.

`jnp.exp(s - s.max())` isn't that. The subtraction rounds, and exp makes the absolute error a relative one: 64 ULP where
the difference is 80. And the smallest terms underflow, although the sum of many might not.

Two functions are. Both take logits s and the maximum m of their row, and give $e^{s - m}$ times a factor of the row,
`exp.of(m, m)`, which cancels in every quotient: `scaled_exp` whatever the logits are; `shifted_exp` for m below 64
only, but as fast as XLA's fused kernels are. `with_exponential` chooses.
"""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from manual_grads.formulas.stable.sums import LARGE_ARRAY_SIZE, two_sum

# The largest logit of a row up to which e^s, unscaled, is safe: 2²⁴ terms of e^64 ≈ 6·10²⁷ are below float32's 3·10³⁸.
MAX_SHIFTED_LOGIT = 64
# Smaller differences s − m are taken for this one: its exponential is 0 in float64, too, and n is below 2¹².
MIN_DIFFERENCE = -2048


class Exponential(NamedTuple):
    """A way to the exponentials of rows of logits, up to a factor of each row."""

    # (s, m) to e^(s - m) times the row's factor; s may also be a number a row, as m is.
    of: Callable[[Float[Array, "..."], Float[Array, "*batch"]], Float[Array, "..."]]
    # m to a power of two for each row by which its largest exponential is about 1. A sum of the row is to be multiplied
    # by it before anything is divided by that: differentiated, it is squared.
    normalizer: Callable[[Float[Array, "*batch"]], Float[Array, "*batch"]]
    # Whether terms that are 0 may add up to something that matters beside the other terms but the largest.
    may_underflow: bool


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


def with_exponential(formula: Callable[..., Any]) -> Callable[..., Any]:
    """`formula(exp, s, m, ...)` as a function of the logits s and what follows: with the fastest exp that is exact.

    The choice is made around the whole formula, since XLA doesn't fuse across it, and where it pays: for many float32
    numbers on a CPU. (In float64, `scaled_exp` is the more accurate, too.)
    """

    def scaled(s: Array, m: Array, *rest: Array) -> Any:
        return formula(SCALED, s, m, *rest)

    def shifted(s: Array, m: Array, *rest: Array) -> Any:
        return formula(SHIFTED, s, m, *rest)

    def on_cpu(s: Array, m: Array, *rest: Array) -> Any:
        return lax.cond((m < MAX_SHIFTED_LOGIT).all(), shifted, scaled, s, m, *rest)

    @jax.jit
    @wraps(formula)
    def chosen(s: Float[Array, "*batch classes"], *rest: Any) -> Any:
        m = s.max(-1)
        if s.dtype == jnp.float32 and s.size >= LARGE_ARRAY_SIZE:
            return lax.platform_dependent(s, m, *rest, cpu=on_cpu, default=scaled)
        return scaled(s, m, *rest)

    return chosen


def shifted_exp(s: Float[Array, "*batch classes"], m: Float[Array, "*batch"]) -> Float[Array, "*batch classes"]:
    r"""$e^{s - c}$ for m below 64, with $c = \lfloor \min(m, 0) \rfloor$; s may also be a number a row, as m is.

    There is no rounding to carry: s - c is exact, c being 0, or an integer whose sign s shares and from which s is
    less than 1 above or anywhere below. (But for c = -1 it may be off by 2⁻²⁵.) Results below 10⁻³⁸ are flushed to 0.
    """
    return jnp.exp(s - along(shift(m), s))


def shift(m: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """The shift of `shifted_exp`; from 64 on it isn't exact, nor ever used, but must keep the exponential finite."""
    return jnp.where(m < MAX_SHIFTED_LOGIT, jnp.floor(jnp.minimum(m, 0)), m - MAX_SHIFTED_LOGIT)


def shifted_normalizer(m: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """The power of two next to $e^{c - m}$, c being the shift: the normalizer of `shifted_exp`."""
    return power_of_two(-jnp.round((m - shift(m)) / math.log(2)))


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


def scaled_normalizer(m: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """One over the unit, for every row: the normalizer of `scaled_exp`."""
    return jnp.full_like(m, 1 / FORMATS[m.dtype].unit)


SCALED = Exponential(of=scaled_exp, normalizer=scaled_normalizer, may_underflow=False)
SHIFTED = Exponential(of=shifted_exp, normalizer=shifted_normalizer, may_underflow=True)


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
        return lax.cond(jnp.isnan(m).all(), lambda: jnp.full_like(s, jnp.nan), scaled)

    return lax.platform_dependent(cpu=on_cpu, default=scaled)


def largest_of(exp: Exponential, m: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """The largest exponential of each row, normalized: about 1."""
    return exp.of(m, m) * exp.normalizer(m)


def once(x: Any) -> Any:
    """`x` as it is, but XLA may neither compute it anew for each of its uses nor find out what it was computed from."""
    return lax.optimization_barrier(x)


def along(row: Float[Array, "*batch"], s: Float[Array, "..."]) -> Float[Array, "..."]:
    """A number a row, with an axis of length one for the classes if s has one."""
    return row[..., None] if s.ndim > row.ndim else row
