"""A run of the benchmark."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import machine, memory, ratios, report, results
from benchmarks.measure import Plan, measure
from benchmarks.workload import Workload, in_format
from benchmarks.workloads import SUITES
from manual_grads.commands import process
from manual_grads.commands.printing import console, is_terminal

BUDGETS = {"quick": 0.5, "full": 1.5, "sweep": 0.8}  # seconds of timing for a workload
HUGE = "glibc.malloc.hugetlb=1"
WIDTH = 170  # columns, where the output is no terminal
RSS_FAMILY, RSS_SECONDS = "large-class loss", 2.0  # in the full mode, of what takes no longer


def run(options: argparse.Namespace, top: argparse.ArgumentParser) -> int:
    """Measures what the options ask for, and prints and writes it."""
    workloads = [in_format(chosen(w, options.no_peers), options.dtype) for w in SUITES[options.suite]()]
    workloads = [w for w in workloads if any(text in w.name for text in options.only or [""])]
    if not workloads:
        names = "\n  ".join(w.name for w in SUITES[options.suite]())
        top.error(f"--only {' '.join(options.only)}: no such workload; expected a part of one of\n  {names}")
    out = console(otherwise=WIDTH)
    found: dict[str, Any] = {"schema": results.SCHEMA, "suite": options.suite, "cold": options.cold}
    found |= {"machine": machine.describe(), "rows": [], "thp_rows": []}
    for line in report.machine_lines(found["machine"]):
        out.print(line)
    plan = Plan(BUDGETS[options.suite], options.seed, options.cold)
    slow: defaultdict[str, dict[str, Workload]] = defaultdict(dict)  # by family and contender
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=out, transient=True, disable=not is_terminal(sys.stdout)) as progress:
        task = progress.add_task("", total=len(workloads))
        for workload in workloads:
            progress.update(task, description=workload.name)
            load = machine.load()
            row: dict[str, Any] = {**measure(workload, plan, slow[workload.family]), "load": load}
            if options.suite == "full" and workload.family == RSS_FAMILY and not huge():
                for found_of in ratios.timed(row):
                    if min(found_of["seconds"]) < RSS_SECONDS:
                        found_of["peak_rss"] = memory.peak_of(options.suite, workload.name, found_of["name"])
            found["rows"].append(row)
            out.print(report.workload_table(out, row, found["machine"]))
            progress.advance(task)
            if options.json:
                results.save(found, options.json)  # so that what was measured isn't lost, whatever comes
    found["machine"] = machine.better_of_now(found["machine"])
    if options.thp:
        found["thp_rows"] = again_with_huge_pages()
    out.print(report.summary(out, found))
    if options.json:
        results.save(found, options.json)
        out.print(f"written to {options.json}")
    return 0 if all(row["contenders"][0]["status"] == "timed" for row in found["rows"]) else 1


def chosen(workload: Workload, no_peers: bool) -> Workload:
    """The workload, without other libraries if so wished."""
    kept = tuple(c for c in workload.contenders if not (no_peers and c.kind == "peer"))
    return workload._replace(contenders=kept)


def huge() -> bool:
    """Whether malloc uses huge pages in this process."""
    return HUGE in os.environ.get("GLIBC_TUNABLES", "")


def again_with_huge_pages() -> list[dict]:
    """The rows of the same command in a process whose malloc uses huge pages."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "results.json"
        same = [word for word in sys.argv[1:] if word != "--thp"]
        environment = os.environ | {"GLIBC_TUNABLES": HUGE}
        words = [sys.executable, "-m", "benchmarks", *same, "--json", str(file)]
        process.child(words, env=environment, stdout=subprocess.DEVNULL)
        return json.loads(file.read_text())["rows"]
