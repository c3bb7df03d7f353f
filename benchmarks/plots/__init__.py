"""`python -m benchmarks plot FILE`: the pictures of a file of results."""

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from benchmarks import results
from benchmarks.plots.growth import draw_growth
from benchmarks.plots.pareto import draw_pareto
from benchmarks.plots.ratio_bars import draw_ratios
from benchmarks.plots.roofline import draw_roofline
from benchmarks.plots.style import STYLE

PICTURES = {"ratios": draw_ratios, "large-class": draw_pareto, "roofline": draw_roofline, "growth": draw_growth}


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
