"""The marker `smoke`: what tells in two minutes whether the package runs at all on another Python or another JAX."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def without_smoke(folder):
    """The test files under a folder in which nothing is marked."""
    files = {file: file.read_text(encoding="utf-8") for file in folder.rglob("test_*.py")}
    marked = re.compile(r"^[^#]*\bmark\.smoke\b", re.MULTILINE)
    return sorted(str(file.relative_to(folder)) for file, text in files.items() if not marked.search(text))


@pytest.mark.smoke
def test_every_test_file_has_a_smoke_test():
    assert without_smoke(TESTS) == []


def test_a_file_without_one_is_found(tmp_path):
    for name, line in (("without", "# mark.smoke"), ("with", "@pytest.mark.smoke")):
        (tmp_path / f"test_{name}.py").write_text(f"{line}\ndef test_it():\n    pass\n", encoding="utf-8")
    assert without_smoke(tmp_path) == ["test_without.py"]
