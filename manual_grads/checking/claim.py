"""What is said to equal what, as functions of a flat list of arrays; and which of these are differentiated."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.arrays import is_float, quiet
from manual_grads.checking.compiling import traces


class Claim(NamedTuple):
    """`manual == by(forward)`, and the example's arguments with those leaves that are no arrays held as they are."""

    forward: Any  # a function, or a tuple of several
    manual: Callable[..., Any]
    by: Callable[..., Any]
    structure: Any  # of the tree of arguments
    held: tuple[Any, ...]  # the leaves that are no arrays; None where an array goes
    names: tuple[str, ...]  # each array's place in the arguments, such as "[0]" or "[1]['bias']"
    owners: tuple[int, ...]  # the argument that each array belongs to
    arity: int  # how many of the arguments the forward takes, the others being tangents or cotangents
    differentiated: tuple[bool, ...]  # for each array, whether the forward is, with respect to it
    by_differences: bool = False  # whether the forward can't be differentiated, so that differences are its derivative
    note: str = ""  # what is to be said of that
    eager: bool = False  # whether the manual derivative is written in NumPy: it is called, and isn't traced
    ruled: Callable[..., Any] | None = None  # the function whose derivative rule it is that is checked, if it is one
    differenced: bool = (
        False  # whether these are by the steadiest differences, as of a rule whose function has no other
    )

    @property
    def directions(self) -> tuple[bool, ...]:
        """For each array, whether it is a cotangent or a tangent: the forward itself doesn't take it."""
        return tuple(callable(self.forward) and owner >= self.arity for owner in self.owners)

    def tree(self, leaves: Any) -> tuple[Any, ...]:
        """The arguments, with these arrays as their leaves."""
        given = iter(leaves)
        return jax.tree.unflatten(self.structure, [next(given) if h is None else h.value for h in self.held])

    def manual_of(self, *leaves: Any) -> Any:
        """The manual derivative."""
        return self.manual(*self.tree(leaves))

    def claimed(self, *leaves: Any) -> Any:
        """What it is said to equal."""
        return self.by(self.forward)(*self.tree(leaves))

    def value(self, *leaves: Any) -> Any:
        """The forward's own value; nothing, where the claim is about several functions."""
        return self.forward(*self.tree(leaves)[: self.arity]) if callable(self.forward) else ()


class Held(NamedTuple):
    """A leaf that is no array: a static number, a name, a key."""

    value: Any


def as_claim(
    forward: Any, manual: Callable[..., Any], args: Any, by: Callable[..., Any], dtype: Any = None
) -> tuple[Claim, list[Any]]:
    """The claim and the example's arrays; it is traced for a format, if one is given, and else for the example's own.

    Raises:
        TypeError: if no argument is floating, or `jax.grad` is asked of a forward that isn't scalar.
        ValueError: if an array is empty, or holds NaN.
    """
    _refuse_transform(by)
    args = as_arguments(args)
    args = _with_floating_directions(forward, manual, args, by)
    leaves = jax.tree.leaves(args)
    static = _static_numbers(forward, manual, args, by)
    claim, arrays = _holding(forward, manual, args, by, static)
    _refuse(claim, arrays)
    in_format = [x.astype(dtype) if dtype is not None and is_float(x) else x for x in arrays]
    arity, differentiated = _watched(claim, in_format)
    # A Python number that isn't differentiated is a parameter, such as a width or a rate: it stays what it is.
    places = [i for i, h in enumerate(claim.held) if h is None]
    parameters = {i for i, d in zip(places, differentiated, strict=True) if type(leaves[i]) is float and not d}
    claim, arrays = _holding(forward, manual, args, by, static | parameters)
    kept = tuple(d for i, d in zip(places, differentiated, strict=True) if i not in parameters)
    return claim._replace(arity=arity, differentiated=kept), arrays


def _holding(
    forward: Any, manual: Callable[..., Any], args: tuple[Any, ...], by: Callable[..., Any], static: set[int]
) -> tuple[Claim, list[Any]]:
    """The claim with these leaves held, and all that are neither arrays nor numbers; and its arrays."""
    every, structure = jax.tree_util.tree_flatten_with_path(args)
    held = tuple(Held(x) if i in static or not _is_array_or_number(x) else None for i, (_, x) in enumerate(every))
    arrays = [(path, np.asarray(x)) for (path, x), h in zip(every, held, strict=True) if h is None]
    claim = Claim(
        forward=forward,
        manual=manual,
        by=by,
        structure=structure,
        held=held,
        names=tuple(jax.tree_util.keystr(path) for path, _ in arrays),
        owners=tuple(path[0].idx for path, _ in arrays),
        arity=len(args),
        differentiated=(),
    )
    return claim, [x for _, x in arrays]


def _static_numbers(
    forward: Any, manual: Callable[..., Any], args: tuple[Any, ...], by: Callable[..., Any]
) -> set[int]:
    """Which Python numbers have to be held: a label or an argument can be traced; a size, an axis or a name can't."""
    leaves = jax.tree.leaves(args)
    integers = {i for i, x in enumerate(leaves) if type(x) is int}
    numbers = integers | {i for i, x in enumerate(leaves) if type(x) is float}
    for static in (set(), integers, numbers) if numbers else ():
        claim, arrays = _holding(forward, manual, args, by, static)
        if traces(claim.claimed, arrays) and traces(claim.manual_of, arrays):
            return static
    return set()  # if something else is wrong, it will be raised again


