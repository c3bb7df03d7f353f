"""Three independent ways to differentiate a function, each usable under any JAX transform.

`by(oracle(f))` is `by(f)` with f's derivative taken in the oracle's way: for any `by` made of `jax.grad`,
`jax.jacobian`, `jax.vjp` and the like.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array


def reverse(f: Callable[..., Array]) -> Callable[..., Array]:
    """f, differentiated by reverse-mode autodiff."""
    return with_jacobian(f, lambda argnums: jax.jacrev(f, argnums))


def forward(f: Callable[..., Array]) -> Callable[..., Array]:
    """f, differentiated by forward-mode autodiff."""
    return with_jacobian(f, lambda argnums: jax.jacfwd(f, argnums))


def differences(f: Callable[..., Array], step: Any = 0.002) -> Callable[..., Array]:
    """f, differentiated by central differences, entry by entry; second derivatives are differences of differences."""
    different = with_jacobian(f, lambda argnums: central_differences(different, argnums, step))
    return different


ORACLES = {"reverse": reverse, "forward": forward, "differences": differences}


def with_jacobian(
    f: Callable[..., Array], jacobian: Callable[[tuple[int, ...]], Callable[..., tuple[Array, ...]]]
) -> Callable[..., Array]:
    """f, with `jacobian(argnums)(*args)` for its full Jacobian with respect to the arguments `argnums`.

    JAX contracts it with the tangents; since that is linear in them, it can also be transposed, for reverse mode.
    """

    @jax.custom_jvp
    def same(*args: Any) -> Array:
        return f(*args)

    @same.defjvp
    def _(args: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
        argnums = tuple(i for i, arg in enumerate(args) if jnp.issubdtype(jnp.result_type(arg), jnp.floating))
        along = [
            jnp.tensordot(block, tangents[i], axes=jnp.ndim(tangents[i]))
            for i, block in zip(argnums, jacobian(argnums)(*args), strict=True)
        ]
        return same(*args), jax.tree.reduce(jnp.add, along)

    return same


def central_differences(
    f: Callable[..., Array], argnums: tuple[int, ...], step: Any = 0.002
) -> Callable[..., tuple[Array, ...]]:
    r"""$f'(x) \approx \sum_{n=1}^3 c_n (f(x + nh) - f(x - nh)) / h$ with c = (45, -9, 1)/60, for each entry of x.

    The truncation error is $h^6 f^{(7)} / 140$. With h = `step` = 0.002 (relative for |x| > 1) in float64 that is below
    10⁻¹⁰ for functions that vary on a scale of 0.1 and more; the rounding error is about 10⁻¹³, 10⁻¹⁰ if done twice.
    """
    steps = jnp.array([-3, -2, -1, 1, 2, 3])
    weights = jnp.array([-1, 9, -45, 45, -9, 1])

    def block(i: int, args: tuple[Any, ...]) -> Array:
        x = args[i]

        def slope(index: Array) -> Array:
            unit = jnp.zeros(x.size, x.dtype).at[index].set(1).reshape(x.shape)
            h = step * jnp.maximum(1, jnp.abs((x * unit).sum()))
            values = jax.vmap(lambda n: f(*args[:i], x + n * h * unit, *args[i + 1 :]))(steps)
            return jnp.tensordot(weights.astype(x.dtype), values, axes=1) / (60 * h)

        slopes = jax.vmap(slope, out_axes=-1)(jnp.arange(x.size))
        return slopes.reshape(slopes.shape[:-1] + x.shape)

    return lambda *args: tuple(block(i, args) for i in argnums)
