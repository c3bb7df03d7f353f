"""Where a command is to write is looked at before it works for minutes."""

import os
from pathlib import Path

import pytest

from benchmarks.__main__ import main as benchmarks
from manual_grads.__main__ import main
from manual_grads.accuracy import plots
from manual_grads.commands import train


@pytest.fixture(autouse=True)
def no_work(monkeypatch):
    """Any work that is begun is a failure."""

    def work(*args, **options):
        raise AssertionError("work has begun")

    monkeypatch.setattr(train, "compare", work)
    monkeypatch.setattr(plots, "draw_all", work)
    monkeypatch.setattr("benchmarks.run.run", work)
    monkeypatch.setattr("benchmarks.checkers.survey", work)


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("missing/a.png", "missing/a.png: it can't be written: No such file or directory"),
        ("file/a.png", "file/a.png: it can't be written: Not a directory"),
        ("a.xyz", "a.xyz: the ending .xyz; expected one that matplotlib can draw, such as .png"),
        ("a", "a: no ending; expected one that matplotlib can draw, such as .png"),
        ("folder", "folder is a folder; expected a file, such as "),
        (f"{'a' * 300}.png", f"{'a' * 300}.png: it can't be written: File name too long"),
        ("pipe.png", "pipe.png is a pipe, which can't be written before somebody reads; expected a file"),
    ],
)
def test_curves_that_can_t_be_drawn(file, said, tmp_path, capsys):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    assert main(["train", "--plot", str(tmp_path / file)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"manual-grads: --plot {tmp_path}/{said}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "pipe.png"]


@pytest.mark.smoke
def test_a_format_that_needs_latex_where_there_is_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["train", "--plot", str(tmp_path / "a.pgf")]) == 2
    said = f"{tmp_path / 'a.pgf'}: the ending .pgf; expected one that matplotlib can draw, such as .png"
    assert capsys.readouterr() == ("", f"manual-grads: --plot {said}\n")


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("file", "there is a file of that name"),
        ("file/below", "Not a directory"),
        ("a" * 300, "File name too long"),
    ],
)
def test_pictures_that_can_t_be_drawn(folder, said, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["accuracy", "--plot", str(tmp_path / folder)]) == 2
    assert f"--plot: no file can be written in {tmp_path / folder}: {said}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--quick", "--json"], "it can't be written: Not a directory"),
        (["plot", "benchmarks/results/cpu.json", "--to"], "no file can be written in"),
    ],
    ids=["--json", "--to"],
)
def test_results_that_can_t_be_written(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(Path(__file__).parents[2])
    (tmp_path / "file").touch()
    assert benchmarks([*words, str(tmp_path / "file" / "a" / "r.json")]) == 2
    assert said in capsys.readouterr().err


def test_results_make_no_folder(tmp_path, capsys):
    assert benchmarks(["--quick", "--json", str(tmp_path / "missing" / "r.json")]) == 2
    assert "r.json: it can't be written: No such file or directory" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_page_that_can_t_be_written(tmp_path, capsys):
    from benchmarks.checkers import main as checkers

    assert checkers(["--write", str(tmp_path / "missing" / "page.md")]) == 2
    assert "it can't be written: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [["train", "--plot", "new.png"], ["accuracy", "--plot", "new"], ["--quick", "--json", "new.json"]],
    ids=" ".join,
)
def test_what_can_be_written_is_begun_and_not_left_empty(words, tmp_path):
    words = [str(tmp_path / word) if word.startswith("new") else word for word in words]
    with pytest.raises(AssertionError, match="work has begun"):
        (benchmarks if words[0] == "--quick" else main)(words)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_file_that_is_there_is_kept_until_there_is_another(tmp_path):
    file = tmp_path / "old.png"
    file.write_text("a picture")
    with pytest.raises(AssertionError, match="work has begun"):
        main(["train", "--plot", str(file)])
    assert file.read_text() == "a picture"
