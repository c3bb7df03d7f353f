"""How near the machine's limits each workload comes."""

import numpy as np
from matplotlib.figure import Figure

from benchmarks import ratios
from benchmarks.machine import limit_seconds
from benchmarks.plots.style import NAMES, OF_KIND, device, log_ticks


def draw_roofline(figure: Figure, found: dict) -> bool:
    """The speed of the fastest contenders as a part of what the machine can do, a line a workload."""
    rows = [row for row in found["rows"] if ratios.timed(row)]
    if not rows or found["suite"] == "sweep":
        return False
    figure.set_size_inches(10, 1.6 + 0.25 * len(rows))
    axes, machine = figure.subplots(), found["machine"]
    for kind, size in (("autodiff", 60), ("hand", 22)):
        fastest = [ratios.fastest(ratios.timed(row), kind) for row in rows]
        points = [
            (100 * limit_seconds(row, machine) / float(np.median(contender["seconds"])), y)
            for y, (row, contender) in enumerate(zip(rows, fastest, strict=True))
            if contender
        ]
        axes.scatter(*zip(*points, strict=True), s=size, color=OF_KIND[kind], label=f"fastest {NAMES[kind]}", zorder=2)
    axes.set_xscale("log")
    axes.set(xlim=(0.05, 130), ylim=(len(rows) - 0.4, -0.6))
    log_ticks(axes.xaxis, (0.1, 0.3, 1, 3, 10, 30, 100), lambda x: f"{x:g} %")
    axes.set_yticks(range(len(rows)), [row["workload"] for row in rows], fontsize=8.5)
    axes.tick_params(axis="y", length=0)
    axes.axvline(100, color="black", lw=1)
    axes.grid(alpha=0.3)
    limits = f"{machine['peak'] / 1e9:.0f} GFLOP/s in products or {machine['bandwidth'] / 1e9:.0f} GB/s of memory"
    axes.set_xlabel("of the limit that binds")
    axes.set_title(f"Speed as a part of what the machine can do\n{device(found)}: {limits}", loc="left", fontsize=11)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return True
