"""`manual-grads lines`, in process: what it prints, and its exit status."""

import pytest

from manual_grads.__main__ import main
from manual_grads.commands import lines as lines_command
from manual_grads.derivations import task18
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


def test_lines_of_19_are_those_of_its_parts(monkeypatch):
    asked = []

    def judge_first_line(chain, seed):
        asked.append(chain.task)
        return judge(chain._replace(lines=chain.lines[:1]), seed)

    monkeypatch.setattr(lines_command, "judge", judge_first_line)
    assert main(["lines", "19"]) == 0
    assert set(asked) == {"19", "19.1", "19.2", "19.3"}
