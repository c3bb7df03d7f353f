"""The pictures: drawn by the command, small, and of what they are said to show."""

from pathlib import Path

import jax.numpy as jnp
import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from manual_grads.__main__ import main
from manual_grads.accuracy import plots

COMMITTED = Path(__file__).parents[2] / "docs" / "images"


def test_the_command_draws_every_picture(tmp_path, capsys):
    assert main(["accuracy", "--plot", str(tmp_path / "new")]) == 0
    drawn = sorted((tmp_path / "new").iterdir())
    assert [path.stem for path in drawn] == sorted(plots.PICTURES)
    assert capsys.readouterr().out.split() == [str(tmp_path / "new" / f"{name}.png") for name in plots.PICTURES]
    for path in drawn:
        assert path.stat().st_size < 150_000
        assert matplotlib.image.imread(path).shape[1] == 1280


def test_the_committed_pictures_are_those():
    assert sorted(path.stem for path in COMMITTED.glob("*.png")) == sorted(plots.PICTURES)
    assert all(path.stat().st_size < 150_000 for path in COMMITTED.glob("*.png"))


@pytest.fixture(scope="module")
def curves():
    found = {}
    for name, draw in plots.PICTURES.items():
        axes = Figure().subplots()
        draw(axes)
        found[name] = {line.get_label(): line.get_xydata() for line in axes.get_lines()}
        assert axes.get_xlabel()
        assert axes.get_ylabel()
    return found


def largest(curve, first, last):
    return np.nanmax(curve[(curve[:, 0] >= first) & (curve[:, 0] <= last), 1])


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


def test_nan_is_drawn_above_everything():
    z = np.zeros(plots.PER_BIN, np.float32)
    truth = plots.certified(lambda: [(v := plots.truths.sigmoid_grad(z.astype(float)), v)], jnp.float32)[0]
    assert plots.largest_errors(lambda z: z * jnp.nan, z, truth).tolist() == [plots.NAN]
