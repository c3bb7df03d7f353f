"""`python -m benchmarks plot FILE`: the pictures of a file of results."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks import ratios, report, results

# Okabe and Ito's colours, which differ for the colour-blind too.
ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE, GREY = (
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
    "#888888",
)
STYLE: Any = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True}
OF_KIND = {"hand": BLUE, "autodiff": VERMILION, "drop-in": SKY, "peer": GREEN}
OF_VERDICT = {"faster": BLUE, "tie": GREY, "slower": VERMILION}
NAMES = {"hand": "by hand", "autodiff": "autodiff", "drop-in": "autodiff through nn", "peer": "other libraries"}
LARGE = "large-class loss"


def draw_all(file: Path, directory: Path) -> int:
    """Draws every picture that the results have something for, as PNG files beside each other."""
    found = results.load(file)
    directory.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        with matplotlib.rc_context(STYLE):
            figure = Figure(layout="constrained")
            if not draw(figure, found):
                continue
            target = directory / f"{file.stem}-{name}.png"
            figure.savefig(target, dpi=130)
        print(target)
    return 0


def draw_ratios(figure: Figure, found: dict) -> bool:
    """A bar a workload: time by hand relative to the fastest autodiff, with its interval, and a line at 1."""
    rows = [(row, ratio) for row in found["rows"] if (ratio := ratios.against(row, "autodiff"))]
    if not rows or found["suite"] == "sweep":
        return False
    figure.set_size_inches(10, 1.6 + 0.25 * len(rows))
    axes = figure.subplots()
    for y, (_, ratio) in enumerate(rows):
        axes.barh(y, ratio.median - 1, left=1, height=0.7, color=OF_VERDICT[ratio.verdict], alpha=0.75)
        axes.plot([ratio.low, ratio.high], [y, y], color="black", lw=1.2)
        axes.text(1.01, y, f"{ratio.median:.2f}", va="center", fontsize=8.5, transform=axes.get_yaxis_transform())
    ends = [end for _, ratio in rows for end in (ratio.low, ratio.high)]
    axes.set_xscale("log")
    axes.set(xlim=(min(*ends, 0.45) / 1.08, max(*ends, 1.6) * 1.08), ylim=(len(rows) - 0.4, -0.6))
    log_ticks(axes.xaxis, (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20))
    axes.set_yticks(range(len(rows)), [row["workload"] for row, _ in rows], fontsize=8.5)
    axes.tick_params(axis="y", length=0)
    axes.axvline(1, color="black", lw=1)
    axes.grid(axis="x", alpha=0.3)
    axes.set_title(f"Time by hand / time of the fastest autodiff, {device(found)}", loc="left")
    axes.set_xlabel(
        "left of 1: by hand is faster. Blue: faster, red: slower, grey: the 95 % interval (black) contains 1"
    )
    return True


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
    panels[0].figure.suptitle(f"Large-class loss with its gradients: nearer the lower left is better; {device(found)}")
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
    axes.text(0.11, machine["bandwidth"] / 1e9 * 0.16, f"memory,\n{machine['bandwidth'] / 1e9:.0f} GB/s", ha="left")
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
    axes.set_title(
        f"Roofline, {device(found)}: small workloads in the caches may be above the memory's line", loc="left"
    )
    axes.grid(alpha=0.3)
    return True


def draw_growth(figure: Figure, found: dict) -> bool:
    """How time grows with each size, of a sweep: a panel for each family and size, a line for each contender."""
    if found["suite"] != "sweep" or not found["rows"]:
        return False
    series = sorted({(row["family"], letter) for row in found["rows"] for letter in row["sizes"]}, key=str)
    panels = [(family, letter, rows) for family, letter in series if len(rows := along(found, family, letter)) > 2]
    figure.set_size_inches(13, 3.6 * -(-len(panels) // 3) + 0.8)
    axes_of = figure.subplots(-(-len(panels) // 3), 3, squeeze=False).ravel()
    for axes in axes_of[len(panels) :]:
        axes.set_visible(False)
    for axes, (family, letter, rows) in zip(axes_of, panels, strict=False):
        for kind, color in OF_KIND.items():
            timed = [(row["sizes"][letter], c) for row in rows if (c := ratios.fastest(ratios.timed(row), kind))]
            times = [float(np.median(c["seconds"])) * 1e3 for _, c in timed]
            axes.plot([n for n, _ in timed], times, "o-", color=color, ms=4, label=f"fastest {NAMES[kind]}")
        fixed = ", ".join(f"{k} = {v}" for k, v in rows[0]["sizes"].items() if k != letter)
        axes.set(xscale="log", yscale="log", xlabel=letter, ylabel="ms", title=f"{family}\n{fixed}")
        axes.grid(alpha=0.3)
    handles, labels = axes_of[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return True


def along(found: dict, family: str, letter: str) -> list[dict]:
    """The family's rows that differ in one size alone: the longest such series."""
    groups: dict[tuple, list[dict]] = {}
    for row in found["rows"]:
        if row["family"] == family and letter in row["sizes"]:
            rest = tuple((k, v) for k, v in row["sizes"].items() if k != letter)
            groups.setdefault(rest, []).append(row)
    longest = max(groups.values(), key=len, default=[])
    return sorted(longest, key=lambda row: row["sizes"][letter])


def device(found: dict) -> str:
    """The machine in a few words."""
    machine = found["machine"]
    cpu = (
        f"{machine['threads']} threads of {machine['cpu']}"
        if machine["device"].startswith("cpu")
        else machine["device"]
    )
    return cpu + (f" (busy: load {machine['load']:.1f})" if report.busy(machine) else "")


def log_ticks(axis: Any, ticks: Any, text: Callable[[float], str] = lambda x: f"{x:g}") -> None:
    """Ticks at these numbers and no others."""
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda x, _: text(x)))


PICTURES = {"ratios": draw_ratios, "large-class": draw_pareto, "roofline": draw_roofline, "growth": draw_growth}
