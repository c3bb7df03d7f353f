"""`manual-grads train`: the ways to train side by side, as tables or as JSON, and as curves."""

from pathlib import Path

from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from manual_grads.commands.printing import console, mark, print_json
from manual_grads.training import large
from manual_grads.training.comparison import LARGE_STEPS, Comparison, compare, steps_of


def train(epochs: int, seed: int, as_json: bool, plot: Path | None) -> int:
    """Trains on the digits in three ways, and a layer of many classes in two; 0 if they agree and the goal is met."""
    if plot is not None:
        import matplotlib  # noqa: F401 - that it is missing is better known before the training
    out = console()
    with Progress(console=out, transient=True, disable=as_json or not out.is_terminal) as progress:
        task = progress.add_task("training", total=steps_of(epochs) + LARGE_STEPS * len(large.WAYS))
        found = compare(epochs, seed, lambda: progress.advance(task))
    if as_json:
        print_json(
            command="train",
            passed=found.passed,
            seed=seed,
            epochs=epochs,
            digits={name: run._asdict() for name, run in found.runs.items()},
            largest_difference=max(found.apart),
            differences=found.apart,
            many_classes={
                **found.many._asdict(),
                "classes": large.CLASSES,
                "largest_difference": max(found.many_apart),
            },
        )
    else:
        out.print(_digits_table(found))
        steps = len(found.apart)
        out.print(Text(f"largest difference of the three losses in any of {steps} steps: {max(found.apart):.1e}\n"))
        out.print(_large_table(found.many))
        out.print(Text(f"largest difference of the two losses: {max(found.many_apart):.1e}"))
        out.print(Text("everything holds" if found.passed else "NOT everything holds", style="bold"))
    if plot is not None:
        from manual_grads.training.plots import draw

        draw(found.runs, found.apart, plot)
    return 0 if found.passed else 1


def _digits_table(found: Comparison) -> Table:
    table = Table(title="The document's network on handwritten digits, three ways from the same start")
    for heading in ("gradient", "first loss", "last loss", "held-out accuracy", "ms a step", ""):
        table.add_column(heading)
    for name, run in found.runs.items():
        first, last = run.losses[0], run.losses[-1]
        numbers = f"{first:.4f}", f"{last:.4f}", f"{run.accuracy:.1%}", f"{1e3 * run.step_seconds:.2f}"
        table.add_row(name, *numbers, mark(found.met[name]))
    return table


def _large_table(many: large.Large) -> Table:
    table = Table(title=f"A last layer of {large.CLASSES:,} classes, {LARGE_STEPS} steps of Adam")
    for heading in ("loss", "first loss", "last loss", "temporaries of a step, MB"):
        table.add_column(heading)
    for name, losses in many.losses.items():
        table.add_row(name, f"{losses[0]:.4f}", f"{losses[-1]:.4f}", f"{many.temporary_bytes[name] / 1e6:.1f}")
    return table
