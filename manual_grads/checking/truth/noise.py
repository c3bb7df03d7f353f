"""What rounding does to a function: its spread when every operation is off by a random part of an ULP.

The function's jaxpr is run in float64, with noise of a narrower format's size on the inputs and on each operation's
result (Monte Carlo arithmetic; Parker, Pierce and Eggert 2000). The spread of the results says how far a right
computation by the same formula may be from the truth, cancellation included, whatever the size of the arrays.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from manual_grads.checking.truth.interpreter import Interpreter
from manual_grads.checking.truth.primitives import ELEMENTARY, PRODUCTS, Kind, bind, is_floating_array, terms

GAP = 7  # numbers that are passed over between two operations, or equal shapes would soon get equal noise


def noisy(f: Callable[..., Any], differentiated: Sequence[bool] | None, products: bool = False) -> Callable[..., Any]:
    """`noisy(f, …)(u, noise, *args)`: `f(*args)` with every rounding of it made by `noise`, in [-1, 1], times u.

    The arguments get noise too, those that are `differentiated` even where they are 0; none, if it is None. With
    `products`, u is a pair: the second is what the operands of products are rounded by, before they are multiplied.
    """

    def with_noise(u: Float[Array, "..."], noise: Float[Array, " n"], *args: Any) -> Any:
        closed, shape = jax.make_jaxpr(f, return_shape=True)(*args)
        run = _Run(u[0] * noise, u[1] * noise) if products else _Run(u * noise)
        leaves = [jnp.asarray(x) for x in args]
        if differentiated is not None:
            leaves = [run.input(x, d) for x, d in zip(leaves, differentiated, strict=True)]
        results = run.evaluate(closed, leaves)
        return jax.tree.unflatten(jax.tree.structure(shape), results)

    return with_noise


def noisy_inputs(f: Callable[..., Any], differentiated: Sequence[bool]) -> Callable[..., Any]:
    """`noisy` with noise on the arguments only, which takes a third of the time to compile."""

    def with_noise(u: Float[Array, ""], noise: Float[Array, " n"], *args: Any) -> Any:
        run = _Run(u * noise)
        return f(*(run.input(jnp.asarray(x), d) for x, d in zip(args, differentiated, strict=True)))

    return with_noise


def noise_of_inputs(patterns: np.ndarray, arrays: Sequence[Any]) -> list[np.ndarray]:
    """What is made of the patterns for each argument, as `noisy` and `noisy_inputs` do; zeros for integers."""
    at, found = 0, []
    for x in arrays:
        if not _is_float(x):
            found.append(np.zeros((len(patterns), *np.shape(x))))
        elif np.size(x) > patterns.shape[1]:
            found.append(np.stack([np.resize(p, np.shape(x)) for p in patterns]))
        else:
            start = _start(at, np.size(x), patterns.shape[1])
            at += np.size(x) + GAP
            found.append(patterns[:, start : start + np.size(x)].reshape(-1, *np.shape(x)))
    return found


def _start(at: int, size: int, have: int) -> int:
    """Where in the noise so many numbers are taken from."""
    return at % (have - size + 1)


class _Run(Interpreter):
    """One evaluation with noise: where in the noise it stands."""

    def __init__(self, noise: Any, of_operands: Any = None) -> None:
        self.noise, self.of_operands, self.at = noise, of_operands, 0

    def error(self, shape: tuple[int, ...], noise: Any) -> Any:
        """The next so many relative errors."""
        size = int(np.prod(shape))
        if size > noise.shape[0]:
            return jnp.resize(noise, shape)
        start = _start(self.at, size, noise.shape[0])
        self.at += size + GAP
        return lax.reshape(lax.slice(noise, (start,), (start + size,)), shape)

    def input(self, x: Any, differentiated: bool) -> Any:
        """An argument. What isn't differentiated may be a mask or a label, whose zeros and ones are exact."""
        if differentiated:
            return self.perturbed(x, jnp.where(x == 0, 1.0, x))
        return self.perturbed(x, jnp.where(x == jnp.round(x), 0.0, x)) if _is_float(x) else x

    def perturbed(self, x: Any, magnitude: Any = None, ulps: float = 1.0, noise: Any = None) -> Any:
        """A number off by a part of an ULP of the magnitude that its error is relative to (its own, unless told)."""
        if not _is_float(x):
            return x
        noise = self.noise if noise is None else noise
        size = x if magnitude is None else magnitude
        size = lax.convert_element_type(size, x.dtype)
        size = jnp.where(jnp.isfinite(size), size, 0)  # infinity is exact; times no noise it would be NaN
        error = lax.mul(lax.convert_element_type(self.error(jnp.shape(x), noise), x.dtype), size)
        return lax.add(jnp.asarray(x), error if ulps == 1.0 else ulps * error)

    def operation(self, eqn: Any, kind: Kind, values: list[Any]) -> list[Any]:
        """An equation's outputs, each off by what its rounding may be."""
        if kind is Kind.FACTORISATION:  # exact for a matrix that is off by an ULP of its largest entry
            values = [self.perturbed(v, jnp.max(jnp.abs(v))) if _is_float(v) else v for v in values]
        if self.of_operands is not None and eqn.primitive.name in PRODUCTS:
            values = [self.perturbed(v, noise=self.of_operands) for v in values]
        outs = bind(eqn, values)
        if kind is Kind.EXACT:
            return outs
        if kind is Kind.SUM:
            (magnitude,) = bind(eqn, [*map(jnp.abs, values)])  # a sum's error is relative to that of the absolute terms
            # The roundings of n additions one after the other are a random walk, about √n / 2 of them long.
            return [self.perturbed(outs[0], magnitude, max(1.0, terms(eqn) ** 0.5 / 2))]
        if kind is Kind.FACTORISATION or eqn.primitive.multiple_results:
            return [self.perturbed(out, jnp.max(jnp.abs(out), initial=0.0)) if _is_float(out) else out for out in outs]
        return [self.perturbed(out, ulps=ELEMENTARY.get(eqn.primitive.name, 1.0)) for out in outs]

    def in_round(self, i: Any, closed: Any, args: list[Any]) -> list[Any]:
        """A loop's body in its i-th round, with other noise than in the others."""
        noise, of_operands = self.noise, self.of_operands
        self.noise = jnp.roll(noise, 37 * i)
        self.of_operands = None if of_operands is None else jnp.roll(of_operands, 37 * i)
        outs = self.evaluate(closed, args)
        self.noise, self.of_operands = noise, of_operands
        return outs


def _is_float(x: Any) -> bool:
    return is_floating_array(jax.typeof(x))
