"""Derivatives times cotangents or tangents, with respect to chosen floats among the leaves of any arguments."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.compiling import traces


def pulled_back(of: Callable[..., Any], chosen: tuple[int, ...], apart: bool = False) -> Callable[..., Any]:
    """`(*args, cotangents) -> (of(*args), Jᵀ·cotangents)`, of a function that returns a list of floats.

    Args:
        of: the function.
        chosen: which leaves of the arguments it is differentiated in.
        apart: whether to ask for each leaf alone and for each result alone too. A rule that isn't linear in what it is
            told to be zero (`symbolic_zeros`) gives others there.
    """

    def products(*args_and_cotangents: Any) -> Any:
        *args, cotangents = args_and_cotangents
        of_floats, floats = of_chosen(of, args, chosen)
        value, pull = jax.vjp(of_floats, *floats)
        everything = value, pull(cotangents)
        if not apart:
            return everything
        in_one = [jax.vjp(_in_one(of_floats, floats, i), x)[1](cotangents) for i, x in enumerate(floats)]
        of_one = [
            jax.vjp(lambda *some, j=j: of_floats(*some)[j], *floats)[1](cotangent)
            for j, cotangent in enumerate(cotangents)
        ]
        return *everything, in_one, of_one

    return products


def pushed_forward(of: Callable[..., Any], chosen: tuple[int, ...], apart: bool = False) -> Callable[..., Any]:
    """`(*args, tangents) -> J·tangents`; if `apart`, for each leaf alone too."""

    def products(*args_and_tangents: Any) -> Any:
        *args, tangents = args_and_tangents
        of_floats, floats = of_chosen(of, args, chosen)
        everything = jax.jvp(of_floats, floats, tangents)[1]
        if not apart:
            return everything
        pairs = enumerate(zip(floats, tangents, strict=True))
        return everything, [jax.jvp(_in_one(of_floats, floats, i), [x], [t])[1] for i, (x, t) in pairs]

    return products


def chosen_floats(
    f: Callable[..., Any], args: tuple[Any, ...], argnums: int | Sequence[int] | None
) -> tuple[tuple[int, ...], list[str]]:
    """Which leaves of the arguments to differentiate in: all floats of `argnums`, if told; and a note of those left.

    Unless told, what JAX can't differentiate in is left, as the function's `nondiff_argnums`.

    Raises:
        ValueError: if `argnums` holds the place of no argument, or of one without floats.
    """
    leaves = jax.tree_util.tree_leaves_with_path(args)
    floats = [i for i, (_, x) in enumerate(leaves) if _is_floating(x)]
    if argnums is not None:
        asked = [argnums] if isinstance(argnums, int) else list(argnums)
        for place in asked:
            owned = [i for i in floats if leaves[i][0][0].idx == place % len(args)]
            if not -len(args) <= place < len(args) or not owned:
                raise ValueError(f"argnums holds {place}, expected places of arguments with floats, of {len(args)}")
        return tuple(i for i in floats if leaves[i][0][0].idx in {place % len(args) for place in asked}), []
    alone = floats if _differentiable(f, args, floats) else [i for i in floats if _differentiable(f, args, [i])]
    if not alone:  # whatever is wrong, it will be raised again
        return tuple(floats), []
    left = [f"args{jax.tree_util.keystr(leaves[i][0])}" for i in floats if i not in alone]
    return tuple(alone), [f"not differentiated, as JAX can't: {', '.join(left)}"] if left else []


def _differentiable(f: Callable[..., Any], args: tuple[Any, ...], chosen: list[int]) -> bool:
    """Whether JAX differentiates it in these leaves, in one mode at least."""
    of_floats, floats = of_chosen(f, args, tuple(chosen))
    backwards = traces(lambda *some: jax.vjp(of_floats, *some)[1](of_floats(*some)), floats)
    return backwards or traces(lambda *some: jax.jvp(of_floats, some, some), floats)


def of_chosen(of: Callable[..., Any], args: Any, chosen: tuple[int, ...]) -> tuple[Callable[..., Any], list[Any]]:
    """`of` as a function of these leaves of its arguments, and what they are."""
    leaves, structure = jax.tree.flatten(tuple(args))

    def of_floats(*some: Any) -> Any:
        given = dict(zip(chosen, some, strict=True))
        return of(*jax.tree.unflatten(structure, [given.get(i, x) for i, x in enumerate(leaves)]))

    return of_floats, [leaves[i] for i in chosen]


def _in_one(of_floats: Callable[..., Any], floats: list[Any], i: int) -> Callable[..., Any]:
    return lambda x: of_floats(*floats[:i], x, *floats[i + 1 :])


def _is_floating(x: Any) -> bool:
    is_number = isinstance(x, float | jax.Array | np.ndarray | np.generic)
    return is_number and jnp.issubdtype(jnp.result_type(x), jnp.floating)
