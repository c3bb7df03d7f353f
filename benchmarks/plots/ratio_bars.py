"""Is it worth it? The ratios of the times, two bars a workload: to the fastest autodiff, and to the fastest peer."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from benchmarks import ratios
from benchmarks.plots.style import GREEN, OF_VERDICT, device, log_ticks
from benchmarks.ratios import Ratio

# In lines of the picture.
BAR, PEER_BAR, APART = 0.46, 0.22, 0.36


def draw_ratios(figure: Figure, found: dict) -> bool:
    """Under a heading for each family, a line a workload: its ratios with their intervals, and a line at 1."""
    rows = [row for row in found["rows"] if ratios.against(row, "autodiff")]
    if not rows or found["suite"] == "sweep":
        return False
    families: dict[str, list[dict]] = {}
    for row in rows:
        families.setdefault(row["family"], []).append(row)
    lines = len(rows) + len(families)
    figure.set_size_inches(10, 1.9 + 0.25 * lines)
    axes = figure.subplots()
    y, labels, headings, ends = 0, {}, [], [0.45, 1.6]
    for family, of_family in families.items():
        labels[y] = family
        headings.append(y)
        for row in of_family:
            y += 1
            labels[y] = row["workload"].removeprefix(family).strip()
            ends += line(axes, y, row)
        y += 1
    axes.set_xscale("log")
    axes.set(xlim=(min(ends) / 1.08, max(ends) * 1.08), ylim=(lines - 0.4, -0.6))
    log_ticks(axes.xaxis, (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20))
    axes.set_yticks(list(labels), list(labels.values()), fontsize=8.5)
    for heading in headings:
        axes.get_yticklabels()[list(labels).index(heading)].set_fontweight("bold")
    axes.tick_params(axis="y", length=0)
    axes.axvline(1, color="black", lw=1)
    axes.grid(axis="x", alpha=0.3)
    axes.set_title(f"Time by hand / time of the fastest other\n{device(found)}", loc="left", pad=26)
    axes.set_xlabel("left of 1: by hand is faster; black: the 95 % interval; the number is the ratio to autodiff")
    meanings = {"faster": "autodiff: by hand is faster", "tie": "a tie", "slower": "by hand is slower"}
    handles = [Patch(color=OF_VERDICT[verdict], alpha=0.75, label=text) for verdict, text in meanings.items()]
    axes.legend(
        handles=[*handles, Patch(color=GREEN, alpha=0.6, label="the fastest other library")],
        loc="lower left",
        bbox_to_anchor=(0, 1.002),
        ncols=4,
        fontsize=8.5,
        frameon=False,
    )
    return True


def line(axes: Axes, y: int, row: dict) -> list[float]:
    """The bars of a workload; the ends of their intervals."""
    to_autodiff, to_peer = ratios.against(row, "autodiff"), ratios.against(row, "peer")
    assert to_autodiff is not None
    bar(axes, y, BAR, to_autodiff, OF_VERDICT[to_autodiff.verdict], 0.75)
    axes.text(1.01, y, f"{to_autodiff.median:.2f}", va="center", fontsize=8.5, transform=axes.get_yaxis_transform())
    if to_peer is None:
        return [to_autodiff.low, to_autodiff.high]
    bar(axes, y + APART, PEER_BAR, to_peer, GREEN, 0.6)
    return [to_autodiff.low, to_autodiff.high, to_peer.low, to_peer.high]


def bar(axes: Axes, y: float, height: float, ratio: Ratio, color: str, alpha: float) -> None:
    """From 1 to the ratio, with its interval."""
    axes.barh(y, ratio.median - 1, left=1, height=height, color=color, alpha=alpha)
    axes.plot([ratio.low, ratio.high], [y, y], color="black", lw=1)
