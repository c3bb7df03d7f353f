"""Compiling, which is what a check's time goes to: several functions at once, and no longer than one run deserves."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.arrays import CALLS_BACK, computing_in, quiet

MAX_BYTES_AT_ONCE = 2**29  # that the points of one call may take, of what the functions make of them
ARRAYS_AT_ONCE = 6  # as large as the largest: about so many are alive at a time in an evaluation
# For functions that run once. They aren't divided into parts that threads compile, each of which takes its own start;
# and XLA's older way to compile loops takes half the time, but JAX 0.12 has only the newer one. That one, not optimised
# at all, has wrong results: of a masked entropy's second derivative, two digits.
QUICK: dict[str, Any] = {"xla_backend_optimization_level": 1, "xla_cpu_parallel_codegen_split_count": 1}
if jax.__version_info__ < (0, 11):
    QUICK |= {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}


class Compiled(NamedTuple):
    """A jitted function that is traced, compiled and called for one format, whatever the caller's settings are.

    Its arguments are parameters, and arrays that are stacked over points: so many points at a time as fit into memory.
    """

    jitted: Any
    format_name: str
    parameters: int = 0
    at_once: int | None = None  # points; None, if it isn't a function of stacked arrays, or they always fit

    def __call__(self, *args: Any) -> Any:
        """Its results."""
        with computing_in(self.format_name):
            if self.at_once is None or len(args[-1]) <= self.at_once:
                # What calls back has to be done before the setting ends that its thread sees.
                return jax.block_until_ready(self.jitted(*args)) if CALLS_BACK.get() else self.jitted(*args)
            points = len(args[-1])
            blocks = np.resize(np.arange(points), (-(-points // self.at_once), self.at_once))
            results = [jax.device_get(self.jitted(*self._some(args, block))) for block in blocks]
            return jax.tree.map(lambda *parts: np.concatenate(parts)[:points], *results)

    def lowered(self, *args: Any) -> Any:
        """What XLA is to compile."""
        with computing_in(self.format_name):
            if self.at_once is None or len(args[-1]) <= self.at_once:
                return self.jitted.lower(*args)
            return self.jitted.lower(*self._some(args, np.arange(self.at_once)))

    def _some(self, args: tuple[Any, ...], points: np.ndarray) -> list[Any]:
        return [x if i < self.parameters else x[points] for i, x in enumerate(args)]

    def for_format(self, format_name: str) -> "Compiled":
        """The same function, for another format."""
        return self._replace(format_name=format_name)


# A function that is to be compiled, and arguments of the shapes that it will be called with.
Job = tuple[Compiled, list[Any]]


def compiled(
    f: Callable[..., Any],
    format_name: str,
    *,
    optimised: bool = True,
    parameters: int = 0,
    at_once: int | None = None,
) -> Compiled:
    """`f(*parameters, *arrays)`, to be compiled by XLA; if not optimised, in a fraction of the time."""
    return Compiled(jax.jit(f, compiler_options=None if optimised else QUICK), format_name, parameters, at_once)


def points_at_once(widest: int, copies: int) -> int:
    """How many points fit into memory, where each makes arrays of up to so many entries, in so many copies."""
    return max(1, MAX_BYTES_AT_ONCE // (8 * ARRAYS_AT_ONCE * copies * max(1, widest)))


def widest_array(jaxpr: Any) -> int:
    """The number of entries of the largest array that a jaxpr makes or takes."""
    atoms = [*jaxpr.invars, *jaxpr.constvars, *(var for eqn in jaxpr.eqns for var in eqn.outvars)]
    inner = [widest_array(inner) for eqn in jaxpr.eqns for inner in inner_jaxprs(eqn)]
    return max([1, *(int(np.prod(getattr(atom.aval, "shape", ()))) for atom in atoms), *inner])


def calls_back(jaxpr: Any) -> bool:
    """Whether a jaxpr calls functions of Python when it runs, at any depth."""
    return any("callback" in eqn.primitive.name or any(map(calls_back, inner_jaxprs(eqn))) for eqn in jaxpr.eqns)


def inner_jaxprs(eqn: Any) -> Iterator[Any]:
    """The jaxprs among an equation's parameters, whatever these are called."""
    for param in eqn.params.values():
        for each in param if isinstance(param, tuple | list) else (param,):
            inner = getattr(each, "jaxpr", each)  # a closed one's
            if hasattr(inner, "eqns"):
                yield inner


def compile_together(jobs: Iterable[Job]) -> None:
    """Compiles functions for their arguments, so that calling them has only to run them.

    Each is traced here, in the caller's thread; meanwhile XLA, which doesn't need Python's lock, compiles those before
    it. What can't be traced is passed over: it will raise where it is called.
    """
    with ThreadPoolExecutor(2) as pool:
        for function, args in jobs:
            try:
                lowered = function.lowered(*args)
            except Exception:
                continue
            pool.submit(lowered.compile)


def traces(f: Callable[..., Any], arrays: list[Any]) -> bool:
    """Whether a function can be traced for these arrays."""
    try:
        with quiet():
            jax.eval_shape(f, *arrays)
    except Exception:  # whatever it is, the caller has another way, or it will be raised again
        return False
    return True


def in_turn(f: Callable[..., Any], axes: tuple[int | None, ...]) -> Callable[..., Any]:
    """`jax.vmap(f, axes)` of first axes, one after the other: for what has no batching rule."""

    def all_of(*args: Any) -> Any:
        def one(slices: list[Any]) -> Any:
            given = iter(slices)
            return f(*(x if axis is None else next(given) for x, axis in zip(args, axes, strict=True)))

        return jax.lax.map(one, [jnp.asarray(x) for x, axis in zip(args, axes, strict=True) if axis is not None])

    return all_of
