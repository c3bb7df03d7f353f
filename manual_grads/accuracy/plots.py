"""The pictures: what equal formulas, and autodiff, make of the same float32 numbers, in ULP."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import manual_grads as mg
from manual_grads.accuracy import peers, truths
from manual_grads.accuracy.ulp import TrueValues, certified, errors
from manual_grads.derivations import task18
from manual_grads.formulas import plain

# Okabe and Ito's colours, which differ for the colour-blind too.
ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION = "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00"
DARK_ORANGE = "#9C6C00"  # for text
STYLE: Any = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "lines.solid_capstyle": "butt",
}
# Where NaN is drawn, in ULP: above 2²⁴, which is what a result without any right digit is wrong by.
NAN = 2.0**27
# Numbers of a bin, of which the largest error is drawn.
PER_BIN = 40

Curve = tuple[str, Callable[[Any], Any], dict[str, Any]]  # a label, a function of a vector, and a style


def draw_all(directory: Path) -> Iterator[Path]:
    """Draws every picture into the directory, as a PNG 1280 pixels wide; yields its path when it is there."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        with matplotlib.rc_context(STYLE):
            figure = Figure(figsize=(8, 5), layout="constrained")
            draw(figure.subplots())
            figure.savefig(directory / f"{name}.png", dpi=160)
        yield directory / f"{name}.png"


def task18_lines(axes: Axes) -> None:
    """The lines of Task 18, which are equal, each evaluated as it is written."""
    # Three pairs that run together: one of a pair is drawn wide, the other narrow on top of it.
    wide, narrow = {"lw": 7}, {"lw": 2}
    styles = (
        {"color": SKY, **wide},
        {"color": BLUE, **narrow},
        {"color": YELLOW, **wide},
        {"color": GREEN, **narrow},
        {"color": ORANGE, **wide},
        {"color": VERMILION, **narrow},
    )
    undifferentiated = task18.SIGMOID_DERIVATIVE.lines[2:]
    curves = [(line.text, line.value, style) for line, style in zip(undifferentiated, styles, strict=True)]
    draw_errors(axes, numbers(-104, 104), truths.sigmoid_grad, curves)
    axes.set(title="Task 18, line by line: six equal formulas for σ′(z), in float32", xlabel="z")
    axes.figure.legend(loc="outside lower center", ncols=2, frameon=False)


def sigmoid_grad(axes: Axes) -> None:
    """The sigmoid's derivative by hand and by autodiff."""
    curves: list[Curve] = [
        ("autodiff, plain", jax.vmap(jax.grad(plain.sigmoid)), {"color": ORANGE, "lw": 5}),
        ("autodiff, jax.nn", jax.vmap(jax.grad(jax.nn.sigmoid)), {"color": VERMILION, "lw": 2}),
        ("by hand", mg.sigmoid_grad, {"color": BLUE, "lw": 2}),
    ]
    draw_errors(axes, numbers(-104, 104), truths.sigmoid_grad, curves)
    axes.set(title="σ′(z) in float32, by hand and by autodiff", xlabel="z")
    axes.text(-66, 2.0**21, "jax.grad of\n1 / (1 + e^(−z))", color=DARK_ORANGE, ha="center", va="top")
    axes.text(52, 2.0**21, "jax.grad of\njax.nn.sigmoid", color=VERMILION, ha="center", va="top")
    axes.text(0, 0.18, "by hand: sigmoid_grad", color=BLUE, ha="center")


def cross_entropy_grad(axes: Axes) -> None:
    """The label's entry of cross-entropy's gradient, by hand and by autodiff, against the margin."""

    def entry(gradient: Callable[..., Any]) -> Callable[[Any], Any]:
        return jax.vmap(lambda m: gradient(jnp.array([0.0, -0.5, -1.0]).at[0].add(m), 0)[0])

    def value(margins: np.ndarray) -> Any:
        return np.array([truths.cross_entropy_grad(np.array([m, -0.5, -1.0]), np.int32(0))[0] for m in margins])

    curves: list[Curve] = [
        ("autodiff, optax", entry(jax.grad(peers.cross_entropy)), {"color": ORANGE, "lw": 5}),
        ("autodiff, plain", entry(jax.grad(plain.softmax_cross_entropy)), {"color": VERMILION, "lw": 2}),
        ("by hand", entry(mg.softmax_cross_entropy_grad), {"color": BLUE, "lw": 2}),
    ]
    draw_errors(axes, numbers(0, 87), value, curves)
    axes.set(
        title="The label's entry of the gradient of cross-entropy, in float32",
        xlabel="margin m of the label: logits (m, −½, −1)",
    )
    axes.text(52, 2.0**21, "jax.grad of optax", color=DARK_ORANGE, ha="center", va="top")
    axes.text(48, 60, "jax.grad of −s + ln Σ e^s", color=VERMILION, ha="center")
    axes.text(44, 0.18, "by hand: softmax_cross_entropy_grad", color=BLUE, ha="center")


PICTURES = {"task18-lines": task18_lines, "sigmoid-grad": sigmoid_grad, "cross-entropy-grad": cross_entropy_grad}


def numbers(first: int, last: int) -> np.ndarray:
    """Numbers for two bins a unit."""
    return np.linspace(first, last, 2 * (last - first) * PER_BIN, dtype=np.float32)


def draw_errors(axes: Axes, z: np.ndarray, value: Callable[[np.ndarray], Any], curves: list[Curve]) -> None:
    """The largest error in each bin of z, for each curve."""
    (truth,) = certified(lambda: [(values := value(z.astype(np.float64)), abs(values))], jnp.float32)
    middles = z.reshape(-1, PER_BIN).mean(1)
    for label, function, style in curves:
        axes.plot(middles, largest_errors(function, z, truth), label=label, **style)
    axes.set(yscale="log", ylim=(0.1, NAN * 3), xlim=(z[0], z[-1]), ylabel="largest error, in ULP")
    axes.set_yticks([1, 10, 1e3, 1e5, 2.0**24, NAN], ["1", "10", "10³", "10⁵", "all digits\nwrong", "NaN"])
    axes.minorticks_off()


def largest_errors(function: Callable[[Any], Any], z: np.ndarray, truth: TrueValues) -> np.ndarray:
    """The largest error in each bin, jitted; none where the true value is no normal number and the result is near."""
    ulp = errors(jax.jit(function)(jnp.asarray(z)), truth).ulp
    drawn = np.where(np.isinf(ulp), NAN, np.where(ulp == 0, np.nan, ulp)).reshape(-1, PER_BIN)
    return np.where(np.isnan(drawn).all(1), np.nan, np.nanmax(drawn, axis=1, initial=0))
