"""Compiling, which is what a check's time goes to: several functions at once, and no longer than one run deserves."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

QUICK = {"xla_backend_optimization_level": 0}  # for functions that run once


def compile_together(jobs: Iterable[tuple[Callable[..., Any], list[Any]]]) -> None:
    """Compiles jitted functions for their arguments, so that calling them has only to run them.

    Each is traced here, in the thread and under the settings of the caller; meanwhile XLA, which doesn't need Python's
    lock, compiles those before it. What can't be compiled is passed over: it will raise where it is called.
    """
    with ThreadPoolExecutor(2) as pool:
        for function, args in jobs:
            try:
                lowered = getattr(function, "lower")(*args)  # noqa: B009 - only a jitted function has it
            except Exception:
                continue
            pool.submit(lowered.compile)
