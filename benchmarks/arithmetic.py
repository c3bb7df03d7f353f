"""What a program costs an accelerator, by arithmetic: its products, bytes and launches, read from it as it is lowered.

    python -m benchmarks.arithmetic [--sizes N H K] [--dtype bfloat16] [--platform cuda] [--precision P]

No accelerator is needed, and nothing is measured. A kernel is a matrix product, a reduction, a rounding of a whole
matrix to 16 bits or an update in place, with what XLA fuses into them; it takes as long as its operations or its bytes
do, whichever is longer, on the GPU that `Machine` describes. That is the least that it can take.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from manual_grads.nn import linear_softmax_cross_entropy


class Machine(NamedTuple):
    """What a GPU does at most in a second."""

    name: str
    flops: dict[str, float]  # by the dtype of a product's operands
    bytes: float


# NVIDIA's data sheet of the H100 SXM: without sparsity; float32 by its own units, not as TF32.
H100 = Machine("H100 SXM", {"bf16": 989e12, "f16": 989e12, "f32": 67e12, "f64": 67e12}, 3.35e12)
# A smaller array is of no account beside a tile.
MIN_BYTES = 2**20


class Kernel(NamedTuple):
    """What is launched once or in a loop."""

    kind: str  # of the operation, as StableHLO calls it
    types: str  # of its operands and its result
    precision: str  # of a product
    flops: float  # of one launch; only products' are counted
    bytes: float
    launches: int

    def seconds(self, machine: Machine) -> float:
        """What all launches take at least."""
        operands = self.types.split()[0]
        return self.launches * max(self.flops / machine.flops[operands], self.bytes / machine.bytes)


def lowered(f: Any, args: Sequence[Any], platform: str) -> Any:
    """The StableHLO module of a function for a platform that this machine need not have."""
    return jax.jit(f).trace(*args).lower(lowering_platforms=(platform,)).compiler_ir("stablehlo")


def kernels(module: Any) -> list[Kernel]:
    """Those of a module, each with how often its loops launch it."""
    functions = {op.attributes["sym_name"].value: op for op in module.body.operations}
    return list(_kernels(functions["main"].operation, functions, 1))


def trip_counts(module: Any) -> list[int]:
    """Of all loops, in the order of the text."""
    return [trips(op) for op in _walk(module.operation) if op.name == "stablehlo.while"]


def buffers(module: Any) -> int:
    """Bytes of what the loops carry and change, each once, and of the largest results of products beside them.

    What a loop takes over from the loop around it, it changes in place.
    """
    return _buffers(module.operation)


def _buffers(op: Any) -> int:
    loops = [inner for inner in _walk(op) if inner.name == "stablehlo.while"]
    products = [inner for inner in _walk(op) if inner.name == "stablehlo.dot_general"]
    tiles = [_shaped(x.type).bytes for inner in products for x in (*inner.results, *inner.operands[:1])]
    carried = 0
    for loop in loops:
        body = loop.regions[1].blocks[0]
        returned = body.operations[len(body.operations) - 1].operation.operands
        for before, argument, after in zip(loop.operands, body.arguments, returned, strict=True):
            taken_over = hasattr(before.owner, "operations")
            if after != argument and not taken_over:
                carried += _shaped(before.type).bytes
    return carried + max(tiles, default=0)


def trips(loop: Any) -> int:
    """How often a loop runs whose counter goes from 0 up to a constant, as those of `jax.lax.scan` do."""
    (comparison,) = (op for op in loop.regions[0].blocks[0].operations if op.operation.name == "stablehlo.compare")
    return _constant(comparison.operation.operands[1])


def _kernels(op: Any, functions: dict[str, Any], times: int) -> Iterator[Kernel]:
    for inner in _inner(op):
        name = inner.name
        if name == "stablehlo.while":
            yield from _kernels_of_region(inner.regions[1], functions, times * trips(inner))
        elif name in ("func.call", "call"):
            yield from _kernels(functions[inner.attributes["callee"].value].operation, functions, times)
        elif name == "stablehlo.case":
            yield from _kernels(inner, functions, times)
        else:
            kernel = _kernel(inner, times)
            if kernel is not None:
                yield kernel


def _kernels_of_region(region: Any, functions: dict[str, Any], times: int) -> Iterator[Kernel]:
    holder: Any = type("Region", (), {"regions": [region]})
    yield from _kernels(holder, functions, times)


def _kernel(op: Any, times: int) -> Kernel | None:
    """The kernel that an operation is, unless it is fused into another one."""
    operands, result = [_shaped(x.type) for x in op.operands], _shaped(op.results[0].type) if len(op.results) else None
    if result is None:
        return None
    if op.name == "stablehlo.dot_general":
        (left, right) = operands
        contracted = 2 * math.prod(result.shape) * _contracted(op, left)
        types = f"{left.dtype} × {right.dtype} → {result.dtype}"
        size = left.bytes + right.bytes + result.bytes
        return Kernel("product", types, _precision(op), contracted, size, times)
    if op.name == "stablehlo.reduce":
        kind, size = "reduction", operands[0].bytes
    elif op.name == "stablehlo.convert" and result.bytes < operands[0].bytes:
        kind, size = "rounding", operands[0].bytes + result.bytes
    elif op.name == "stablehlo.dynamic_update_slice":
        kind, size = "update", 2 * operands[1].bytes
    else:
        return None
    return Kernel(kind, f"{operands[0].dtype} → {result.dtype}", "", 0, size, times) if size >= MIN_BYTES else None


class Shaped(NamedTuple):
    """An array's shape, dtype and bytes."""

    shape: tuple[int, ...]
    dtype: str
    bytes: int


