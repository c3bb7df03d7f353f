"""How near the machine's limits each workload comes."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks import ratios
from benchmarks.plots.style import NAMES, OF_KIND, device


def draw_roofline(figure: Figure, found: dict) -> bool:
    """Operations a second against operations a byte, under what the machine can do."""
    rows = [row for row in found["rows"] if ratios.timed(row)]
    if not rows or found["suite"] == "sweep":
        return False
    figure.set_size_inches(10, 6.5)
    axes, machine = figure.subplots(), found["machine"]
    x = np.geomspace(0.1, 1000, 200)
    axes.plot(x, np.minimum(machine["peak"], x * machine["bandwidth"]) / 1e9, color="black", lw=1.5)
    axes.text(1000, machine["peak"] / 1e9 * 1.08, f"products, {machine['peak'] / 1e9:.0f} GFLOP/s", ha="right")
    axes.text(0.1, machine["bandwidth"] / 1e9 * 0.3, f"memory,\n{machine['bandwidth'] / 1e9:.0f} GB/s", ha="left")
    families = list(dict.fromkeys(row["family"] for row in rows))
    markers = dict(zip(families, "osD^vP*Xhpd<>", strict=False))
    for row in rows:
        fastest = {kind: ratios.fastest(ratios.timed(row), kind) for kind in ("autodiff", "hand")}
        for kind, contender in fastest.items():
            if contender:
                speed = row["flops"] / float(np.median(contender["seconds"])) / 1e9
                style: Any = {"color": OF_KIND[kind], "marker": markers[row["family"]], "alpha": 0.75, "s": 38}
                axes.scatter(row["flops"] / row["bytes"], speed, edgecolors="none", **style)
    for family, marker in markers.items():
        axes.scatter([], [], color="black", marker=marker, s=38, label=family)
    for kind in ("hand", "autodiff"):
        axes.scatter([], [], color=OF_KIND[kind], marker="s", s=60, label=f"fastest {NAMES[kind]}")
    figure.legend(loc="outside right center", frameon=False, fontsize=9)
    axes.set(xscale="log", yscale="log", xlabel="operations / byte of inputs and outputs", ylabel="GFLOP/s")
    axes.annotate(
        "what fits in a cache may be above the memory's line", (0.01, 0.97), xycoords="axes fraction", fontsize=9
    )
    axes.set_title(f"Roofline, {device(found)}", loc="left")
    axes.grid(alpha=0.3)
    return True
