"""The command line as a whole: bad usage, what is missing, `python -m`."""

import subprocess
import sys

import pytest

from manual_grads.__main__ import main


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


def test_it_runs_as_a_module():
    printed = subprocess.check_output([sys.executable, "-m", "manual_grads", "--help"], text=True)
    assert "verify" in printed
    assert "lines" in printed
