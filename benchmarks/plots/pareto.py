"""The large-class loss: speed against memory."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import ratios, report
from benchmarks.plots.style import GREY, OF_KIND, device, log_ticks

LARGE = "large-class loss"


def draw_pareto(figure: Figure, found: dict) -> bool:
    """The large-class loss: time against memory, every contender a point, a panel for each size."""
    rows = [row for row in found["rows"] if row["family"] == LARGE and ratios.timed(row)]
    if not rows or found["suite"] == "sweep":
        return False
    columns = min(2, len(rows))
    lines = -(-len(rows) // columns)
    figure.set_size_inches(6.4 * columns, 4.2 * lines + 0.4)
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in panels[len(rows) :]:
        axes.set_visible(False)
    for axes, row in zip(panels, rows, strict=False):
        draw_points(axes, row)
    figure.suptitle(f"Large-class loss and its gradients: lower left is better\n{device(found)}")
    return True


def draw_points(axes: Axes, row: dict) -> None:
    """One size: the best on either axis are joined by a line."""
    points = [(x, float(np.median(c["seconds"])), c) for c in ratios.timed(row) if (x := memory_of(row, c)) is not None]
    best = sorted((x, y) for x, y, _ in points if not any(a <= x and b <= y and (a, b) != (x, y) for a, b, _ in points))
    axes.plot(*zip(*best, strict=True), color=GREY, lw=1, ls="--", zorder=1)
    for x, y, c in points:
        axes.scatter(x, y, s=45, color=OF_KIND[c["kind"]], zorder=2)
    axes.set(xscale="log", yscale="log", title="N×H×K = " + "×".join(str(n) for n in row["sizes"].values()))
    xs, ys = [x for x, _, _ in points], [y for _, y, _ in points]
    axes.set_xlim(min(xs) / 1.6, max(xs) * 9)
    axes.set_ylim(min(ys) / 1.25, max(ys) * 1.25)
    label_apart(axes, points)
    log_ticks(
        axes.xaxis,
        [2.0**k for k in range(10, 40, 2)],
        lambda x: report.size(int(x)).replace(".00", "").replace(".0", ""),
    )
    log_ticks(axes.yaxis, [m * 10.0**k for k in range(-4, 3) for m in (1, 2, 3, 5, 7)], lambda y: f"{1e3 * y:g} ms")
    axes.set(xlabel=MEMORY[uses_rss(row)], ylabel="time")
    axes.grid(alpha=0.3)


MEMORY = {True: "peak memory above the inputs, of a process of its own", False: "temporaries and outputs"}


def uses_rss(row: dict) -> bool:
    """Whether the peak of every contender's process is known."""
    return all(c["peak_rss"] is not None for c in ratios.timed(row))


def memory_of(row: dict, contender: dict) -> int | None:
    """The bytes that a contender is drawn at."""
    if uses_rss(row):
        return max(contender["peak_rss"], contender["outputs"])
    return None if contender["temporaries"] is None else contender["temporaries"] + contender["outputs"]


def label_apart(axes: Axes, points: list[tuple[Any, float, dict]]) -> None:
    """Each point's name to its right, moved up where it would cover another's."""
    low, high = np.log(axes.get_ylim())
    lowest = -np.inf
    for x, y, c in sorted(points, key=lambda point: point[1]):
        height = max((np.log(y) - low) / (high - low), lowest + 0.06)
        lowest = height
        at = np.exp(low + height * (high - low))
        arrow = {"arrowstyle": "-", "color": GREY, "lw": 0.5}
        axes.annotate(
            c["name"], (x, y), (x * 1.25, at), va="center", fontsize=8, color=OF_KIND[c["kind"]], arrowprops=arrow
        )
