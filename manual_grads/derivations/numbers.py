"""The arithmetic that the document's lines are written in, for any kind of number.

A line is ordinary Python over JAX arrays, or over NumPy arrays of SymPy expressions or of balls. Sums, products and
`@` are the same for all three; what differs is here, with JAX as the default. `symbols` and `balls` register theirs.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import singledispatch
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


@singledispatch
def exp(z: Any) -> Any:
    """$e^z$, elementwise."""
    return jnp.exp(z)


@singledispatch
def log(z: Any) -> Any:
    """$ln z$, elementwise."""
    return jnp.log(z)


@exp.register
def exp_of_objects(z: np.ndarray) -> np.ndarray:
    """$e^z$ of an array of symbols or balls."""
    return np.vectorize(exp, otypes=[object])(z)


@log.register
def log_of_objects(z: np.ndarray) -> np.ndarray:
    """$ln z$ of an array of symbols or balls."""
    return np.vectorize(log, otypes=[object])(z)


def derivative(f: Callable[[Any], Any], x: Any) -> Any:
    """$df/dx$ at x, of shape `f(x).shape + x.shape`: autodiff for JAX, `diff` for SymPy, power series for balls."""
    return differentiate(x.flat[0] if isinstance(x, np.ndarray) else x, f, x)


@singledispatch
def differentiate(number: Any, f: Callable[[Any], Any], x: Any) -> Any:
    """$df/dx$ at x, by the kind of number that x consists of; if no other is registered, by JAX's autodiff."""
    del number
    return jax.jacobian(f)(x)


@singledispatch
def I(condition: Any) -> Any:  # noqa: E743 - the document's letter for the indicator
    """1 if the condition holds, else 0."""
    return int(condition)


@singledispatch
def classes(K: Any) -> Any:
    """The numbers of K classes; where K is a symbol, the classes that a line can name."""
    return range(K)


@singledispatch
def size(s: Any) -> Any:
    """The number K of classes that s has an entry for."""
    return len(s)


@singledispatch
def sum_over(s: Any, f: Callable[[Any], Any]) -> Any:
    """$Σ_k f(k)$, k running over the classes that s has an entry for."""
    return sum(f(k) for k in range(len(s)))


@singledispatch
def for_each(s: Any, f: Callable[[Any], Any]) -> Any:
    """The vector of f(k), k running over the classes that s has an entry for."""
    return vector([f(k) for k in range(len(s))])


def vector(entries: Sequence[Any]) -> Any:
    """A vector of these numbers."""
    return jnp.stack(entries) if isinstance(entries[0], jax.Array) else objects(entries, (len(entries),))


def objects(entries: Iterable[Any], shape: tuple[int, ...]) -> np.ndarray:
    """An array of these objects: `np.array` would take a power series apart into its coefficients."""
    array = np.empty(shape, dtype=object)
    for index, entry in zip(np.ndindex(shape), entries, strict=True):
        array[index] = entry
    return array


def as_objects(value: Any) -> np.ndarray:
    """A number, or an array of them, as an array of objects."""
    return value if isinstance(value, np.ndarray) else objects([value], ())


@singledispatch
def diag(v: Any) -> Any:
    """The diagonal matrix with v on its diagonal."""
    return np.diag(v) if isinstance(v, np.ndarray) else jnp.diag(v)


@singledispatch
def outer(a: Any, b: Any) -> Any:
    """The outer product $a b^T$, a matrix."""
    return a[:, None] * b[None, :]
