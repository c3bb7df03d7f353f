"""How the cost grows with each size."""

import numpy as np
from matplotlib.figure import Figure

from benchmarks import ratios
from benchmarks.plots.style import NAMES, OF_KIND


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
            if times:
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
