"""`manual-grads train`: the ways to train side by side, as tables or as JSON, and as curves."""

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console, RenderableType
from rich.text import Text

from manual_grads.commands.outputs import require_picture
from manual_grads.commands.printing import Column, console, fitting, mark, print_json
from manual_grads.commands.progress import progressing
from manual_grads.training import large, words
from manual_grads.training.comparison import EPOCHS, GOAL, LARGE_STEPS, Comparison, compare, steps_of


def train(epochs: int, seed: int, as_json: bool, plot: Path | None) -> int:
    """Trains on the digits in three ways, last layers of many classes in two; 0 if they agree and the goals are met."""
    if plot is not None:
        require_picture("--plot", plot)
    out = console()
    steps = steps_of(epochs)
    large_steps = LARGE_STEPS * len(large.WAYS)
    total = steps + large_steps + words.STEPS * len(words.WAYS)
    with progressing(out, "training", total, as_json) as done:
        made = 0

        def advance() -> None:
            nonlocal made
            made += 1
            epoch, within = divmod(made, steps // epochs)
            if made <= steps:
                done(Text(f"digits: epoch {epoch} of {epochs}") if within == 0 else None)
            elif made <= steps + large_steps:
                done(_end_of_a_way("many classes", made - steps, LARGE_STEPS, large.WAYS))
            else:
                done(_end_of_a_way("words", made - steps - large_steps, words.STEPS, words.WAYS))

        found = compare(epochs, seed, advance)
    if plot is not None:
        from manual_grads.training.plots import draw  # another extra

        draw(found.runs, found.apart, plot)
    if as_json:
        print_json(
            command="train",
            passed=found.passed,
            seed=seed,
            epochs=epochs,
            goal=found.goal,
            digits={name: run._asdict() for name, run in found.runs.items()},
            largest_difference=max(found.apart),
            differences=found.apart,
            many_classes={
                **found.many._asdict(),
                "classes": large.CLASSES,
                "largest_difference": max(found.many_apart),
            },
            words={
                **found.words._asdict(),
                "runs": {name: run._asdict() for name, run in found.words.runs.items()},
                "largest_difference": max(found.words_apart),
                "allowed_difference": found.words.allowed,
            },
        )
        return 0 if found.passed else 1
    out.print(_digits_table(out, found))
    goal = f"{GOAL:.0%} of the digits held out"
    out.print(Text(f"goal: {goal}" if found.goal else f"no goal in {epochs} epochs: {goal} is the one for {EPOCHS}"))
    out.print(Text(f"largest difference of the three losses in any of {steps} steps: {max(found.apart):.1e}\n"))
    out.print(_large_table(out, found.many))
    out.print(Text(f"largest difference of the two losses: {max(found.many_apart):.1e}\n"))
    out.print(_words_table(out, found.words))
    frequencies = f"{found.words.frequencies_loss:.2f} by the words' frequencies alone, to be beaten by {words.GAIN:g}"
    out.print(Text(f"held out: the loss of a word, in nats; {frequencies}"))
    allowed = f"in bfloat16, {found.words.allowed:.1e} are allowed"
    out.print(Text(f"largest difference of the two losses: {max(found.words_apart):.1e} ({allowed})"))
    out.print(Text("everything holds" if found.passed else "NOT everything holds", style="bold"))
    return 0 if found.passed else 1


def _end_of_a_way(what: str, made: int, steps: int, ways: Iterable[str]) -> Text | None:
    """What a log says after a way's last step."""
    way, step = divmod(made, steps)
    return Text(f"{what}: {list(ways)[way - 1]}") if step == 0 else None


def _digits_table(out: Console, found: Comparison) -> RenderableType:
    columns = (
        Column("gradient"),
        Column("first loss", spare=3),
        Column("last loss", spare=1),
        Column("held out"),
        Column("ms a step", spare=2),
        Column(""),
    )
    rows = []
    for name, run in found.runs.items():
        first, last = run.losses[0], run.losses[-1]
        numbers = f"{first:.4f}", f"{last:.4f}", f"{run.accuracy:.1%}", f"{1e3 * run.step_seconds:.2f}"
        rows.append((name, *numbers, mark(found.met[name])))
    return fitting(out, columns, rows, title="The document's network on handwritten digits, from the same start")


def _large_table(out: Console, many: large.Large) -> RenderableType:
    columns = (
        Column("loss"),
        Column("first loss", spare=2),
        Column("last loss", spare=1),
        Column("temporaries, MB"),
    )
    rows = [
        (name, f"{losses[0]:.4f}", f"{losses[-1]:.4f}", f"{many.temporary_bytes[name] / 1e6:.1f}")
        for name, losses in many.losses.items()
    ]
    return fitting(
        out, columns, rows, title=f"A last layer of {large.CLASSES:,} classes: {LARGE_STEPS} steps of Adam, each way"
    )


def _words_table(out: Console, found: words.Words) -> RenderableType:
    columns = (
        Column("loss"),
        Column("first loss", spare=4),
        Column("last loss", spare=3),
        Column("held out"),
        Column("predicted", spare=1),
        Column("temporaries, MB", spare=2),
        Column(""),
    )
    rows = []
    for name, run in found.runs.items():
        numbers = f"{run.losses[0]:.4f}", f"{run.losses[-1]:.4f}", f"{run.held_out_loss:.2f}", f"{run.accuracy:.1%}"
        rows.append((name, *numbers, f"{run.temporary_bytes / 1e6:.1f}", mark(found.met[name])))
    title = f"This package's source, a word after the other: {found.classes:,} classes, {found.padding:.0%} padding, "
    return fitting(out, columns, rows, title=f"{title}a bias, smoothed labels, bfloat16; {words.STEPS} steps of Adam")
