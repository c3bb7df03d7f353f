"""The large-class loss: speed against memory."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import ratios, report
from benchmarks.plots.style import OF_KIND, device, log_ticks

LARGE = "large-class loss"
MARKERS = "oPsD^vXh*<>pd"
UNKNOWN = "hollow, at the right end: PyTorch, which doesn't tell its memory"


def draw_pareto(figure: Figure, found: dict) -> bool:
    """The large-class loss: time against memory, every contender a point, a panel for each size."""
    rows = [row for row in found["rows"] if row["family"] == LARGE and ratios.timed(row)]
    if not rows or found["suite"] == "sweep":
        return False
    columns = min(3, len(rows))
    lines = -(-len(rows) // columns)
    figure.set_size_inches(4.4 * columns, 3.7 * lines + 1.2)
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in panels[len(rows) :]:
        axes.set_visible(False)
    kinds = {c["name"]: c["kind"] for row in rows for c in ratios.timed(row)}
    markers = dict(zip(kinds, MARKERS, strict=False))
    for axes, row in zip(panels, rows, strict=False):
        draw_points(axes, row, markers)
    handles = [
        panels[0].scatter([], [], s=45, color=OF_KIND[kind], marker=markers[name], label=name)
        for name, kind in kinds.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9, title=UNKNOWN)
    figure.suptitle(f"Large-class loss and its gradients: lower left is better\n{device(found)}")
    return True


def draw_points(axes: Axes, row: dict, markers: dict[str, str]) -> None:
    """One size."""
    points = [(memory_of(c), float(np.median(c["seconds"])), c) for c in ratios.timed(row)]
    known = [x for x, _, _ in points if x is not None]
    low, high = min(known) / 1.6, max(known) * 2.5
    for x, y, c in points:
        color, marker = OF_KIND[c["kind"]], markers[c["name"]]
        if x is None:
            axes.scatter(high / 1.25, y, s=45, facecolors="none", edgecolors=color, marker=marker, zorder=2)
        else:
            axes.scatter(x, y, s=45, color=color, marker=marker, zorder=2)
    seconds = [y for _, y, _ in points]
    axes.set(xscale="log", yscale="log", title="N×H×K = " + "×".join(str(n) for n in row["sizes"].values()))
    axes.set_xlim(low, high)
    axes.set_ylim(min(seconds) / 1.25, max(seconds) * 1.25)
    log_ticks(
        axes.xaxis,
        [2.0**k for k in range(10, 40)],
        lambda x: report.size(int(x)).replace(".00", "").replace(".0", ""),
    )
    axes.tick_params(axis="x", rotation=30)
    log_ticks(axes.yaxis, [m * 10.0**k for k in range(-4, 3) for m in (1, 2, 3, 5, 7)], lambda y: f"{1e3 * y:g} ms")
    axes.set(xlabel="temporaries and outputs", ylabel="time")
    axes.grid(alpha=0.3)


def memory_of(contender: dict) -> int | None:
    """The bytes that a contender needs beside its inputs, as far as that is known."""
    return None if contender["temporaries"] is None else contender["temporaries"] + contender["outputs"]
