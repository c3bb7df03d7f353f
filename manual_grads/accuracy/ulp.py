"""The measure: errors in units in the last place (ULP) against balls, which bound the true value rigorously."""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flint import arb

from manual_grads.derivations import balls

# Bits of the balls, tried in turn: what cancels most, g − 1 in float64, needs some 1100.
PRECISIONS = (256, 512, 1024, 2048, 4096)
# Of a ball, in ULP: 10⁻⁶ ULP is far below the half of one that a result may be rounded by.
MAX_BALL_RADIUS = 2.0**-20
# The exponent that stands for that of zero: below any format's.
EXPONENT_OF_ZERO = -(2**20)
# Float64's largest exponent: a unit can be no larger.
MAX_UNIT_EXPONENT = 1023


class TrueValues(NamedTuple):
    """The true value of each entry, to 106 bits, and the unit that its errors are counted in.

    `high + low` is the value divided by `unit`, the largest power of two up to the entry's magnitude (but no smaller
    than the smallest normal number): so nothing underflows. The magnitude is |value| where a bound in ULP is promised.
    """

    high: np.ndarray
    low: np.ndarray
    unit: np.ndarray
    dtype: Any  # of the results that are to be measured


class Errors(NamedTuple):
    """Each entry's error in ULP of its magnitude, and which entries are 0 where the true value is a normal number."""

    ulp: np.ndarray
    zero: np.ndarray


class NotNarrow(ArithmeticError):
    """A ball is too wide to measure by: more bits are needed."""


def certified(outputs: Callable[[], list[tuple[Any, Any]]], dtype: Any) -> list[TrueValues]:
    """The true values of what `outputs()` gives, pairs of values and magnitudes, with as many bits as it takes.

    Raises:
        NotNarrow: if 4096 bits don't make every ball far narrower than half an ULP.
    """
    for bits in PRECISIONS:
        with balls.precision(bits):
            try:
                return [as_truth(value, magnitude, dtype) for value, magnitude in outputs()]
            except NotNarrow:
                if bits == PRECISIONS[-1]:
                    raise
    raise AssertionError("unreachable")


def as_truth(values: Any, magnitudes: Any, dtype: Any) -> TrueValues:
    """The true values that balls enclose, with the units that their magnitudes give.

    Raises:
        NotNarrow: if a ball is not far narrower than half an ULP of its magnitude.
    """
    values, magnitudes = np.asarray(values, object), np.asarray(magnitudes, object)
    lowest, eps = int(jnp.finfo(dtype).minexp), float(jnp.finfo(dtype).eps)
    high, low, unit = (np.empty(values.shape) for _ in range(3))
    for index, value, magnitude in zip(np.ndindex(values.shape), values.flat, magnitudes.flat, strict=True):
        power = min(max(floor_log2(arb(magnitude)), lowest), MAX_UNIT_EXPONENT)
        scaled = arb(value) * arb((1, -power))
        if not scaled.rad() <= MAX_BALL_RADIUS * eps:
            raise NotNarrow(f"entry {index} is known to {scaled.rad()} only, relative to its magnitude")
        unit[index] = math.ldexp(1.0, power)
        high[index] = float(scaled.mid())
        low[index] = float((scaled - float(high[index])).mid())
    return TrueValues(high, low, unit, dtype)


def floor_log2(magnitude: arb) -> int:
    """The exponent of the largest power of two up to a ball's midpoint; for zero, less than any format's."""
    mantissa, exponent = magnitude.mid().man_exp()
    return int(exponent) + int(mantissa).bit_length() - 1 if mantissa else EXPONENT_OF_ZERO


def errors(got: Any, truth: TrueValues) -> Errors:
    """The error of each entry of `got`, |got − value|, in ULP (of `truth.dtype`) of its magnitude.

    Where the value is below the smallest normal number, the promise is absolute: XLA on CPU flushes such numbers to
    zero, so an error up to the smallest normal number counts as none. Where the value is above the largest finite
    number, infinity or that number is right. NaN is infinitely wrong.
    """
    info = jnp.finfo(truth.dtype)
    eps, smallest, largest = float(info.eps), float(info.smallest_normal), float(info.max)
    got = np.asarray(got).astype(np.float64)
    # In units, in which nothing underflows; and where there is no promise in units, which results are right.
    with np.errstate(over="ignore", invalid="ignore"):
        value = truth.high * truth.unit
        units = np.abs((got / truth.unit - truth.high) - truth.low)
        normal = np.abs(value) >= smallest
        right = (units * truth.unit <= smallest) & ~normal
        right |= (np.abs(value) > largest) & (np.abs(got) >= largest) & (np.sign(got) == np.sign(value))
    ulp = np.where(right, 0.0, np.nan_to_num(units / eps, nan=np.inf, posinf=np.inf))
    return Errors(ulp, (got == 0) & normal)


def errors_of_all(got: Any, truths: Iterable[TrueValues]) -> Errors:
    """The errors of a tree of results: a row for each example, of all its entries."""
    leaves = [errors(leaf, truth) for leaf, truth in zip(jax.tree.leaves(got), truths, strict=True)]
    flat = [[part.reshape(len(part), -1) for part in leaf] for leaf in leaves]
    return Errors(*(np.concatenate(parts, axis=1) for parts in zip(*flat, strict=True)))
