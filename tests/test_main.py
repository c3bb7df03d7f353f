"""The command line as a whole: bad usage, what is missing, `python -m`."""

import subprocess
import sys

import pytest

from manual_grads.__main__ import main


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


def test_without_the_extra_it_says_what_to_install():
    code = "import sys; sys.modules['rich'] = None; from manual_grads.__main__ import main; sys.exit(main([]))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "pip install 'manual-grads[verify]'" in result.stderr


def test_it_runs_as_a_module():
    printed = subprocess.check_output([sys.executable, "-m", "manual_grads", "--help"], text=True)
    assert "verify" in printed
    assert "lines" in printed
