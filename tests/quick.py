"""`jax.jit` for what a test runs once: XLA takes half the time to compile it, and optimises it less.

Not for what is measured in units in the last place, or read in the compiled text: that is to be what users have. Nor
within another `jit`, which JAX refuses.
"""

from collections.abc import Callable
from typing import Any

import jax

from manual_grads.checking.compiling import QUICK


def quick_jit(function: Callable[..., Any]) -> Any:
    """The function, compiled quickly."""
    return jax.jit(function, compiler_options=QUICK)
