"""The versions that are supported: what pyproject.toml asks for is what CI runs, from the floor to the newest."""

import os
import platform
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINS = (ROOT / "constraints" / "floor.txt").read_text(encoding="utf-8").splitlines()
FLOOR = dict(line.split("==") for line in PINS if not line.startswith("#"))
EXTRAS = PROJECT["optional-dependencies"]
RUN = [Requirement(text) for group in ("verify", "plot", "bench", "test") for text in EXTRAS[group]]
ASKED = [r for r in (*map(Requirement, PROJECT["dependencies"]), *RUN) if r.name != PROJECT["name"]]


@pytest.mark.smoke
@pytest.mark.parametrize("requirement", ASKED, ids=lambda requirement: requirement.name)
def test_a_package_is_asked_for_from_the_version_of_the_floor_on_without_a_cap(requirement):
    (specifier,) = requirement.specifier
    assert specifier.operator == ">="
    assert Version(specifier.version) == Version(FLOOR[requirement.name])


def command(file, script):
    """An executable file of that script."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)


def found(folder):
    """The versions and the files that CI finds where that is on PATH."""
    environment = os.environ | {"PATH": f"{folder}:/usr/bin:/bin"}
    lines = subprocess.check_output([ROOT / ".ci" / "pythons"], env=environment, text=True).splitlines()
    return [line.split() for line in lines]


def test_ci_finds_pythons_on_the_path_and_those_of_pyenv_whose_shims_are_off(tmp_path):
    on_path, versions = tmp_path / "bin", tmp_path / "pyenv" / "versions"
    command(on_path / "python3.98", "echo 3.98.1 $0")
    command(on_path / "python3.98-config", "echo 3.98.2 $0")
    command(on_path / "python3.99", "exit 127")
    command(on_path / "pyenv", f"echo {tmp_path}/pyenv")
    for version in ("3.99.10", "3.99.9"):
        command(versions / version / "bin" / "python3.99", f"echo {version} $0")
    assert [version for version, file in found(on_path) if str(tmp_path) in file] == ["3.98.1", "3.99.9", "3.99.10"]


def test_ci_finds_this_python(tmp_path):
    command(tmp_path / "python3.1", f'exec {sys.executable} "$@"')
    assert platform.python_version() in [version for version, _ in found(tmp_path)]