def _with_floating_directions(
    forward: Any, manual: Callable[..., Any], args: tuple[Any, ...], by: Callable[..., Any]
) -> tuple[Any, ...]:
    """The arguments, with whole and Python numbers that are cotangents or tangents as arrays of the forward's format.

    They are such if the forward doesn't take them, and `by(forward)` and the manual derivative take them as floats.
    """
    arities: list[int] = []

    def watching(*given: Any, **kwargs: Any) -> Any:
        arities.append(len(given))
        return forward(*given, **kwargs)

    def is_number(x: Any) -> bool:
        return type(x) in (int, float) or (_is_array_or_number(x) and np.issubdtype(x.dtype, np.integer))

    if not callable(forward) or not any(is_number(x) for x in jax.tree.leaves(args[1:])):
        return args
    claim, arrays = _holding(watching, manual, args, by, set())
    traces(claim.claimed, arrays)
    ahead = args[arities[-1] :] if arities else ()
    floats = [x.dtype for x in jax.tree.leaves(args[: len(args) - len(ahead)]) if hasattr(x, "dtype") and is_float(x)]
    if not floats or not any(is_number(x) for x in jax.tree.leaves(ahead)):
        return args
    fmt = jax.dtypes.canonicalize_dtype(jnp.result_type(*floats))
    floating = jax.tree.map(lambda x: np.asarray(x, fmt) if is_number(x) else x, ahead)
    drawn = (*args[: len(args) - len(ahead)], *floating)
    claim, arrays = _holding(forward, manual, drawn, by, set())
    return drawn if traces(claim.claimed, arrays) and traces(claim.manual_of, arrays) else args


def _refuse_transform(by: Any) -> None:
    """Raises for those of JAX's transforms that aren't functions of a function, as `jax.grad` is."""
    ours = {jax.vjp: "vjp", jax.jvp: "jvp", jax.linearize: "jvp"}
    for transform, name in ours.items():
        if by is transform:
            takes = "its cotangent last" if name == "vjp" else "its tangents last"
            raise TypeError(
                f"by=jax.{transform.__name__} takes the arguments beside the function: give by={name}, of "
                f"`from manual_grads.rules import {name}`; the manual derivative takes f's arguments, and {takes}"
            )


def _refuse(claim: Claim, arrays: list[Any]) -> None:
    """Raises what is wrong with an example whatever its function is."""
    named = list(zip(claim.names, arrays, strict=True))
    described = ", ".join(f"args{name}: {x.dtype}{list(x.shape)}" for name, x in named)
    if any(np.issubdtype(x.dtype, np.complexfloating) for x in arrays):
        raise TypeError(f"complex arguments are not supported ({described}): give their real and imaginary parts")
    if not any(is_float(x) for x in arrays):
        raise TypeError(
            f"nothing to differentiate: no argument is floating-point ({described or 'no arrays'}); "
            "make one so, as by jnp.asarray(x, jnp.float32)"
        )
    for name, x in named:
        if x.size == 0:
            raise ValueError(f"args{name} is empty, of shape {x.shape}: give an example with at least one entry")
        if is_float(x) and np.isnan(np.asarray(x, np.float64)).any():
            raise ValueError(f"args{name} holds NaN: give an example at which the forward is finite")


def as_arguments(args: Any) -> tuple[Any, ...]:
    """The arguments as a tuple; anything but a plain tuple or list is a single one."""
    return tuple(args) if type(args) in (tuple, list) else (args,)


def _watched(claim: Claim, arrays: list[Any]) -> tuple[int, tuple[bool, ...]]:
    """How many positional arguments `by(forward)` hands to the forward, and which arrays it differentiates.

    Tracing it is what finds a bad claim.
    """
    seen: list[tuple[Any, ...]] = []
    shapes: list[Any] = []

    def watched(f: Callable[..., Any]) -> Callable[..., Any]:
        def watching(*args: Any, **kwargs: Any) -> Any:
            differentiated = [type(x).__name__ in ("JVPTracer", "LinearizeTracer") for x in jax.tree.leaves(args)]
            result = f(*args, **kwargs)
            seen.append((len(args), differentiated))
            shapes.append([jnp.shape(leaf) for leaf in jax.tree.leaves(result)])
            return result

        return watching

    forward = jax.tree.map(watched, claim.forward)
    try:
        with quiet():
            jax.eval_shape(claim._replace(forward=forward).claimed, *arrays)
    except TypeError as error:
        if "scalar-output" not in str(error):
            error.add_note("raised by by(forward)(*args), before any check of the manual gradient")
            raise
        found = shapes[-1][0] if shapes and shapes[-1] else "no shape"
        raise TypeError(
            f"by=jax.grad needs a forward with a scalar result, and this one's has shape {found}: "
            "give by=jax.jacobian, or sum the result to the scalar that the gradient is of"
        ) from error
    except Exception as error:
        error.add_note("raised by by(forward)(*args), before any check of the manual gradient")
        raise
    arity = seen[-1][0] if seen else len(claim.tree(arrays))
    mine = [i for i, h in enumerate(claim.held) if h is None]
    calls = [d for n, d in seen if n == arity and len(d) <= len(claim.held)]
    moved = tuple(any(d[i] for d in calls if i < len(d)) for i in mine)
    known = any(moved) and callable(claim.forward)
    return arity, moved if known else tuple(is_float(x) for x in arrays)


def _is_array_or_number(x: Any) -> bool:
    if isinstance(x, np.ndarray | np.generic | jax.Array):
        return not jnp.issubdtype(x.dtype, jax.dtypes.extended)
    return type(x) in (int, float)
