"""Three independent ways to differentiate a function, each usable under any JAX transform.

`by(oracle(f))` is `by(f)` with f's derivative taken in the oracle's way: for any `by` made of `jax.grad`,
`jax.jacobian`, `jax.vjp` and the like.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from manual_grads.checking.arrays import is_float

Bounds = dict[str, tuple[float, float]]  # the least and the largest number that an argument may be, by its place

ENTRIES_AT_ONCE = 256  # that are differenced together: so many that they fit into memory, whatever their number

# From where truncation spoils a slope of functions that vary on a scale of 10 to where rounding does.
STEPS = 0.016 / 8.0 ** np.arange(6)
# Of a value, 16 ULP of float32: steps that change it by less, where shorter ones (by a factor of 64 at the most) don't
# change it at all, may be too short for what computes in float32 inside.
RESOLVED = 2.0**-19
FEWER_STEPS = STEPS[1::2]  # for functions of Python, each of whose values takes its time


def reverse(f: Callable[..., Any]) -> Callable[..., Any]:
    """f, differentiated by reverse-mode autodiff."""
    return with_jacobian(f, jax.jacrev)


def forward(f: Callable[..., Any]) -> Callable[..., Any]:
    """f, differentiated by forward-mode autodiff."""
    return with_jacobian(f, jax.jacfwd)


def differences(f: Callable[..., Any], step: Any = 0.002) -> Callable[..., Any]:
    """f, differentiated by central differences, entry by entry; second derivatives are differences of differences."""

    def by_differences(g: Callable[..., list[Array]], argnums: tuple[int, ...], step: Any) -> Callable[..., Any]:
        return central_differences(_contracted(g, by_differences, step), argnums, step)

    return with_jacobian(f, by_differences, step)


def steadiest_differences(
    f: Callable[..., Any], steps: Any = STEPS, bounds: Bounds | None = None
) -> Callable[..., Any]:
    """f, differentiated by central differences, of the step that suits each entry: where there is no other oracle.

    Arguments that have `bounds`, by their places, aren't taken beyond. What it returns has `by_steps(factor)`, which is
    the same by steps so many times as long.
    """
    same = with_jacobian(f, _steadiest, steps, bounds=bounds)
    setattr(same, "by_steps", lambda factor: steadiest_differences(f, steps * factor, bounds))  # noqa: B010
    return same


ORACLES = {"reverse": reverse, "forward": forward, "differences": differences}


def with_jacobian(
    f: Callable[..., Any], jacobian: Callable[..., Any], *options: Any, bounds: Bounds | None = None
) -> Callable[..., Any]:
    """f, with `jacobian(g, argnums, *options)(*args)` for its full Jacobian with respect to the arguments `argnums`.

    g is f as a function of arrays that returns a list of arrays. JAX contracts the Jacobian with the tangents; since
    that is linear in them, it can also be transposed, for reverse mode. One that heeds `bounds` is given those of each
    argument.
    """

    def same(*args: Any) -> Any:
        leaves, structure = jax.tree.flatten(args)
        traced = [isinstance(x, jax.Array | np.ndarray | np.generic | float) for x in leaves]
        shape: list[Any] = []

        def g(*arrays: Any) -> list[Array]:
            given = iter(arrays)
            merged = [next(given) if t else x for x, t in zip(leaves, traced, strict=True)]
            results, out = jax.tree.flatten(f(*jax.tree.unflatten(structure, merged)))
            shape[:] = [out]
            return results

        places = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_flatten_with_path(args)[0]]
        limits = tuple((bounds or {}).get(place) for place, t in zip(places, traced, strict=True) if t)
        within = partial(jacobian, limits=limits) if bounds else jacobian
        results = _contracted(g, within, *options)(*(x for x, t in zip(leaves, traced, strict=True) if t))
        return jax.tree.unflatten(shape[0], results)

    return same


def _contracted(
    g: Callable[..., list[Array]], jacobian: Callable[..., Any], *options: Any
) -> Callable[..., list[Array]]:
    # Options may be traced. They are operands, since JAX can lose what a rule closes over: 0.12 does, inside a loop.
    @jax.custom_jvp
    def same(options: tuple[Any, ...], *args: Any) -> list[Array]:
        return g(*args)

    @same.defjvp
    def same_jvp(primals: tuple[Any, ...], all_tangents: tuple[Any, ...]) -> tuple[list[Array], list[Array]]:
        """J·tangents, by the Jacobian."""
        (options, *args), (_, *tangents) = primals, all_tangents
        argnums = tuple(i for i, arg in enumerate(args) if jnp.issubdtype(jnp.result_type(arg), jnp.floating))
        along = [
            jax.tree.reduce(
                jnp.add,
                [
                    jnp.tensordot(block, tangents[i], jnp.ndim(tangents[i]))
                    for i, block in zip(argnums, of, strict=True)
                ],
            )
            for of in jacobian(g, argnums, *options)(*args)
        ]
        results = same(options, *args)  # in their format, whatever that of the steps is
        return results, [a.astype(r.dtype) if is_float(r) else a for a, r in zip(along, results, strict=True)]

    return partial(same, options)


def central_differences(
    g: Callable[..., list[Array]],
    argnums: tuple[int, ...],
    step: Any = 0.002,
    limits: tuple[tuple[float, float] | None, ...] | None = None,
) -> Callable[..., list[tuple[Array, ...]]]:
    r"""$g'(x) \approx \sum_{n=1}^3 c_n (g(x + nh) - g(x - nh)) / h$ with c = (45, -9, 1)/60, for each entry of x.

    The truncation error is $h^6 g^{(7)} / 140$. With h = `step` = 0.002 (relative for |x| > 1) in float64 that is below
    10⁻¹⁰ for functions that vary on a scale of 0.1 and more; the rounding error is about 10⁻¹³, 10⁻¹⁰ if done twice.
    """
    steps = jnp.array([-3, -2, -1, 1, 2, 3])
    weights = jnp.array([-1, 9, -45, 45, -9, 1])

    def blocks(i: int, args: tuple[Any, ...]) -> list[Array]:
        x = jnp.asarray(args[i])

        def slope(index: Array) -> list[Array]:
            unit = jnp.zeros(x.size, x.dtype).at[index].set(1).reshape(x.shape)
            at = (x * unit).sum()
            h = step * jnp.maximum(1, jnp.abs(at))
            if limits and (limit := limits[i]):
                # All steps are shortened alike, so that they stay different; the furthest value is 3h away.
                room = jnp.minimum(at - limit[0], limit[1] - at)
                h = jnp.minimum(h, step * room / (4 * STEPS[0]))
            values = jax.vmap(lambda n: g(*args[:i], x + n * h * unit, *args[i + 1 :]))(steps)
            return [jnp.tensordot(weights.astype(x.dtype), v, axes=1) / (60 * h) for v in values]

        slopes = jax.lax.map(slope, jnp.arange(x.size), batch_size=min(x.size, ENTRIES_AT_ONCE))
        return [jnp.moveaxis(s, 0, -1).reshape(s.shape[1:] + x.shape) for s in slopes]

    def jacobian(*args: Any) -> list[tuple[Array, ...]]:
        return list(zip(*(blocks(i, args) for i in argnums), strict=True))

    return jacobian


def _steadiest(
    g: Callable[..., list[Array]],
    argnums: tuple[int, ...],
    steps: Array,
    limits: tuple[tuple[float, float] | None, ...] | None = None,
) -> Callable[..., list[tuple[Array, ...]]]:
    """Of central differences at several steps, for each entry those of the largest step that agree with the next."""

    def jacobian(*args: Any) -> list[tuple[Array, ...]]:
        tried = jax.lax.map(lambda step: central_differences(g, argnums, step, limits)(*args), jnp.asarray(steps))
        return [tuple(_steady(s, steps, value) for s in of) for of, value in zip(tried, g(*args), strict=True)]

    return jacobian


def _steady(slopes: Array, steps: Array, value: Array) -> Array:
    """Of slopes at each step, the first that differs from the next by little more than any two do."""
    apart = jnp.abs(jnp.diff(slopes, axis=0))
    apart = jnp.where(jnp.isfinite(apart), apart, jnp.inf)
    # Where the steps are too short for what computes in float32 inside, no value differs from another.
    effect = jnp.abs(slopes) * steps.reshape(-1, *(1,) * (slopes.ndim - 1))
    smallest = jnp.where(effect > 0, effect, jnp.inf).min(0)
    size = jnp.abs(value).reshape(value.shape + (1,) * (slopes.ndim - 1 - value.ndim))
    apart = jnp.where((slopes[:-1] == 0) & (smallest <= RESOLVED * size), jnp.inf, apart)
    # By accident two may agree to the last bit, though rounding has taken their digits.
    enough = jnp.maximum(10 * apart.min(0), 1e-11 * jnp.nanmin(jnp.abs(slopes[:-1]), 0))
    return jnp.take_along_axis(slopes, jnp.argmax(apart <= enough, axis=0)[None], 0)[0]


def slopes_along(f: Callable[..., Any], example: list[Any], directions: int) -> Callable[..., Any]:
    """`slopes_along(f, …)(step, *args)`: f's slopes along random directions of length one, `[2, directions]`.

    The first row is by autodiff, the second by central differences. Several results are summed with random weights.
    """
    random = np.random.default_rng(2)
    drawn = [random.normal(size=(directions, *np.shape(x))) if is_float(x) else None for x in example]
    length = np.sqrt(sum((d * d).sum() / directions for d in drawn if d is not None))

    def along(step: Any, *leaves: Any) -> Any:
        def ahead(t: Any) -> Any:
            at = [x if d is None else x + jnp.tensordot(t, d / length, 1) for x, d in zip(leaves, drawn, strict=True)]
            weights = np.random.default_rng(3)
            return sum((v * weights.normal(size=v.shape)).sum() for v in jax.tree.leaves(f(*at)) if is_float(v))

        zero = jnp.zeros(directions)
        return jnp.stack([jax.grad(ahead)(zero), jax.grad(differences(ahead, step))(zero)])

    return along
