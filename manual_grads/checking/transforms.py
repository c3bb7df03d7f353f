"""Every way to call a gradient under JAX's transforms, and what came of each."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from manual_grads.checking.arguments import Claim, is_float, quiet
from manual_grads.checking.compiling import QUICK

SOME = 3  # points for the transforms whose batch is only to be a batch


class Call(NamedTuple):
    """A way to call: its name, the function of the arrays, and the points that its results are for, stacked."""

    name: str
    function: Callable[..., Any]
    points: np.ndarray
    batched: tuple[bool, ...] | None  # which arrays have the points as their first axis; None: a call a point


class Got(NamedTuple):
    """What a call returned, stacked over its points; or what it raised, or what was wrong with it."""

    name: str
    points: np.ndarray
    leaves: list[np.ndarray]
    error: Exception | None = None
    complaint: str = ""


def mixtures(owners: list[int], some: list[int]) -> Iterator[tuple[int, list[list[int]]]]:
    """For each argument, the points that its arrays come from when it alone is batched."""
    for argument in sorted(set(owners)):
        yield argument, [list(some) if owner == argument else [some[0]] * len(some) for owner in owners]


def calls(claim: Claim, arrays: list[Any], some: list[int], first_mixture: int, thorough: bool) -> list[Call]:
    """The calls, cheap ones first: all points by `jit` of `vmap`, a few of them by every other transform."""
    manual, owners = claim.manual_of, claim.owners()
    every, three, all_arrays = np.arange(first_mixture), np.array(some), (True,) * len(owners)
    found = [Call("jit of vmap", jax.jit(jax.vmap(manual)), every, all_arrays)]
    if not thorough:
        return found

    def quick(f: Callable[..., Any]) -> Callable[..., Any]:
        return jax.jit(f, compiler_options=QUICK)

    found += [
        Call("eager", manual, three[:2], None),
        Call("jit", jax.jit(manual), three[:2], None),
        Call("vmap of jit", jax.vmap(jax.jit(manual)), three, all_arrays),
        Call("scan", quick(lambda *xs: lax.scan(lambda c, x: (c, manual(*x)), 0, xs)[1]), three, all_arrays),
        Call("checkpoint", quick(jax.vmap(jax.checkpoint(manual))), three, all_arrays),
    ]
    for place, (argument, _) in enumerate(mixtures(owners, some)):
        alone = tuple(owner == argument for owner in owners)
        points = np.arange(first_mixture, len(arrays[0]))[place * len(some) :][: len(some)]
        if len(points) and not all(alone):
            function = quick(jax.vmap(manual, tuple(0 if a else None for a in alone)))
            found.append(Call(f"vmap over args[{argument}]", function, points, alone))
    return found


def arguments(call: Call, arrays: list[Any], cast: Callable[[list[Any]], list[Any]]) -> Iterator[list[Any]]:
    """What the call is made with; once, or for each of its points."""
    if call.batched is None:
        yield from (cast([x[i] for x in arrays]) for i in call.points)
    else:
        points = call.points
        yield cast([x[points] if b else x[points[0]] for x, b in zip(arrays, call.batched, strict=True)])


def run(call: Call, arrays: list[Any], cast: Callable[[list[Any]], list[Any]]) -> Got:
    """One call's results; what it raises is caught, for the others may say when it doesn't."""
    try:
        with quiet():
            each = [jax.tree.leaves(call.function(*args)) for args in arguments(call, arrays, cast)]
            columns = [[np.asarray(leaf, np.float64) for leaf in column] for column in zip(*each, strict=True)]
            return Got(call.name, call.points, [c[0] if call.batched else np.stack(c) for c in columns])
    except Exception as error:  # a manual gradient may raise anything
        return Got(call.name, call.points, [], error)


def structure(claim: Claim, example: list[Any]) -> str:
    """What is wrong with the shapes, dtypes or tree of the result; nothing, if it is empty.

    Raises:
        Exception: whatever the manual gradient itself raises.
    """
    want = jax.eval_shape(claim.claimed, *example)
    got = jax.eval_shape(claim.manual_of, *example)
    if jax.tree.structure(got) != jax.tree.structure(want):
        return f"wrong tree: expected {jax.tree.structure(want)}, got {jax.tree.structure(got)}"
    for (path, g), w in zip(jax.tree_util.tree_leaves_with_path(got), jax.tree.leaves(want), strict=True):
        where = f" of result{jax.tree_util.keystr(path)}" if path else ""
        if g.shape != w.shape:
            return f"wrong shape{where}: expected {w.shape}, got {g.shape}"
        if g.dtype != w.dtype:
            return f"wrong dtype{where}: expected {w.dtype}, got {g.dtype}"
    return ""


def behaviour(claim: Claim, example: list[Any], point: np.ndarray, everything: bool) -> Iterator[Got]:
    """What can be wrong beside the values: other results for the same inputs, a leaked tracer, donation."""
    nowhere = np.arange(0)
    manual = claim.manual_of
    try:
        with quiet():
            first, second = (_bytes(manual(*example)) for _ in range(2))
    except Exception as error:  # at the second call of it, as after a leaked tracer
        yield Got("determinism", nowhere, [], error)
        return
    yield Got("determinism", nowhere, [], None, "" if first == second else "two eager calls differ: non-deterministic")
    if not everything:
        return
    compiled = jax.jit(manual)
    try:
        with quiet():
            third, fourth = (_bytes(compiled(*example)) for _ in range(2))
            fifth = _bytes(jax.jit(lambda *a: manual(*a))(*example))
        same = third == fourth == fifth
        yield Got(
            "determinism, jit", nowhere, [], None, "" if same else "compiled twice, it differs: non-deterministic"
        )
    except Exception as error:
        yield Got("determinism, jit", nowhere, [], error)
        return
    try:
        with jax.checking_leaks():
            jax.eval_shape(lambda *a: manual(*a), *example)
        yield Got("leaked tracers", nowhere, [])
    except Exception as error:
        yield Got("leaked tracers", nowhere, [], error if "eak" in str(error) else None)
    floats = tuple(i for i, x in enumerate(example) if is_float(x))
    try:
        with quiet():
            copies = [jnp.array(x, copy=True) for x in example]
            results = jax.tree.leaves(jax.jit(manual, donate_argnums=floats)(*copies))
        # Not to the last bit: where inputs may be overwritten, XLA compiles otherwise.
        yield Got("donated inputs", point, [np.asarray(leaf, np.float64)[None] for leaf in results])
    except Exception as error:
        yield Got("donated inputs", nowhere, [], error)


def _bytes(results: Any) -> list[bytes]:
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(results)]
