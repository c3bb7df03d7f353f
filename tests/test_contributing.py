"""What CONTRIBUTING.md says is so: its folders are there, and who follows it to the letter has added a gradient."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
COPIED = ("manual_grads", "tests", ".ci", "README.md", "pyproject.toml")


def blocks(language):
    """The blocks of a language in the part about adding a gradient, each with the file that is named before it."""
    part = PAGE[PAGE.index("## Add a gradient") :]
    for block in re.finditer(rf"^```{language}\n(.*?)^```$", part, flags=re.MULTILINE | re.DOTALL):
        yield re.findall(r"`([\w/]+\.(?:py|md))`", part[: block.start()])[-1], block[1]


@pytest.fixture
def tree(tmp_path):
    """A copy of the tree with the gradient added, as the page says."""
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    for name, text in blocks("python"):
        assert not (tmp_path / name).exists()
        (tmp_path / name).write_text(text, encoding="utf-8")
    for name, diff in blocks("diff"):
        added, following = (line[1:] for line in diff.splitlines(keepends=True))
        before = (tmp_path / name).read_text(encoding="utf-8")
        assert before.count(following) == 1, f"not once in {name}: {following}"
        (tmp_path / name).write_text(before.replace(following, added + following), encoding="utf-8")
    return tmp_path


def run(tree, command):
    """What a command of the page prints in a tree; it has to succeed."""
    program, arguments = command.removeprefix(".venv/bin/").split(" ", 1)
    program = f"{sys.executable} -m manual_grads" if program == "manual-grads" else sys.executable
    options = " -n 0 -q -p no:cacheprovider" if "pytest" in arguments else ""
    result = subprocess.run(
        ["bash", "-c", f"{program} {arguments}{options}"],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.slow
def test_who_follows_the_page_has_added_a_gradient(tree):
    check, verify, tests = (command for _, block in blocks("sh") for command in block.splitlines())
    for command in (check, verify):
        printed = run(tree, command)
        assert "log_cosh_grad" in printed
        assert printed.rstrip().endswith("everything holds")
    assert int(re.findall(r"(\d+) passed", run(tree, tests))[0]) > 30


@pytest.mark.smoke
def test_every_folder_has_a_line():
    listed = set(re.findall(r"^\| `([\w/]+)/` \|", PAGE, flags=re.MULTILINE))
    folders = {str(file.parent.relative_to(ROOT)) for file in (ROOT / "manual_grads").rglob("*.py")}
    assert folders | {"tests", "tests/edits", "benchmarks", "docs"} <= listed


def test_lint_is_ci_s():
    commands = re.findall(r"^ *(\.venv-lint/bin/(?:ruff|pyright|mypy).*)", CI, flags=re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        assert command.replace(".venv-lint", ".venv") in PAGE.splitlines()
