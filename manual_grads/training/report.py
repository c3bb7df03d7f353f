"""What `manual-grads train` prints and draws."""

from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from manual_grads.printing import console, mark, print_json
from manual_grads.training import digits, large

GOAL = 0.96  # of the held-out digits
# 2.5 is the largest loss: 40 ULP of it, for each step starts from the last one's weights, with its rounding errors.
CLOSE = 1e-5
LARGE_STEPS = 10


def train(epochs: int, seed: int, as_json: bool, plot: Path | None) -> int:
    """Trains on the digits in three ways, and a layer of many classes in two; 0 if they agree and the goal is met."""
    if plot is not None:
        import matplotlib  # noqa: F401 - that it is missing is better known before the training
    out, data = console(), digits.digits()
    steps = sum(1 for _ in digits.batches(data, epochs, seed))
    with Progress(console=out, transient=True, disable=as_json or not out.is_terminal) as progress:
        task = progress.add_task("training", total=steps + LARGE_STEPS * len(large.WAYS))

        def advance() -> None:
            progress.advance(task)

        runs = digits.train(data, epochs, seed, advance)
        many = large.train(LARGE_STEPS, seed, advance)
    apart, many_apart = differences(run.losses for run in runs.values()), differences(many.losses.values())
    met = {name: bool(run.accuracy >= GOAL) for name, run in runs.items()}
    passed = all(met.values()) and max(apart) <= CLOSE and max(many_apart) <= CLOSE
    if as_json:
        print_json(
            command="train",
            passed=passed,
            seed=seed,
            epochs=epochs,
            digits={name: run._asdict() for name, run in runs.items()},
            largest_difference=max(apart),
            differences=apart,
            many_classes={**many._asdict(), "classes": large.CLASSES, "largest_difference": max(many_apart)},
        )
    else:
        out.print(_digits_table(runs, met))
        out.print(Text(f"largest difference of the three losses in any of {steps} steps: {max(apart):.1e}\n"))
        out.print(_large_table(many))
        out.print(Text(f"largest difference of the two losses: {max(many_apart):.1e}"))
        out.print(Text("everything holds" if passed else "NOT everything holds", style="bold"))
    if plot is not None:
        draw(runs, apart, plot)
    return 0 if passed else 1


def differences(losses: Any) -> list[float]:
    """The largest difference between several curves, step by step; NaN, where there is one, is infinitely large."""
    return np.nan_to_num(np.ptp(np.array(list(losses)), axis=0), nan=np.inf).tolist()


def draw(runs: dict[str, digits.Run], apart: list[float], file: Path) -> None:
    """The loss curves on top of one another, and how far apart they are."""
    from matplotlib.figure import Figure  # slow to import, and another extra

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


def _digits_table(runs: dict[str, digits.Run], met: dict[str, bool]) -> Table:
    table = Table(title="The document's network on handwritten digits, three ways from the same start")
    for heading in ("gradient", "first loss", "last loss", "held-out accuracy", "ms a step", ""):
        table.add_column(heading)
    for name, run in runs.items():
        first, last = run.losses[0], run.losses[-1]
        numbers = f"{first:.4f}", f"{last:.4f}", f"{run.accuracy:.1%}", f"{1e3 * run.step_seconds:.2f}"
        table.add_row(name, *numbers, mark(met[name]))
    return table


def _large_table(many: large.Large) -> Table:
    table = Table(title=f"A last layer of {large.CLASSES:,} classes, {LARGE_STEPS} steps of Adam")
    for heading in ("loss", "first loss", "last loss", "temporaries of a step, MB"):
        table.add_column(heading)
    for name, losses in many.losses.items():
        table.add_row(name, f"{losses[0]:.4f}", f"{losses[-1]:.4f}", f"{many.temporary_bytes[name] / 1e6:.1f}")
    return table
