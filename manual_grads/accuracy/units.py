"""The unit bounds: how far XLA's elementary functions, and the stable exponential, are from the truth at the most.

They are measured, not assumed: in float32 at every number of the domain, in float64 at one number of each of many
strata. The reference is NumPy's function in float64, and for float64 in the processor's extended precision; a sample of
it is certified by balls.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.accuracy import sweep
from manual_grads.accuracy.unit_bounds import Unit
from manual_grads.derivations import balls
from manual_grads.derivations.balls import arb
from manual_grads.formulas.stable.exponentials import FORMATS, scaled_exp

# Of an ULP of the format that is measured: what its reference may be wrong by. Extended precision has 11 bits more than
# float64, and NumPy's functions in it are good to an ULP or two.
MAX_REFERENCE_ERROR = 2.0**-8
# Bits of the balls that certify it.
BALL_BITS = 256


class Function(NamedTuple):
    """An elementary function, what its error is measured by, and where."""

    compiled: Callable[[Any], Any]
    reference: Callable[[Any], Any]  # NumPy's
    ball: Callable[[arb], arb]
    domain: Callable[[np.ndarray], np.ndarray]  # of normal numbers: XLA on CPU takes smaller ones for zero


RIGHTLY_ROUNDED = Unit(0.5, 1.0)


def exp_of_difference(z: Any) -> Any:
    """$e^{s - m}$ as the stable forms compute it, of a difference that is exact: s = z and m = 0."""
    return scaled_exp(z, jnp.zeros((), z.dtype)) * (1 / FORMATS[z.dtype].unit)


def everywhere(z: np.ndarray) -> np.ndarray:
    """Every number."""
    return np.full(z.shape, True)


def not_near_overflow(z: np.ndarray) -> np.ndarray:
    """Where both e^z and e^(−z) are normal numbers: all that σ and the quick forms need."""
    return np.abs(z) <= -math.log(float(jnp.finfo(z.dtype).smallest_normal))


# What the forms make of them is a smaller domain than the whole, with a smaller error.
FUNCTIONS: dict[str, Function] = {
    "exp": Function(jnp.exp, np.exp, arb.exp, everywhere),
    "exp, not near overflow": Function(jnp.exp, np.exp, arb.exp, not_near_overflow),
    "log": Function(jnp.log, np.log, arb.log, lambda z: z > 0),
    "log1p": Function(jnp.log1p, np.log1p, arb.log1p, lambda z: z > -1),
    "log1p, from 0": Function(jnp.log1p, np.log1p, arb.log1p, lambda z: z >= 0),
    "expm1": Function(jnp.expm1, np.expm1, arb.expm1, everywhere),
    "scaled exp": Function(exp_of_difference, np.exp, arb.exp, lambda z: z <= 0),
}


def is_extended() -> bool:
    """Whether NumPy has a format that is wide enough to measure float64 by."""
    return float(np.finfo(np.longdouble).eps) * 4 <= MAX_REFERENCE_ERROR * float(np.finfo(np.float64).eps)


def measure(name: str, numbers: Iterable[np.ndarray]) -> Unit:
    """A function's largest errors at numbers of float32 or float64, jitted."""
    function = FUNCTIONS[name]
    compiled = jax.jit(function.compiled)
    found = RIGHTLY_ROUNDED
    for z in numbers:
        z = in_domain(name, z)
        with jax.enable_x64(z.dtype == np.float64):
            got = np.asarray(compiled(z))
        found = larger(found, largest_errors(got, reference(name, z), z))
    return found


def in_domain(name: str, z: np.ndarray) -> np.ndarray:
    """Those of the numbers that the function is measured at."""
    return z[FUNCTIONS[name].domain(z) & (np.abs(z) >= jnp.finfo(z.dtype).smallest_normal)]


def reference(name: str, z: np.ndarray) -> np.ndarray:
    """NumPy's values, in a wider format."""
    with np.errstate(over="ignore", under="ignore"):
        return FUNCTIONS[name].reference(z.astype(np.longdouble if z.dtype == np.float64 else np.float64))


def largest_errors(got: np.ndarray, value: np.ndarray, z: np.ndarray) -> Unit:
    """The largest errors of results where the true values are normal numbers of their format.

    Where all are rounded right, half an ULP, which is u at the most, is said.
    """
    info = jnp.finfo(got.dtype)
    with np.errstate(over="ignore"):
        wrong = got != value.astype(got.dtype)
    got, value, z = got[wrong], value[wrong], z[wrong]
    size = np.abs(value)
    normal = (size >= float(info.smallest_normal)) & (size <= float(info.max))
    if not normal.any():
        return RIGHTLY_ROUNDED
    size = size[normal]
    off = np.abs(got[normal].astype(value.dtype) - value[normal])
    mantissa, _ = np.frexp(size)  # from a half to one
    relative = off / size
    top = int(relative.argmax())
    ulp = float((relative * mantissa).max()) * 2 / float(info.eps)
    return Unit(ulp, float(relative[top]) * 2 / float(info.eps), float(z[normal][top]))


def larger(a: Unit, b: Unit) -> Unit:
    """The larger errors of two, each."""
    further = max(a, b, key=lambda unit: unit.relative)
    return further._replace(ulp=max(a.ulp, b.ulp))


def certify(name: str, dtype: Any, count: int = 2**11, seed: int = 0) -> float:
    """The reference's largest error at a sample of a format's numbers, by balls, in ULP of the format.

    Raises:
        AssertionError: if that is more than `MAX_REFERENCE_ERROR`.
    """
    z = in_domain(name, np.concatenate(list(sweep.spread(dtype, count, seed))))
    info, largest = jnp.finfo(dtype), 0.0
    values = reference(name, z)
    with balls.precision(BALL_BITS):
        for x, value in zip(z, values, strict=True):
            if not float(info.smallest_normal) <= abs(value) <= float(info.max):
                continue
            high = float(value)
            given = arb(high) + arb(float(value - high))
            off = abs((given - (true := FUNCTIONS[name].ball(arb(float(x))))) / true).upper()
            largest = max(largest, float(off) / float(info.eps))
    assert largest <= MAX_REFERENCE_ERROR, f"the reference for {name} is wrong by {largest} ULP of {dtype}"
    return largest