def _shaped(kind: Any) -> Shaped:
    shape = tuple(kind.shape)
    dtype = str(kind.element_type)
    bits = int("".join(filter(str.isdigit, dtype)))
    return Shaped(shape, dtype, math.prod(shape) * max(bits // 8, 1))


def _contracted(op: Any, left: Shaped) -> int:
    text = str(op.attributes["dot_dimension_numbers"])
    axes = text.split("lhs_contracting_dimensions = [")[1].split("]")[0]
    return math.prod(left.shape[int(axis)] for axis in axes.split(","))


def _precision(op: Any) -> str:
    if "precision_config" not in op.attributes:
        return "DEFAULT"
    return str(op.attributes["precision_config"][0]).split()[-1].strip(">")


def _constant(value: Any) -> int:
    """An integer that is a constant, or a loop's argument that goes on being one."""
    owner = value.owner
    if hasattr(owner, "operations"):  # a block: the loop's own argument
        return _constant(owner.owner.operands[value.arg_number])
    return int(owner.attributes["value"].get_splat_value().value)


def _inner(op: Any) -> Iterator[Any]:
    for region in op.regions:
        for block in region.blocks:
            for inner in block.operations:
                yield inner.operation


def _walk(op: Any) -> Iterator[Any]:
    for inner in _inner(op):
        yield inner
        yield from _walk(inner)


def loss_and_gradients(examples: int, hidden: int, classes: int, dtype: str, platform: str, **options: Any) -> Any:
    """The large-class loss with both gradients, lowered for a platform."""
    shapes = [(examples, hidden), (classes, hidden)]
    h, B = (jax.ShapeDtypeStruct(shape, dtype) for shape in shapes)
    y = jax.ShapeDtypeStruct((examples,), jnp.int32)
    loss = jax.value_and_grad(lambda h, B, y: linear_softmax_cross_entropy(h, B, y, **options), (0, 1))
    return lowered(loss, (h, B, y), platform)


def table(found: Sequence[Kernel], machine: Machine) -> str:
    """Kernels of the same kind and types together: launches, operations, bytes and milliseconds; and their sums."""
    kinds: dict[tuple[str, ...], list[Kernel]] = {}
    for kernel in found:
        kinds.setdefault((kernel.kind, kernel.types, kernel.precision), []).append(kernel)
    lines = [f"{'kernel':<10} {'types':<18} {'precision':<9} {'launches':>8} {'TFLOP':>7} {'GB':>7} {'ms':>7}"]
    for (kind, types, precision), some in [*kinds.items(), (("all", "", ""), list(found))]:
        launches, flops = sum(k.launches for k in some), sum(k.launches * k.flops for k in some) / 1e12
        size, seconds = sum(k.launches * k.bytes for k in some) / 1e9, sum(k.seconds(machine) for k in some)
        text = f"{kind:<10} {types:<18} {precision:<9} {launches:>8} {flops:>7.1f} {size:>7.1f} {1e3 * seconds:>7.1f}"
        lines.append(text)
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the arithmetic of the loss with its gradients."""
    parser = argparse.ArgumentParser(
        description="What the large-class loss costs an accelerator: arithmetic, no timing."
    )
    parser.add_argument("--sizes", nargs=3, type=int, metavar=("N", "H", "K"), default=(32768, 2560, 128256))
    parser.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float16", "float32"))
    parser.add_argument("--platform", default="cuda", choices=("cuda", "rocm", "tpu", "cpu"))
    parser.add_argument("--precision", default=None, choices=("default", "high", "highest"))
    options = parser.parse_args(arguments)
    N, H, K = options.sizes
    module = loss_and_gradients(N, H, K, options.dtype, options.platform, precision=options.precision)
    print(f"N×H×K = {N}×{H}×{K} in {options.dtype}, lowered for {options.platform}; arithmetic for an {H100.name}\n")
    print(table(kernels(module), H100))
    print(f"\nsteps of the loops: {', '.join(map(str, trip_counts(module)))}")
    print(f"buffers beside arguments and results: {buffers(module) / 2**30:.2f} GiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
