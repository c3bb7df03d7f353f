"""The most memory that one run needs, measured in a process of its own: `python -m benchmarks.memory`."""

import ctypes
import gc
import subprocess
import sys
from pathlib import Path

import jax

from benchmarks.machine import read
from benchmarks.measure import inputs
from benchmarks.workloads import SUITES
from manual_grads.commands import process

LONGEST = 300  # seconds that a contender may take to compile and run


def peak_of(suite: str, workload: str, contender: str) -> int | None:
    """Bytes above what was in use before the run, results included; None where that can't be found out."""
    command = [sys.executable, "-m", "benchmarks.memory", suite, workload, contender]
    try:
        done = process.child(command, LONGEST, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except subprocess.TimeoutExpired:
        return None
    words = done.stdout.split()
    return int(words[-1]) if done.returncode == 0 and words and words[-1].isdigit() else None


def measured(suite: str, name: str, contender_name: str) -> int | None:
    """The same, in this process, which has done nothing else."""
    workload = next(w for w in SUITES[suite]() if w.name == name)
    contender = next(c for c in workload.contenders if c.name == contender_name)
    args = inputs(workload, 0)[0]
    program = contender.build(contender.function, args)
    placed = program.place(args)
    give_back_freed()
    before = in_use()
    program.run(placed)
    peak = peak_in_use()
    return None if before is None or peak is None else max(peak - before, 0)


def give_back_freed() -> None:
    """What was freed, to the kernel, where malloc is glibc's: PyTorch has run once by now, and would find it again."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def in_use() -> int | None:
    """Bytes in use now, and the memory of the peak forgotten; on a GPU, the allocator's."""
    stats = jax.devices()[0].memory_stats()
    if stats:
        return stats["bytes_in_use"]
    try:
        Path("/proc/self/clear_refs").write_text("5")  # on Linux: VmHWM starts again from here
    except OSError:
        return None
    return status("VmRSS")


def peak_in_use() -> int | None:
    """The most since then; on a GPU, since the process began, as the allocator's peak can't be reset."""
    stats = jax.devices()[0].memory_stats()
    return stats["peak_bytes_in_use"] if stats else status("VmHWM")


def status(field: str) -> int | None:
    """A number of bytes from /proc/self/status."""
    lines = [line.split() for line in read("/proc/self/status").splitlines() if line.startswith(field + ":")]
    return int(lines[0][1]) * 1024 if lines else None


if __name__ == "__main__":
    print(measured(*sys.argv[1:]))
