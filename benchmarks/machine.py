"""The machine: what it is, what else it is doing, and how fast it can be at best."""

import os
import platform
import subprocess
import time
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

PACKAGES = ("jax", "jaxlib", "numpy", "optax", "torch", "tokamax")
FLAGS = ("XLA_FLAGS", "GLIBC_TUNABLES", "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "JAX_PLATFORMS")
COPIED = 2**26  # numbers: more than any cache holds
SIDE = 2048  # of the square matrices
TRIES = 7


def describe() -> dict:
    """What a result depends on."""
    device = jax.devices()[0]
    return {
        "device": f"{device.platform}: {device.device_kind}",
        "cpu": cpu_name(),
        "threads": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "python": platform.python_version(),
        "versions": {name: installed(name) for name in PACKAGES},
        "commit": commit(),
        "flags": {name: os.environ.get(name, "") for name in FLAGS},
        "huge_pages": read("/sys/kernel/mm/transparent_hugepage/enabled").strip(),
        "load": load(),
        "bandwidth": bandwidth(),
        "peak": matmul_peak(),
    }


def better_of_now(described: dict) -> dict:
    """The description, with the machine's speeds measured again, in case it was disturbed the first time."""
    return described | {
        "bandwidth": max(described["bandwidth"], bandwidth()),
        "peak": max(described["peak"], matmul_peak()),
    }


def load() -> float:
    """How many processes wanted to run in the last minute."""
    return os.getloadavg()[0]


def installed(package: str) -> str:
    """A package's version, or nothing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def commit() -> str:
    """The commit that is measured, with a + where files differ from it; nothing outside a clone."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        try:
            return subprocess.run(["git", "-C", here, *words], capture_output=True, text=True).stdout.strip()
        except OSError:
            return ""

    return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")


def cpu_name() -> str:
    """The processor's name, where Linux tells it."""
    names = [line.split(":")[1].strip() for line in read("/proc/cpuinfo").splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()


def free_bytes() -> int | None:
    """Memory that could be had on JAX's device without swapping, or None where that isn't known."""
    stats = jax.devices()[0].memory_stats()
    if stats:
        return stats["bytes_limit"] - stats["bytes_in_use"]
    lines = [line.split() for line in read("/proc/meminfo").splitlines() if line.startswith("MemAvailable")]
    return int(lines[0][1]) * 1024 if lines else None


def read(path: str) -> str:
    """A file's text, or nothing where there is no such file."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def bandwidth() -> float:
    """Bytes a second, read and written: of x + 1 in place, for which no new memory is needed."""
    x = jnp.zeros(COPIED, jnp.float32)
    increment = jax.jit(lambda x: x + 1, donate_argnums=0).lower(x).compile()
    seconds = []
    for _ in range(TRIES):
        start = time.perf_counter()
        x = jax.block_until_ready(increment(x))
        seconds.append(time.perf_counter() - start)
    return 2 * x.nbytes / min(seconds)


def matmul_peak() -> float:
    """Operations a second of a large float32 product: what the benchmark's own products could reach at best."""
    a = jnp.asarray(np.random.default_rng(0).standard_normal((SIDE, SIDE), np.float32))
    product = jax.jit(partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)).lower(a, a).compile()
    seconds = []
    for _ in range(TRIES):
        start = time.perf_counter()
        jax.block_until_ready(product(a, a))
        seconds.append(time.perf_counter() - start)
    return 2 * SIDE**3 / min(seconds)


def limit_seconds(row: dict, machine: dict) -> float:
    """The time below which the machine can't compute a row: all its operations, or all its bytes once."""
    return max(row["flops"] / machine["peak"], row["bytes"] / machine["bandwidth"])
