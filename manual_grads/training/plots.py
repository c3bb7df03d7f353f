"""The loss curves of several ways to train, drawn."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from manual_grads.training.digits import Run


def draw(runs: dict[str, Run], apart: list[float], file: Path) -> None:
    """The loss curves on top of one another, and how far apart they are."""
    figure = Figure(figsize=(8, 6), layout="constrained")
    above, below = figure.subplots(2, sharex=True, height_ratios=[2, 1])
    styles = ({"lw": 6, "color": "#56B4E9"}, {"lw": 3, "color": "#E69F00"}, {"lw": 1, "color": "black"})
    for (name, run), style in zip(runs.items(), styles, strict=True):
        above.plot(run.losses, label=f"{name} ({run.accuracy:.1%} held out)", **style)
    above.set(yscale="log", ylabel="mean log-loss of the batch", title="The document's network on handwritten digits")
    above.legend()
    below.plot(np.maximum(apart, 1e-9), color="#D55E00", lw=1)
    below.set(yscale="log", xlabel="step", ylabel="largest difference\n(0 drawn as 10⁻⁹)")
    for axes in (above, below):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=160)
