"""How many examples and classes a tile has on a CPU and on an accelerator, and whether logits are kept between passes.

A CPU's tile stays in a core's cache. An accelerator's has to fill it: tens of thousands of threads, tensor cores whose
operands are multiples of 128, and few enough launches that their cost doesn't show. Beside a tile of 2²⁶ logits in
float32 (256 MiB) and its gradient (128 MiB in 16 bits) nothing is kept there but dB and dh in float32: the logits are
computed twice.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from jax import lax

from manual_grads.nn.linear_cross_entropy.options import Settings

# Logits: a megabyte of float32, which stays in a core's cache.
CPU_TILE_SIZE = 2**18
# Classes of a tile, however many examples there are: fewer rows make matrix products slow.
MIN_CPU_TILE_CLASSES = 64
# Logits: enough to fill the largest GPU for milliseconds.
ACCELERATOR_TILE_SIZE = 2**26
# Examples: a matrix product of more is no faster.
ACCELERATOR_BLOCK_ROWS = 8192
# Classes: the width of a TPU's lanes, and a multiple of what a GPU's tensor cores take.
ACCELERATOR_LANES = 128


class Tiling(NamedTuple):
    """How the N×K logits are cut."""

    rows: int  # examples of a block
    classes: int  # classes of a tile
    keeps_logits: bool  # in dB's memory, from the first pass to the second


def cpu_tiling(examples: int) -> Tiling:
    """All examples at once, and as many classes as a core's cache holds the logits of."""
    examples = max(examples, 1)
    return Tiling(examples, max(CPU_TILE_SIZE // examples, MIN_CPU_TILE_CLASSES), keeps_logits=True)


def accelerator_tiling(examples: int) -> Tiling:
    """Up to 8192 examples at once, and classes, a multiple of 128, that make 2²⁶ logits with them."""
    rows = min(max(examples, 1), ACCELERATOR_BLOCK_ROWS)
    lanes = ACCELERATOR_TILE_SIZE // rows // ACCELERATOR_LANES
    return Tiling(rows, lanes * ACCELERATOR_LANES, keeps_logits=False)


def by_platform(function: Callable[..., Any], settings: Settings, examples: int, *args: Any) -> Any:
    """`function(tiling, *args)` with the tiling of the platform that the program is lowered for."""

    def given(tiling: Tiling) -> Callable[..., Any]:
        rows, classes = settings.block_rows or tiling.rows, settings.block_classes or tiling.classes
        return partial(function, tiling._replace(rows=rows, classes=classes))

    return lax.platform_dependent(*args, cpu=given(cpu_tiling(examples)), default=given(accelerator_tiling(examples)))
