"""`jax.jit` for what a test runs once: XLA takes half the time to compile it, and optimises it less.

Not for what is measured in units in the last place, or read in the compiled text: that is what users have.
"""

from functools import partial

import jax

from manual_grads.checking.compiling import QUICK

quick_jit = partial(jax.jit, compiler_options=QUICK)
