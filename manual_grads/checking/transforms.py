"""Every way to call a gradient under JAX's transforms, and what came of each."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from manual_grads.checking.arguments import Claim, is_float
from manual_grads.checking.judges import QUICK

SOME = 3  # points for the transforms whose batch is only to be a batch


class Call(NamedTuple):
    """A way to call: its name, the function of the arrays, and the points that its results are for, stacked."""

    name: str
    function: Callable[..., Any]
    points: np.ndarray
    compiled: bool


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
    n = len(arrays[0])
    every, three = np.arange(first_mixture), np.array(some)
    found = [Call("jit of vmap", jax.vmap(manual), every, True)]
    if not thorough:
        return found
    found += [
        Call("eager", manual, three[:1], False),
        Call("jit", manual, three[:2], True),
        Call("vmap of jit", jax.vmap(jax.jit(manual)), three, False),
        Call("scan", lambda *xs: lax.scan(lambda c, x: (c, manual(*x)), 0, xs)[1], three, True),
        Call("checkpoint", jax.vmap(jax.checkpoint(manual)), three, True),
    ]
    at = first_mixture
    for argument, _ in mixtures(owners, some):
        axes = tuple(0 if owner == argument else None for owner in owners)
        if at + len(some) <= n and len(set(owners)) > 1:
            found.append(
                Call(f"vmap over args[{argument}]", jax.vmap(manual, axes), np.arange(at, at + len(some)), True)
            )
        at += len(some)
    return found


def run(call: Call, arrays: list[Any], owners: list[int], cast: Callable[[list[Any]], list[Any]]) -> Got:
    """One call's results; what it raises is caught, for the others may say when it doesn't."""
    try:
        with quiet():
            return Got(call.name, call.points, _results(call, arrays, owners, cast))
    except Exception as error:  # a manual gradient may raise anything
        return Got(call.name, call.points, [], error)


def _results(call: Call, arrays: list[Any], owners: list[int], cast: Callable[[list[Any]], list[Any]]) -> list[Any]:
    options = {} if call.name.startswith("jit") else QUICK
    function = jax.jit(call.function, compiler_options=options) if call.compiled else call.function
    if call.name in ("eager", "jit"):
        each = [function(*cast([x[i] for x in arrays])) for i in call.points]
        columns = zip(*map(jax.tree.leaves, each), strict=True)
        return [np.stack([np.asarray(leaf, np.float64) for leaf in column]) for column in columns]
    batched = [x[call.points] for x in arrays]
    if call.name.startswith("vmap over"):
        argument = int(call.name.split("[")[1][:-1])
        batched = [x if owner == argument else x[0] for x, owner in zip(batched, owners, strict=True)]
    return [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(function(*cast(batched)))]


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


def behaviour(claim: Claim, example: list[Any], everything: bool) -> Iterator[Got]:
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
            donated = _bytes(jax.jit(manual, donate_argnums=floats)(*copies))
        complaint = "" if donated == third else "differs when its inputs are donated"
        yield Got("donated inputs", nowhere, [], None, complaint)
    except Exception as error:
        yield Got("donated inputs", nowhere, [], error)


def _bytes(results: Any) -> list[bytes]:
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(results)]


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings: those of donation, of NumPy on purpose-made extremes."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield
