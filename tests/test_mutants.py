"""The script that plants errors: it tells what is caught from what survives, and says what can't be planted."""

import pytest

from tests import mutants
from tests.mutants import Edit, edits, main

RIGHT = Edit("double.py", "2 * x", "3 * x", "test_double.py")
SAME = RIGHT._replace(by="x * 2")  # changes nothing
STALE = RIGHT._replace(replaced="2 * y")
BROKEN = RIGHT._replace(by="2 *")
TWICE = RIGHT._replace(replaced="x")


@pytest.fixture(autouse=True)
def tree(tmp_path, monkeypatch):
    (tmp_path / "double.py").write_text("def double(x):\n    return 2 * x\n")
    (tmp_path / "test_double.py").write_text("from double import double\n\ndef test():\n    assert double(2) == 4\n")
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.slow
def test_what_changes_nothing_survives_and_what_cannot_be_planted_is_an_error(tree, capsys):
    before = (tree / "double.py").read_text()
    assert main(["--jobs", "2"], [RIGHT, SAME, STALE, TWICE, BROKEN]) == 1
    caught, survived, stale, twice, broken, total = capsys.readouterr().out.splitlines()
    assert caught == "caught    double.py: 2 * x → 3 * x"
    assert survived == "SURVIVED  double.py: 2 * x → x * 2"
    assert stale.startswith("no longer applies: what it replaces stands in the file 0 times, not once")
    assert twice.startswith("no longer applies: what it replaces stands in the file 2 times, not once")
    assert broken.startswith("says nothing: pytest ended with 2")
    assert total == "1 of 5 caught"
    assert (tree / "double.py").read_text() == before


@pytest.mark.slow
def test_the_exit_status_tells_them_apart(capsys):
    assert main(["--only", "3 * x"], [RIGHT, SAME]) == 0
    assert main([], [STALE]) == 2
    with pytest.raises(SystemExit) as usage:
        main(["--only", "no such edit"], [RIGHT])
    assert usage.value.code == 2


@pytest.mark.smoke
def test_tests_that_fail_as_they_are_catch_nothing(tree, capsys):
    (tree / "test_double.py").write_text("def test():\n    assert False\n")
    assert main([], [RIGHT]) == 2
    assert "the tests fail without any edit already" in capsys.readouterr().out


def test_every_edit_applies(monkeypatch):
    monkeypatch.undo()
    every = edits()
    assert len(every) >= 40
    for edit in every:
        assert (mutants.ROOT / edit.file).read_text(encoding="utf-8").count(edit.replaced) == 1, str(edit)
        assert (mutants.ROOT / edit.test.split("::")[0]).is_file(), edit.test
