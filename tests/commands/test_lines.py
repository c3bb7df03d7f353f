"""`manual-grads lines`, in process: what it prints, and its exit status."""

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from manual_grads.__main__ import main
from manual_grads.commands import lines as lines_command
from manual_grads.derivations import task18, task19_2
from manual_grads.derivations.lines import Line
from manual_grads.derivations.verdicts import judge


def test_a_wrong_line_fails(monkeypatch, capsys):
    chain = task18.SIGMOID_DERIVATIVE
    false = Line("σ·(1 + σ)", lambda z: task18.sigma(z) * (1 + task18.sigma(z)))
    monkeypatch.setattr(lines_command, "CHAINS", (chain._replace(lines=(*chain.lines, false)),))
    assert main(["lines"]) == 1
    printed = capsys.readouterr().out
    assert "✗ FALSE" in printed
    assert printed.count("✓ proved") == 8


@pytest.mark.smoke
def test_lines_of_one_task(capsys):
    assert main(["lines", "19.2"]) == 0
    printed = capsys.readouterr().out
    assert "Task 19.2" in printed
    assert "Task 18" not in printed
    assert "✓ misprint" in printed
    assert "printed: −I(y)/g_k" in printed
    assert printed.count("✓ proved for every K") == 2
    assert printed.count("✓ misprint; proved for every K") == 4


@pytest.mark.slow
def test_lines_of_19_are_those_of_its_parts(monkeypatch):
    asked = []

    def judge_first_line(chain, seed):
        asked.append(chain.task)
        return judge(chain._replace(lines=chain.lines[:1]), seed)

    monkeypatch.setattr(lines_command, "judge", judge_first_line)
    assert main(["lines", "19"]) == 0
    assert set(asked) == {"19", "19.1", "19.2", "19.3"}


@pytest.mark.smoke
def test_a_line_has_its_reason_and_its_place(capsys):
    assert main(["lines", "19.2"]) == 0
    printed = capsys.readouterr().out
    file = Path(task19_2.__file__)
    assert str(file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file) in " ".join(printed.split())
    code = file.read_text(encoding="utf-8").splitlines()
    places = re.findall(r"task19_2\.py:(\d+)", printed)
    assert len(places) == len(task19_2.LOGLOSS_GRADIENT.lines)
    for number, line in zip(places, task19_2.LOGLOSS_GRADIENT.lines, strict=True):
        assert line.reason in printed
        assert "lambda g, y, k:" in code[int(number) - 1]


def test_a_line_s_place_is_a_link_in_a_terminal():
    terminal = Console(file=io.StringIO(), force_terminal=True, color_system="256")
    with terminal.capture() as capture:
        terminal.print(*lines_command.chain_text(list(judge(task18.SIGMOID)), 120))
    assert f";{Path(task18.__file__).as_uri()}\x1b" in capture.get()


@pytest.mark.smoke
def test_a_task_s_derivatives_stand_under_it_in_a_textbook_s_code(capsys):
    assert main(["lines", "18"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("in a textbook's code") == 1
    assert "    def sigmoid_grad(z):\n        return sigmoid(z) * (1 - sigmoid(z))\n" in printed


def test_json_has_them(capsys):
    assert main(["lines", "18", "--json"]) == 0
    for line in json.loads(capsys.readouterr().out)["lines"]:
        assert line["reason"]
        file, number = line["code"].rsplit(":", 1)
        assert re.search("lambda|def ", Path(file).read_text(encoding="utf-8").splitlines()[int(number) - 1])
