"""The sweep: the sigmoid and its derivative at every number of a format, or at millions, spread over all of them.

Balls would take hours for the 2³² numbers of float32. The reference is NumPy's float64, certified by balls on a sample.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.accuracy import truths
from manual_grads.accuracy.survey import Worst, worse
from manual_grads.accuracy.ulp import TrueValues, certified, errors

# Numbers at a time: the float64 temporaries stay in the processor's cache.
CHUNK_SIZE = 2**16
# In ULP of float64, which are 2⁻²⁹ of float32's: exp to one ULP, then four roundings of half an ULP or less.
REFERENCE_ULP = 4.0


def sigmoid(z: np.ndarray) -> np.ndarray:
    """$σ(z)$ in float64, of which no part overflows or cancels."""
    e = np.exp(-np.abs(z))
    return np.where(z < 0, e, 1) / (1 + e)


def sigmoid_grad(z: np.ndarray) -> np.ndarray:
    """$σ'(z) = e^{-|z|} / (1 + e^{-|z|})²$ in float64."""
    e = np.exp(-np.abs(z))
    return e / (1 + e) ** 2


REFERENCES: dict[str, Callable[[np.ndarray], np.ndarray]] = {"sigmoid": sigmoid, "sigmoid_grad": sigmoid_grad}


def every(dtype: Any) -> Iterator[np.ndarray]:
    """Every finite number of a format, in the order of their bits."""
    (whole,) = parts(dtype, 1)
    yield from whole


def parts(dtype: Any, count: int) -> list[Iterator[np.ndarray]]:
    """Every finite number of a format, in as many parts."""
    size = 2 ** jnp.finfo(dtype).bits // count
    return [chunks(dtype, range(i * size, (i + 1) * size)) for i in range(count)]


def spread(dtype: Any, count: int, seed: int = 0) -> Iterator[np.ndarray]:
    """As many numbers of a format, one drawn from each of as many strata of its bits; those that are finite."""
    return chunks(dtype, range(0, 2 ** jnp.finfo(dtype).bits, 2 ** jnp.finfo(dtype).bits // count), seed)


def chunks(dtype: Any, strata: range, seed: int = 0) -> Iterator[np.ndarray]:
    """Finite numbers of a format whose bits, read as an integer, are in the strata that begin there: one of each."""
    random = np.random.default_rng(seed)
    unsigned = f"u{jnp.finfo(dtype).bits // 8}"
    for start in range(0, len(strata), CHUNK_SIZE):
        some = strata[start : start + CHUNK_SIZE]
        pattern = np.arange(some.start, some.stop, some.step, dtype=np.uint64)
        if strata.step > 1:
            pattern += random.integers(strata.step, size=len(pattern), dtype=np.uint64)
        z = pattern.astype(unsigned).view(dtype)
        with np.errstate(invalid="ignore"):  # signalling NaNs
            yield z[np.isfinite(z)]


def certify(name: str, dtype: Any = "float32", count: int = 2**11, seed: int = 0) -> float:
    """The reference's largest error against balls at a sample of a format's numbers, in ULP of float64.

    Raises:
        AssertionError: if that is more than `REFERENCE_ULP`.
    """
    z = np.concatenate(list(spread(dtype, count, seed))).astype(np.float64)
    (truth,) = certified(lambda: [(value := getattr(truths, name)(z), abs(value))], np.float64)
    largest = float(errors(REFERENCES[name](z), truth).ulp.max())
    assert largest <= REFERENCE_ULP, f"the reference for {name} is wrong by {largest} ULP of float64"
    return largest


def sweep(name: str, function: Callable[..., Any], dtype: Any, numbers: Iterable[np.ndarray], bound: float) -> Worst:
    """The worst error of a function of one number, jitted, over all numbers; half an ULP if all is rounded right."""
    found = Worst(0.5, bound, 0)
    compiled = jax.jit(function)
    for z in numbers:
        got = np.asarray(compiled(jnp.asarray(z))).astype(dtype)
        value = REFERENCES[name](z.astype(np.float64))
        wrong = got != value.astype(dtype)  # where it isn't, half an ULP is the most there can be
        if wrong.any():
            error = errors(got[wrong], as_truth(value[wrong], dtype))
            at = int(error.ulp.argmax())
            zeros = int((error.zero & (error.ulp > bound)).sum())
            here = Worst(
                ulp=float(error.ulp[at]),
                bound=bound,
                false_zeros=zeros,
                family="every number",
                entry=0,
                args=(z[wrong][at],),
            )
            found = worse(found, here)
    return found


def as_truth(value: np.ndarray, dtype: Any) -> TrueValues:
    """Values in float64 as the truth for a narrower format."""
    power_of_two = (value.view(np.uint64) & np.uint64(0x7FF0_0000_0000_0000)).view(np.float64)
    unit = np.maximum(power_of_two, float(jnp.finfo(dtype).smallest_normal))
    return TrueValues(value / unit, np.zeros(1), unit, dtype)
