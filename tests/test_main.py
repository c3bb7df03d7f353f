"""The command line as a whole: bad usage, what is missing, `python -m`."""

import subprocess
import sys

import jax
import pytest

from benchmarks.__main__ import main as benchmarks
from manual_grads.__main__ import main, parser


@pytest.mark.smoke
@pytest.mark.parametrize(
    "arguments",
    [["--only", "no_such_rule"], ["lines", "20"], ["--no-such-option"], ["no-such-command"], ["--seed", "x"]],
    ids=str,
)
def test_bad_usage(arguments, capsys):
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert "usage: manual-grads" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["", "verify", "lines", "accuracy", "train", "check x", "benchmarks"])
@pytest.mark.parametrize("seed", ["-1", "4294967296", "9223372036854775808", "x", "1.0", "9" * 5000])
def test_what_is_no_seed(words, seed, capsys):
    with pytest.raises(SystemExit) as error:
        benchmarks([f"--seed={seed}"]) if words == "benchmarks" else main([*words.split(), f"--seed={seed}"])
    assert error.value.code == 2
    said = f"argument --seed: {seed[:40]} is no seed; expected an integer from 0 to 4294967295"
    assert said in capsys.readouterr().err


def test_the_largest_seed_is_one(capsys):
    assert main(["lines", "18", "--seed", "4294967295"]) == 0
    jax.random.key(parser().parse_args(["verify", "--seed", "4294967295"]).seed + 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "sigmoid"], "--only"),
        (["--exhaustive"], "--exhaustive"),
        (["--seed", "3", "--exhaustive"], "--exhaustive --seed"),
    ],
)
def test_pictures_go_without_what_they_take_no_notice_of(words, said, tmp_path, capsys):
    with pytest.raises(SystemExit) as error:
        main(["accuracy", "--plot", str(tmp_path / "new"), *words])
    assert error.value.code == 2
    assert f"argument --plot: the pictures are always of the same; it goes without {said}\n" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("words", [["accuracy", "--plot", ""], ["train", "--plot", " "]], ids=lambda words: words[0])
def test_a_name_of_nothing(words, capsys):
    with pytest.raises(SystemExit) as error:
        main(words)
    assert error.value.code == 2
    assert f"{words[-1]!r} names nothing; expected the name of a file or folder" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--json", ""], ["plot", "x.json", "--to", ""], ["table", ""]], ids=str)
def test_a_name_of_nothing_for_the_benchmarks(words, capsys):
    with pytest.raises(SystemExit) as error:
        benchmarks(words)
    assert error.value.code == 2
    assert "'' names nothing; expected the name of a file or folder" in capsys.readouterr().err


def test_it_runs_as_a_module():
    printed = subprocess.check_output([sys.executable, "-m", "manual_grads", "--help"], text=True)
    assert "verify" in printed
    assert "lines" in printed
