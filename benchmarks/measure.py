"""The method: contenders are checked, and then take turns."""

import gc
import resource
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks import agreement, machine
from benchmarks.programs import reference
from benchmarks.workload import Contender, Inputs, Program, Workload

POOL_BYTES = 2**29  # of inputs, of which there are two sets at least
SAMPLE_SECONDS = 2e-3  # what runs faster is repeated, or the clock and the dispatch would be what is measured
ROUNDS = (5, 101)
LONG_ROUND, LONG_ROUNDS = 10.0, 2  # seconds, from which so few rounds must do
PATIENCE = 3.0  # seconds, and times what by hand takes, beyond both of which a contender isn't timed
SHARE = 0.3  # of the free memory, beyond which a program isn't run
COLD_BYTES = 2**26  # more than the last cache holds


class Plan(NamedTuple):
    """How much is measured."""

    budget: float  # seconds of timing for a workload
    seed: int = 0
    cold: bool = False
    clock: Callable[[], float] = time.perf_counter


def measure(workload: Workload, plan: Plan, slow: dict[str, Workload] | None = None) -> dict:
    """A row of the results: what became of each contender, and its time in each round.

    `slow` has the workloads for which a contender took too long, by its name, and is added to: what was too slow isn't
    tried with as much work again.
    """
    slow = {} if slow is None else slow
    pool = inputs(workload, plan.seed)
    want = None if workload.reference is None else reference(workload.reference, pool[0])
    programs: list[Program] = []
    contenders: list[dict] = []
    firsts: list[float] = []  # what the first run of each took
    outputs = 0
    for contender in workload.contenders:
        earlier = slow.get(contender.name)
        if earlier is not None and earlier.flops <= workload.flops:
            contenders.append(nothing_of(contender) | {"status": "slow", "note": f"too slow for {earlier.size}"})
            continue
        found, program, results, first_run = checked(contender, pool[0], want, workload.tolerance, plan.clock)
        if firsts and first_run > PATIENCE * max(1.0, firsts[0]):
            found |= {"status": "slow", "note": f"a single run took {first_run:.1f} s"}
            program, slow[contender.name] = None, workload
        want = results if want is None else want
        if program is not None:
            programs.append(program)
            firsts.append(first_run)
            outputs = found["outputs"]
        contenders.append(found)
    del want
    of_timed = [c for c in contenders if c["status"] == "timed"]
    first = contenders[0]["status"] == "timed"
    again = int(first)
    seconds, faults, repeats = rounds(programs + programs[:again], firsts + firsts[:again], pool, plan)
    for j, found in enumerate(of_timed):
        found |= {"seconds": seconds[:, j].tolist(), "faults": float(np.median(faults[:, j]))}
    return {
        "workload": workload.name,
        "family": workload.family,
        "sizes": workload.sizes,
        "inputs": workload.inputs,
        "flops": float(workload.flops),
        "bytes": float(sum(array.nbytes for array in pool[0]) + outputs),
        "tolerance": workload.tolerance,
        "checked_against": "float64" if workload.reference else "the first contender",
        "repeats": repeats,
        "contenders": contenders,
        "control": seconds[:, -1].tolist() if first else [],
    }


def inputs(workload: Workload, seed: int) -> list[Inputs]:
    """Some sets of inputs, so that neighbouring rounds have different ones."""
    first = workload.draw(np.random.default_rng([seed, 0]))
    count = int(np.clip(POOL_BYTES // sum(array.nbytes for array in first), 2, 4))
    return [first, *(workload.draw(np.random.default_rng([seed, i])) for i in range(1, count))]


def nothing_of(contender: Contender) -> dict[str, Any]:
    """What there is to be known of a contender."""
    found: dict[str, Any] = {"name": contender.name, "kind": contender.kind, "status": "failed", "note": ""}
    found |= {"error": None, "compile_seconds": None, "temporaries": None, "outputs": None}
    return found | {"faults": None, "peak_rss": None, "seconds": []}


def checked(
    contender: Contender, args: Inputs, want: list[np.ndarray] | None, tolerance: float, clock: Callable[[], float]
) -> tuple[dict, Program | None, list[np.ndarray] | None, float]:
    """What is known of a contender before it is timed; its program, if it is to be; its results and its time."""
    found = nothing_of(contender)
    try:
        program = contender.build(contender.function, args)
        found |= {"compile_seconds": program.compile_seconds, "temporaries": program.temporaries}
        needed, free = program.temporaries or 0, machine.free_bytes()
        if free is not None and needed > SHARE * free:
            return found | {"note": f"needs {needed / 2**30:.1f} GiB, {free / 2**30:.1f} are free"}, None, None, 0
        placed = program.place(args)
        start = clock()
        results = program.run(placed)
        first_run = clock() - start
        results = program.outputs(results)
    except ModuleNotFoundError as missing:
        return found | {"status": "missing", "note": f"{missing.name} isn't installed"}, None, None, 0
    except Exception as failure:  # a peer may fail in any way, and the rest is to be measured all the same
        text = f"{type(failure).__name__}: {failure}".strip().splitlines()[0]
        return found | {"note": text[:200]}, None, None, 0
    found["outputs"] = sum(array.nbytes for array in results)
    found["error"] = 0.0 if want is None else agreement.error(results, want)
    if found["error"] > tolerance:
        wrong = f"differs by {found['error']:.1e} of the largest entry, {tolerance:.1e} allowed"
        return found | {"status": "wrong", "note": wrong, "error": min(found["error"], 1e300)}, None, None, 0
    return found | {"status": "timed"}, program, results, first_run


def rounds(
    programs: Sequence[Program], firsts: Sequence[float], pool: list[Inputs], plan: Plan
) -> tuple[np.ndarray, np.ndarray, int]:
    """Seconds and page faults, round × program, and how often a sample repeats a run.

    Each round gives all programs the same inputs, in a random order, which the next round reverses.
    """
    placed = {place: [place(args) for args in pool] for place in {program.place for program in programs}}
    warm = list(firsts)
    for i in range(2 if sum(firsts) < LONG_ROUND else 0):
        warm = [min(t, sample(p, placed[p.place][1 - i], 1, plan)[0]) for t, p in zip(warm, programs, strict=True)]
    repeats = 1 if plan.cold else int(np.clip(SAMPLE_SECONDS / max(np.median(warm), 1e-9), 1, 200)) if programs else 1
    total = max(repeats * sum(warm), 1e-9)
    count = int(np.clip(plan.budget / total, *ROUNDS)) if total < LONG_ROUND else LONG_ROUNDS
    seconds, faults = np.empty((2, count, len(programs)))
    random, order = np.random.default_rng(plan.seed), np.arange(len(programs))
    gc.collect()
    for i in range(count):
        order = order[::-1] if i % 2 else random.permutation(len(programs))
        for j in order:
            args = placed[programs[j].place][i % len(pool)]
            seconds[i, j], faults[i, j] = sample(programs[j], args, repeats, plan)
    return seconds, faults, repeats


def sample(program: Program, args: Any, repeats: int, plan: Plan) -> tuple[float, float]:
    """Seconds and minor page faults of a run, the mean of a few; results are freed after the clock has stopped."""
    if plan.cold:
        np.ones(COLD_BYTES // 8).sum()
    results, faults = None, minor_faults()
    start = plan.clock()
    for _ in range(repeats):
        results = program.run(args)
    elapsed = plan.clock() - start
    faults = minor_faults() - faults
    del results
    return elapsed / repeats, faults / repeats


def minor_faults() -> int:
    """Pages that the kernel has given to this process so far, all threads together."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
