"""`python -m benchmarks.large_class`: nn.linear_softmax_cross_entropy against dense autodiff, time and temporaries.

Contenders take turns in one process, in alternating order; the figure is the median of the ratios of a turn, with a
95 % interval by bootstrap. `dense` against a second compilation of itself is the control. For the allocator's part of
it, run it again under GLIBC_TUNABLES=glibc.malloc.hugetlb=1.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
import optax

from manual_grads.nn import linear_softmax_cross_entropy

SIZES = [(1024, 64, 8192), (1024, 512, 8192), (1024, 256, 32768), (512, 512, 131072)]
TOO_LARGE_FOR_DENSE = (4096, 128, 262144)


def dense(hidden: jax.Array, weights: jax.Array, labels: jax.Array) -> jax.Array:
    """The mean loss as optax users write it."""
    return optax.softmax_cross_entropy_with_integer_labels(hidden @ weights.T, labels).mean()


def problem(examples: int, hidden: int, classes: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Random features, weights and labels; the logits have variance one."""
    random = np.random.default_rng(0)
    h = random.standard_normal((examples, hidden), np.float32)
    B = random.standard_normal((classes, hidden), np.float32) / np.float32(hidden**0.5)
    return jnp.asarray(h), jnp.asarray(B), jnp.asarray(random.integers(0, classes, examples))


def compiled(loss: Callable, args: tuple) -> jax.stages.Compiled:
    """The loss and its gradients with respect to hidden and weights."""
    return jax.jit(jax.value_and_grad(loss, (0, 1))).lower(*args).compile()


def temporaries(program: jax.stages.Compiled) -> int:
    """The bytes that a program needs beside its arguments and results."""
    analysis = program.memory_analysis()
    assert analysis is not None
    return analysis.temp_size_in_bytes


def seconds(program: jax.stages.Compiled, args: tuple) -> float:
    """The time of one run, to its last output."""
    start = time.perf_counter()
    jax.block_until_ready(program(*args))
    return time.perf_counter() - start


def rounds(programs: list[jax.stages.Compiled], args: tuple, count: int) -> np.ndarray:
    """Times, round × program: each round runs all of them, every other one in reverse."""
    times = np.empty((count, len(programs)))
    for i in range(-1, count):  # the first round is thrown away
        for j in range(len(programs))[:: 1 if i % 2 else -1]:
            times[max(i, 0), j] = seconds(programs[j], args)
    return times


def median_ratio(times: np.ndarray, base: np.ndarray) -> tuple[float, float, float]:
    """The median of paired ratios, and its 95 % interval by bootstrap."""
    ratios = times / base
    resampled = np.random.default_rng(0).choice(ratios, (2000, ratios.size))
    low, high = np.quantile(np.median(resampled, axis=1), [0.025, 0.975])
    return float(np.median(ratios)), float(low), float(high)


def assert_equal(got: jax.Array, want: jax.Array) -> None:
    """Raises an AssertionError unless two float32 results agree to five digits of the largest entry."""
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * float(abs(b).max()))


def measured(sizes: tuple[int, int, int], count: int) -> dict:
    """One row of the table."""
    args = problem(*sizes)
    programs = [compiled(loss, args) for loss in (dense, dense, linear_softmax_cross_entropy)]
    assert_equal(programs[2](*args), programs[0](*args))
    times = rounds(programs, args, count)
    autodiff, _, tiled = map(temporaries, programs)
    return {
        "sizes": sizes,
        "dense_ms": 1e3 * float(np.median(times[:, 0])),
        "ratio": median_ratio(times[:, 2], times[:, 0]),
        "control": median_ratio(times[:, 1], times[:, 0]),
        "temporaries": [tiled, autodiff],
    }


def large() -> dict:
    """The size that dense autodiff needs gigabytes for, without it."""
    args = problem(*TOO_LARGE_FOR_DENSE)
    program = compiled(linear_softmax_cross_entropy, args)
    examples, _, classes = TOO_LARGE_FOR_DENSE
    return {
        "sizes": TOO_LARGE_FOR_DENSE,
        "seconds": seconds(program, args),
        "temporaries": [temporaries(program), 2 * 4 * examples * classes],
    }


def rows(count: int, with_large: bool) -> Iterator[dict]:
    """All rows, one at a time."""
    for sizes in SIZES:
        yield measured(sizes, count)
    if with_large:
        yield large()


def line(row: dict) -> str:
    """A row as text."""
    tiled, autodiff = row["temporaries"]
    text = (
        "×".join(map(str, row["sizes"])) + f": temporaries {tiled / 2**20:.1f} MiB, 1/{autodiff / tiled:.0f} of dense"
    )
    if "seconds" in row:
        return text + f" (computed, not run); {row['seconds']:.1f} s"
    ratio, control = ("{:.3f} [{:.3f}, {:.3f}]".format(*row[name]) for name in ("ratio", "control"))
    return text + f"; time {ratio} of dense's {row['dense_ms']:.0f} ms, control {control}"


def main() -> None:
    """Prints the table, as text or as JSON with the versions and flags it depends on."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large_class", description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--large", action="store_true", help="also N × H × K = 4096 × 128 × 262144")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.json:
        table = list(rows(options.rounds, options.large))
        flags = {name: os.environ.get(name, "") for name in ("GLIBC_TUNABLES", "XLA_FLAGS")}
        print(json.dumps({"jax": jax.__version__, "cores": os.cpu_count(), **flags, "rows": table}))
    else:
        for row in rows(options.rounds, options.large):
            print(line(row), flush=True)


if __name__ == "__main__":
    main()
