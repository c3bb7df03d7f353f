"""Compiling, which is what a check's time goes to: several functions at once, and no longer than one run deserves."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from manual_grads.checking.arrays import computing_in, quiet

QUICK = {"xla_backend_optimization_level": 0}  # for functions that run once


class Compiled(NamedTuple):
    """A jitted function that is traced, compiled and called for one format, whatever the caller's settings are."""

    jitted: Any
    format_name: str

    def __call__(self, *args: Any) -> Any:
        """Its results."""
        with computing_in(self.format_name):
            return self.jitted(*args)

    def lowered(self, *args: Any) -> Any:
        """What XLA is to compile."""
        with computing_in(self.format_name):
            return self.jitted.lower(*args)

    def for_format(self, format_name: str) -> "Compiled":
        """The same function, for another format."""
        return self._replace(format_name=format_name)


# A function that is to be compiled, and arguments of the shapes that it will be called with.
Job = tuple[Compiled, list[Any]]


def compiled(f: Callable[..., Any], format_name: str, *, optimised: bool = True, **options: Any) -> Compiled:
    """`f`, to be compiled by XLA; if not optimised, in a fraction of the time. `options` are `jax.jit`'s."""
    return Compiled(jax.jit(f, compiler_options=None if optimised else QUICK, **options), format_name)


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
