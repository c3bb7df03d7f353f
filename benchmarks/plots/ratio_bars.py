"""Is it worth it? The ratios of the times, a bar a workload."""

from matplotlib.figure import Figure

from benchmarks import ratios
from benchmarks.plots.style import OF_VERDICT, device, log_ticks


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
    axes.set_title(f"Time by hand / time of the fastest autodiff\n{device(found)}", loc="left")
    axes.set_xlabel(
        "left of 1: by hand is faster. Blue: faster, orange: slower, grey: the 95 % interval (black) contains 1"
    )
    return True
