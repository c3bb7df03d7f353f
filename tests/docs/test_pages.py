"""The pages that are written by hand: their code runs, and what they show is what is printed then."""

import linecache
import re
import textwrap
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from docs.pages.cells import cells

DOCS = Path(__file__).parents[2] / "docs"
WRITTEN = [
    page for folder in (".", "document", "howto", "explanation") for page in sorted((DOCS / folder).glob("*.md"))
]
RUN = [page for page in WRITTEN if cells(page)]
SLOW = pytest.mark.slow
TAKE_LONGEST = {"notebook", "large-vocabularies", "kernels", "custom-vjp", "numpy-backprop"}  # 2 to 15 s each
NOTEBOOK, LARGE = DOCS / "notebook.md", DOCS / "howto" / "large-vocabularies.md"
NEEDED = {"training": ["flax", "equinox"]}  # flax isn't in the extra `test`, but in `docs`


@cache
def run(page):
    """The names that a page's cells leave, run in order, and what they print."""
    names, printed = {}, StringIO()
    for i, cell in enumerate(lesson(page)):
        file = f"{page.stem}, cell {i + 1}"
        linecache.cache[file] = (len(cell), None, cell.splitlines(keepends=True), file)  # as a notebook's kernel does
        with redirect_stdout(printed):
            exec(compile(cell, file, "exec"), names)
    return names, printed.getvalue()


def lesson(page):
    """A page's cells but for exercises, which are not right before they are done."""
    before_exercises = page.read_text(encoding="utf-8").split("## Exercises")[0]
    return [cell for cell in cells(page) if cell in before_exercises]


@pytest.fixture(autouse=True)
def pictures(monkeypatch):
    plt.switch_backend("agg")
    monkeypatch.setattr(plt, "show", plt.close)


@pytest.mark.filterwarnings("default")  # of the other libraries on a page
@pytest.mark.parametrize(
    "page", [pytest.param(page, id=page.stem, marks=SLOW if page.stem in TAKE_LONGEST else ()) for page in RUN]
)
def test_a_page_s_code_runs(page):
    for name in NEEDED.get(page.stem, ()):
        pytest.importorskip(name)
    _, printed = run(page)
    assert printed
    assert not re.search(r"(?:^|\s)False$", printed, re.MULTILINE)  # what a page claims, it prints as True


@pytest.mark.smoke
def test_the_pages_are_there():
    assert {page.stem for page in RUN} >= {"custom-vjp", "kernels", "numpy-backprop", "large-vocabularies", "notebook"}
    assert len(RUN) >= 10


@SLOW
def test_the_losses_of_large_vocabularies_keep_what_the_page_says():
    names, _ = run(LARGE)
    assert names["memory"](names["lean"]) < names["memory"](names["dense"]) / 30


@SLOW
def test_each_exercise_is_wrong_as_it_stands_and_its_answer_right(capsys):
    exercises = NOTEBOOK.read_text(encoding="utf-8").split("## Exercises")[1]
    names = dict(run(NOTEBOOK)[0])
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
