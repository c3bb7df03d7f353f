"""The pictures: drawn by the command, small, and of what they are said to show."""

import io
from contextlib import redirect_stdout
from pathlib import Path

import jax.numpy as jnp
import matplotlib.image
import numpy as np
import pytest

from manual_grads.__main__ import main
from manual_grads.accuracy import plots

COMMITTED = Path(__file__).parents[2] / "docs" / "images"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The command, once: its status, what it printed, its folder, and each picture's curves by their labels."""
    curves, folder = {}, tmp_path_factory.mktemp("pictures") / "new"

    def recorded(name, draw):
        def draw_and_record(axes):
            draw(axes)
            curves[name] = {line.get_label(): line.get_xydata() for line in axes.get_lines()}
            assert axes.get_xlabel()
            assert axes.get_ylabel()

        return draw_and_record

    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as printed:
        patch.setattr(plots, "PICTURES", {name: recorded(name, draw) for name, draw in plots.PICTURES.items()})
        status = main(["accuracy", "--plot", str(folder)])
    return status, printed.getvalue(), folder, curves


@pytest.fixture
def curves(drawn):
    return drawn[-1]


def test_the_command_draws_every_picture(drawn):
    status, printed, folder, _ = drawn
    assert status == 0
    assert printed.split() == [str(folder / f"{name}.png") for name in plots.PICTURES]
    assert sorted(path.stem for path in folder.iterdir()) == sorted(plots.PICTURES)
    for path in folder.iterdir():
        assert path.stat().st_size < 150_000
        assert matplotlib.image.imread(path).shape[1] == 1280


def test_the_committed_pictures_are_those():
    assert sorted(path.stem for path in COMMITTED.glob("*.png")) == sorted(plots.PICTURES)
    assert all(path.stat().st_size < 150_000 for path in COMMITTED.glob("*.png"))


def largest(curve, first, last):
    return np.nanmax(curve[(curve[:, 0] >= first) & (curve[:, 0] <= last), 1])


@pytest.mark.smoke
def test_the_lines_of_task_18_are_unequal(curves):
    lines = curves["task18-lines"]
    assert len(lines) == 6
    last, square = lines["σ·(1 − σ)"], lines["e^(−z) / (1 + e^(−z))²"]
    assert largest(last, 20, 80) > 1e7
    assert largest(last, -80, -1) < 4
    assert largest(square, 0, 87) < 4
    assert largest(square, -80, -50) > 1e7


def test_by_hand_is_accurate_everywhere(curves):
    assert largest(curves["sigmoid-grad"]["by hand"], -104, 104) <= 3
    assert largest(curves["cross-entropy-grad"]["by hand"], 0, 87) <= 6
    assert largest(curves["sigmoid-grad"]["autodiff, jax.nn"], 20, 80) > 1e7
    assert largest(curves["cross-entropy-grad"]["autodiff, optax"], 20, 80) > 1e7


@pytest.mark.smoke
def test_nan_is_drawn_above_everything():
    z = np.zeros(plots.PER_BIN, np.float32)
    truth = plots.certified(lambda: [(v := plots.truths.sigmoid_grad(z.astype(float)), v)], jnp.float32)[0]
    assert plots.largest_errors(lambda z: z * jnp.nan, z, truth).tolist() == [plots.NAN]
