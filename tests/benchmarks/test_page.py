import re

import pytest

from benchmarks import page, results
from tests.benchmarks.test_results import FOLDER


def test_the_readmes_table_is_that_of_the_results() -> None:
    """Change it by `python -m benchmarks table benchmarks/results/cpu.json`."""
    text = (FOLDER / "README.md").read_text()
    for line in page.markdown(results.load(FOLDER / "results" / "cpu.json")):
        assert line in text


@pytest.mark.smoke
def test_all_that_the_readme_shows_is_there() -> None:
    linked = re.findall(r"\]\((?!http)([^)#]+)\)", (FOLDER / "README.md").read_text())
    assert len(linked) > 4
    assert [link for link in linked if not (FOLDER / link).exists()] == []
