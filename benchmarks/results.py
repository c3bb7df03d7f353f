"""The file of results: what it holds, and whether a file holds that."""

import json
from pathlib import Path
from typing import Any

SCHEMA = 1

NUMBER = (int, float)
MAYBE = (int, float, type(None))

CONTENDER: dict[str, Any] = {
    "name": str,
    "kind": str,
    "status": str,  # "timed", "wrong", "slow", "missing" or "failed"
    "note": str,  # why it wasn't timed
    "error": MAYBE,  # the largest, relative to the largest entry
    "compile_seconds": MAYBE,
    "temporaries": MAYBE,  # bytes, by the compiler's account
    "outputs": MAYBE,  # bytes
    "faults": MAYBE,  # minor page faults of a run
    "peak_rss": MAYBE,  # bytes above the inputs, in a process of its own
    "seconds": [NUMBER],  # of a run, round by round
}
ROW: dict[str, Any] = {
    "workload": str,
    "family": str,
    "sizes": dict,
    "inputs": str,
    "flops": NUMBER,
    "bytes": NUMBER,
    "tolerance": NUMBER,
    "checked_against": str,
    "repeats": int,
    "load": NUMBER,  # before it was measured
    "contenders": [CONTENDER],
    "control": [NUMBER],  # seconds of the hand-written program, in another turn of the same rounds
}
MACHINE: dict[str, Any] = {
    "device": str,
    "cpu": str,
    "threads": int,
    "python": str,
    "versions": dict,
    "commit": str,
    "flags": dict,
    "huge_pages": str,
    "load": NUMBER,
    "bandwidth": NUMBER,
    "peak": NUMBER,
}
RESULTS: dict[str, Any] = {
    "schema": int,
    "suite": str,
    "cold": bool,
    "machine": MACHINE,
    "rows": [ROW],
    "thp_rows": [ROW],  # the same under GLIBC_TUNABLES=glibc.malloc.hugetlb=1, if that was asked for
}


def check(value: Any, expected: Any = RESULTS, where: str = "results") -> None:
    """Raises a ValueError that says where, if a value isn't as expected: a dict of keys, a list of one form, a type."""
    if isinstance(expected, dict):
        if not isinstance(value, dict) or value.keys() != expected.keys():
            keys = sorted(value) if isinstance(value, dict) else type(value).__name__
            raise ValueError(f"{where}: {keys}, expected the keys {sorted(expected)}")
        for key, part in expected.items():
            check(value[key], part, f"{where}.{key}")
    elif isinstance(expected, list):
        if not isinstance(value, list):
            raise ValueError(f"{where}: {type(value).__name__}, expected a list")
        for i, part in enumerate(value):
            check(part, expected[0], f"{where}[{i}]")
    elif not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
        raise ValueError(f"{where}: {value!r}, expected {expected}")


def save(results: dict, file: Path) -> None:
    """Writes a file of results, a row a line."""
    check(results)
    file.write_text(
        json.dumps(results, ensure_ascii=False, allow_nan=False).replace('{"workload"', '\n{"workload"') + "\n"
    )


def load(file: Path) -> dict:
    """Reads one.

    Raises:
        ValueError: if it is none, or one of another schema.
    """
    try:
        results = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file}: expected results of schema {SCHEMA}, and this is no JSON") from error
    if not isinstance(results, dict) or results.get("schema") != SCHEMA:
        raise ValueError(f"{file}: expected results of schema {SCHEMA}")
    check(results)
    return results
