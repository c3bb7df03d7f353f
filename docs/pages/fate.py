"""What becomes of a line in floating point: its largest error in float32 against z, or against the label's margin."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
from matplotlib.figure import Figure

from manual_grads.accuracy.plots import BLUE, NAN, PER_BIN, largest_errors, numbers
from manual_grads.accuracy.ulp import TrueValues, certified
from manual_grads.derivations import balls
from manual_grads.derivations.lines import Chain, random_draw

# Read on a light page and on a dark one.
GREY = "#808080"
STYLE: Any = {
    "font.size": 7.5,
    "text.color": GREY,
    "axes.labelcolor": GREY,
    "axes.edgecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "the same picture, the same file",
}
CLASSES = 3
# What a result of 0 is wrong by at most, in float32. What is too large may be wrong by more, but has lost all as well.
ALL_WRONG = 2.0**24


class Curves(NamedTuple):
    """The lines of a chain as functions of one number."""

    label: str  # of that number
    numbers: np.ndarray
    truth: TrueValues
    lines: list[Callable[[Any], Any]]  # of a vector of them


def curves(chain: Chain) -> Curves | None:
    """The lines as functions of z, or of the margin m of class 0 in the logits (m, −½, −1); None if of neither.

    Of the classes and labels that the chain tries, the first are taken.
    """
    first, *_ = inspect.signature(chain.lines[-1].value).parameters
    cases = list(chain.cases(random_draw(0, np.asarray)))
    if first == "z":
        label, at, rest = "z", numbers(-104, 104), ()
    elif first == "s":
        label, at = "margin m", numbers(0, 100)
        rest = next((rest for s, *rest in cases if s.shape == (CLASSES,)), None)
        if rest is None or any(isinstance(each, np.ndarray) for each in rest):  # of other numbers, too
            return None
    else:
        return None

    def arguments(x: Any, vector: Callable[..., Any]) -> tuple[Any, ...]:
        return (x, *rest) if first == "z" else (vector(x), *rest)

    def vectorized(line: Callable[..., Any]) -> Callable[[Any], Any]:
        return jax.vmap(lambda x: line(*arguments(x, lambda m: jnp.stack([m, jnp.float32(-0.5), jnp.float32(-1)]))))

    def true() -> list[tuple[Any, Any]]:
        vector = lambda m: np.array([m, balls.arb(-0.5), balls.arb(-1)], object)  # noqa: E731
        values = [chain.lines[-1].value(*arguments(balls.arb(float(x)), vector)) for x in at]
        exact = np.array(values, object)
        return [(exact, abs(exact))]

    (truth,) = certified(true, jnp.float32)
    return Curves(label, at, truth, [vectorized(line.value) for line in chain.lines])


def draw(curves: Curves, index: int, file: Path) -> None:
    """Draws a line's curve as an SVG, to be shown small."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.6, 1.6), layout="constrained")
        axes = figure.subplots()
        middles = curves.numbers.reshape(-1, PER_BIN).mean(1)
        error = largest_errors(curves.lines[index], curves.numbers, curves.truth)
        axes.plot(middles, np.where(error == NAN, NAN, np.minimum(error, ALL_WRONG)), color=BLUE, lw=1.6)
        axes.set(yscale="log", ylim=(0.1, NAN * 5), xlim=(curves.numbers[0], curves.numbers[-1]), xlabel=curves.label)
        axes.set_yticks([1, 1e3, ALL_WRONG, NAN], ["1 ULP", "10³", "all wrong", "NaN"])
        axes.minorticks_off()
        axes.grid(alpha=0.25, color=GREY)
        figure.savefig(file, transparent=True, metadata={"Date": None})
