r"""$e^{s_k - \max s}$ to one ULP, whatever the logits: what a softmax is made of.

`jnp.exp(s - s.max())` isn't that. The subtraction rounds, and exp makes the absolute error a relative one: 64 ULP where
the difference is 80. And the smallest terms underflow, although the sum of many might not.

Two functions are. Both take logits s and the maximum m of their row, and give $e^{s - m}$ times a factor of the row,
`exp(m, m)`, which cancels in every quotient: `scaled_exp` whatever the logits are; `shifted_exp` for m below 64 only,
but as fast as XLA's fused kernels are. `with_exponential` chooses.
"""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from manual_grads.formulas.stable.sums import MANY, two_sum

BLOCK = 2**14  # numbers at a time, for what isn't to take memory

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
        return formula(scaled_exp, s, m, *rest)

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


def scaled_exp(s: Float[Array, "*batch classes"], m: Float[Array, "*batch"]) -> Float[Array, "*batch classes"]:
    r"""$\mathrm{unit} \cdot e^{s - m}$, the unit a power of two; s may also be a number a row, as m is.

    With $s - m = n \ln 2 + r$, n an integer and |r| at most ln 2 / 2, the exponential is $2^n e^r$: the power is exact,
    and a short Taylor series does for $e^r$. What the subtraction of the maximum has rounded off is added to r.
    """
    ln2_high, ln2_low, degree, _, unit = FORMATS[s.dtype]
    d, rounded_off = two_sum(s, -along(m, s))
    relevant = d > -2048  # below, e is 0; and where d is −inf, `rounded_off` is NaN
    d, rounded_off = jnp.maximum(d, -2048), jnp.where(relevant, rounded_off, 0)
    n = jnp.round(d / math.log(2))
    r = (d - n * ln2_high) - n * ln2_low + rounded_off
    series = 1 / math.factorial(degree)
    for k in reversed(range(2, degree)):
        series = series * r + 1 / math.factorial(k)
    exp_r = 1 + (r + r * r * series)
    return once(exp_r * power_of_two(n + math.log2(unit)))


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
    m = s.max(-1)

    def scaled() -> Array:
        return scaled_exp(s, m) * 2.0 ** -(jnp.finfo(s.dtype).maxexp * 15 // 32)

    def on_cpu() -> Array:
        return lax.cond(jnp.isnan(m).all(), lambda: jnp.full_like(s, jnp.nan), scaled)

    return lax.platform_dependent(cpu=on_cpu, default=scaled)


def normalizer(exp: Exponential, m: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """A power of two for each row by which its largest exponential is about 1.

    A sum of the row is to be multiplied by it before anything is divided by that: differentiated, it is squared.
    """
    if exp is scaled_exp:
        return jnp.full_like(m, 1 / FORMATS[m.dtype].unit)
    return power_of_two(-jnp.round((m - shift(m)) / math.log(2)))


def largest_of(exp: Exponential, m: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """The largest exponential of each row, normalized: about 1."""
    return exp(m, m) * normalizer(exp, m)


def small_sum(
    sum_of: Callable[..., Array],
    e: Float[Array, "*batch classes"],
    exp: Exponential,
    s: Float[Array, "*batch classes"],
    m: Float[Array, "*batch"],
    *rest: Array,
) -> Float[Array, "*batch"]:
    """A sum of some of e = exp(s, m), normalized, or of scaled exponentials where terms may have underflown.

    It is `sum_of(e, *rest)`; `rest` has something for each row.
    """
    total = sum_of(e, *rest)
    if exp is scaled_exp:
        return total * normalizer(exp, m)

    def rescaled() -> Array:
        again = in_blocks(lambda s, m, *rest: sum_of(scaled_exp(s, m), *rest), s, m, *rest, batch=m.ndim)
        return again * normalizer(scaled_exp, m) * largest_of(exp, m)

    return lax.cond((total < 2.0**-80).any(), rescaled, lambda: total * normalizer(exp, m))


def in_blocks(function: Callable[..., Array], *rows: Array, batch: int) -> Float[Array, "*batch"]:
    """A function of rows, of some at a time: what hardly ever occurs isn't to take memory that is always set aside."""
    flat = [x.reshape(-1, *x.shape[batch:]) for x in rows]
    count, classes = flat[0].shape
    block = min(count, max(1, BLOCK // classes))

    def step(j: Array, results: Array) -> Array:
        some = (lax.dynamic_slice_in_dim(x, j * block, block) for x in flat)  # clamped: the last block may overlap
        return lax.dynamic_update_slice_in_dim(results, function(*some), j * block, 0)

    results = lax.fori_loop(0, -(-count // block), step, jnp.zeros_like(flat[1]))
    return results.reshape(rows[0].shape[:batch])


def once(x: Any) -> Any:
    """`x` as it is, but XLA may neither compute it anew for each of its uses nor find out what it was computed from."""
    return lax.optimization_barrier(x)


def along(row: Float[Array, "*batch"], s: Float[Array, "..."]) -> Float[Array, "..."]:
    """A number a row, with an axis of length one for the classes if s has one."""
    return row[..., None] if s.ndim > row.ndim else row
