"""The pages that are written by hand: their code runs, and what they show is what is printed then."""

import linecache
import re
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from docs.pages.cells import cells

DOCS = Path(__file__).parents[2] / "docs"
WRITTEN = [
    page for folder in (".", "document", "howto", "explanation") for page in sorted((DOCS / folder).glob("*.md"))
]
RUN = [page for page in WRITTEN if cells(page)]
NOTEBOOK = DOCS / "notebook.md"
NEEDED = {"training": ["flax", "equinox"]}  # flax isn't in the extra `test`, but in `docs`


def run(page, code=None):
    """The names that a page's cells leave, run in order."""
    names = {}
    for i, cell in enumerate(code or cells(page)):
        file = f"{page.stem}, cell {i + 1}"
        linecache.cache[file] = (len(cell), None, cell.splitlines(keepends=True), file)  # as a notebook's kernel does
        exec(compile(cell, file, "exec"), names)
    return names


@pytest.fixture(autouse=True)
def pictures(monkeypatch):
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", plt.close)


@pytest.mark.filterwarnings("default")  # of the other libraries on a page
@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_a_page_s_code_runs(page, capsys):
    for name in NEEDED.get(page.stem, ()):
        pytest.importorskip(name)
    run(page)
    printed = capsys.readouterr().out
    assert printed
    assert not re.search(r"(?:^|\s)False$", printed, re.MULTILINE)  # what a page claims, it prints as True


@pytest.mark.smoke
def test_the_pages_are_there():
    assert {page.stem for page in RUN} >= {"custom-vjp", "kernels", "numpy-backprop", "large-vocabularies", "notebook"}
    assert len(RUN) >= 10


def test_the_losses_of_large_vocabularies_keep_what_the_page_says():
    names = run(DOCS / "howto" / "large-vocabularies.md")
    assert names["memory"](names["lean"]) < names["memory"](names["dense"]) / 30


def test_each_exercise_is_wrong_as_it_stands_and_its_answer_right(capsys):
    page = NOTEBOOK.read_text(encoding="utf-8")
    lesson, exercises = page.split("## Exercises")
    names = run(NOTEBOOK, [cell for cell in cells(NOTEBOOK) if cell in lesson])
    capsys.readouterr()
    asked = [cell for cell in cells(NOTEBOOK) if cell in exercises]
    answers = re.findall(
        r"<details><summary>Answer</summary>\n\n```python\n(.*?)```\n\n</details>", exercises, re.DOTALL
    )
    assert len(asked) == len(answers) == 4
    for cell, answer in zip(asked, answers, strict=True):
        before, judged = cell.rsplit("judge(", 1)
        exec(cell, names)
        assert capsys.readouterr().out == "not right yet\n"  # and no hint, which may be the answer
        exec(f"{before}\n{answer}\njudge({judged}", names)
        assert capsys.readouterr().out == "right\n"


@pytest.mark.smoke
@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.stem)
def test_code_is_no_wider_than_a_page(page):
    for cell in cells(page):
        assert max(map(len, cell.splitlines())) <= 120
        assert textwrap.dedent(cell) == cell
