"""Every way to call a gradient under JAX's transforms, and what comes of a call."""

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jax import lax

from manual_grads.checking.arrays import Leaf, computing_in, leaves_of
from manual_grads.checking.claim import Claim
from manual_grads.checking.compiling import Compiled, compiled
from manual_grads.checking.numpy_functions import on_arrays
from manual_grads.checking.raised import message

BATCH = 3  # points for the transforms whose batch is only to be a batch
WITH_ALL_BATCHED = 3  # calls that are compiled for one run, beside those with one argument batched

ComplaintKind = Literal[
    "no array",
    "wrong tree",
    "wrong shape",
    "wrong dtype",
    "raises when traced",
    "in NumPy",
    "raises",
    "leaked tracer",
    "non-deterministic",
    "wrong rule",
    "wrong factor",
    "no subgradient",
]


class Complaint(NamedTuple):
    """What is wrong with a call beside its values."""

    kind: ComplaintKind
    text: str
    error: Exception | None = None
    expected_shape: tuple[int, ...] = ()  # of a wrong shape
    shape: tuple[int, ...] = ()


# A call is judged by its values, with all arguments batched or with one alone; a behaviour by what happened.
OutcomeKind = Literal["call", "call with one batched", "behaviour"]


class Outcome(NamedTuple):
    """What came of a call: its results, stacked over its points; or a complaint; or neither, if it has only to work."""

    check: str
    kind: OutcomeKind
    points: np.ndarray
    leaves: list[Leaf]
    complaint: Complaint | None = None
    widest: int = 0  # the entries of the largest array that it makes, where it was traced
    calls_back: bool = False  # whether it calls functions of Python, likewise


class Call(NamedTuple):
    """A way to call: its name, the function of the arrays, and the points that its results are for, stacked."""

    name: str
    kind: OutcomeKind
    function: Callable[..., Any] | Compiled
    points: np.ndarray
    batched: tuple[bool, ...] | None  # which arrays have the points as their first axis; None: a call a point
    together: bool = False  # whether it may be compiled in one program with others: for one run, and of few arrays


def mixtures(owners: tuple[int, ...], some: list[int]) -> Iterator[tuple[int, list[list[int]]]]:
    """For each argument, the points that its arrays come from when it alone is batched."""
    for argument in sorted(set(owners)):
        yield argument, [list(some) if owner == argument else [some[0]] * len(some) for owner in owners]


def calls(
    claim: Claim,
    count: int,
    some: list[int],
    first_mixture: int,
    every: bool,
    format_name: str,
    at_once: int | None = None,
    as_run: bool = True,
) -> list[Call]:
    """The calls, cheap ones first: all points by `jit` of `vmap`; if `every` is asked for, a few by other transforms.

    Of the `count` points, those from `first_mixture` on vary one argument alone; `at_once` of them fit into memory.
    `jit` of `vmap` is compiled as a user's is, if it is to be tried `as_run`; else in a fraction of the time.
    """
    manual, owners = claim.manual_of, claim.owners
    three, all_arrays = np.array(some), (True,) * len(owners)
    if claim.eager:
        points = np.arange(first_mixture)
        return [Call("eager, point by point", "call", on_arrays(manual), points, None)]
    first = compiled(jax.vmap(manual), format_name, optimised=as_run, at_once=at_once)
    found = [Call("jit of vmap", "call", first, np.arange(first_mixture), all_arrays)]
    if not every:
        return found

    # Of a program XLA may run all parts at once, so that what they make is in memory together.
    together = at_once is None or at_once >= BATCH * (WITH_ALL_BATCHED + len(set(owners)))

    def quick(name: str, f: Callable[..., Any], points: np.ndarray = three, batched: Any = all_arrays) -> Call:
        kind = "call" if all(batched) else "call with one batched"
        return Call(name, kind, compiled(f, format_name, optimised=False), points, batched, together)

    found += [
        Call("eager", "call", manual, three[:2], None),
        Call("jit", "call", compiled(manual, format_name), three[:2], None),
        quick("vmap of jit", jax.vmap(jax.jit(manual))),
        quick("scan", lambda *xs: lax.scan(lambda c, x: (c, manual(*x)), 0, xs)[1]),
        quick("checkpoint", jax.vmap(jax.checkpoint(manual))),
    ]
    for place, (argument, _) in enumerate(mixtures(owners, some)):
        alone = tuple(owner == argument for owner in owners)
        points = np.arange(first_mixture, count)[place * len(some) :][: len(some)]
        if len(points) and not all(alone):
            function = jax.vmap(manual, tuple(0 if a else None for a in alone))
            found.append(quick(f"vmap over args[{argument}]", function, points, alone))
    return found


def arguments(call: Call, arrays: list[Leaf], cast: Callable[[list[Any]], list[Any]]) -> Iterator[list[Any]]:
    """What the call is made with; once, or for each of its points."""
    if call.batched is None:
        yield from (cast([x[i] for x in arrays]) for i in call.points)
    else:
        points = call.points
        yield cast([x[points] if b else x[points[0]] for x, b in zip(arrays, call.batched, strict=True)])


def outcome(call: Call, arrays: list[Leaf], cast: Callable[[list[Any]], list[Any]], format_name: str) -> Outcome:
    """What comes of a call; what it raises is caught, for the others may say when it doesn't."""
    try:
        with computing_in(format_name):
            each = [leaves_of(call.function(*args)) for args in arguments(call, arrays, cast)]
        columns = zip(*each, strict=True)
        return Outcome(call.name, call.kind, call.points, [c[0] if call.batched else np.stack(c) for c in columns])
    except Exception as error:  # a manual gradient may raise anything
        return Outcome(call.name, call.kind, call.points, [], raised(error))


def by_one_program(some: list[Call], format_name: str) -> Compiled:
    """The results of several calls, each given its own arguments: less is to be compiled than by a program for each."""
    functions = [call.function.jitted.__wrapped__ for call in some if isinstance(call.function, Compiled)]

    def results(*each: list[Any]) -> list[Any]:
        return [f(*args) for f, args in zip(functions, each, strict=True)]

    return compiled(results, format_name, optimised=False)


def raised(error: Exception) -> Complaint:
    """The complaint about an exception."""
    leaked = isinstance(error, jax.errors.UnexpectedTracerError)
    text = f"{type(error).__name__}: {message(error)}"
    return Complaint("leaked tracer" if leaked else "raises", text, error)
