"""`python -m benchmarks`: what it says where it can't begin."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import main

ROOT = Path(__file__).parents[2]


@pytest.mark.smoke
def test_there_is_no_gpu():
    words = [sys.executable, "-m", "benchmarks", "--quick", "--platform", "gpu"]
    hidden = os.environ | {"CUDA_VISIBLE_DEVICES": ""}  # if there is one here
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, env=hidden)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("python -m benchmarks: --platform gpu: JAX finds no GPU here; ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["plot", "table"])
def test_a_file_that_is_none(command, tmp_path, capsys):
    assert main([command, str(tmp_path / "missing.json")]) == 2
    assert "missing.json: it can't be read: No such file or directory" in capsys.readouterr().err
    (tmp_path / "text.json").write_bytes(b"\xff\xfe# A page")
    assert main([command, str(tmp_path / "text.json")]) == 2
    assert "text.json: expected results of schema 1, and this is no JSON" in capsys.readouterr().err


def test_without_jax_it_says_what_to_install():
    code = "import sys; sys.modules['jax'] = None; from benchmarks.__main__ import main; sys.exit(main(['--quick']))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "in a clone of this repository, pip install '.[bench]'" in done.stderr
