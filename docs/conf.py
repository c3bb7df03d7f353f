"""The site: `python -m sphinx -W docs docs/_build`. What is told of the code is made from it, before the build."""

import os
import shutil
import sys
import tomllib
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))
os.environ.setdefault("PYTHONPATH", str(DOCS.parent))  # of the notebooks' kernels
os.environ.setdefault("JAX_PLATFORMS", "cpu")

from docs.pages import accuracy, bounds, copies, document, reference  # noqa: E402 - found by the path above

PROJECT = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project, author, release = "manual_grads", PROJECT["authors"][0]["name"], PROJECT["version"]
copyright = f"{author}. Apache 2.0"
extensions = ["myst_nb", "sphinx_design", "sphinx.ext.viewcode", "sphinx-mathjax-offline"]
exclude_patterns = ["_build", ".jupyter_cache", "jupyter_execute", "pages", "results", "*.ipynb"]

myst_enable_extensions = ["amsmath", "attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
# Each code cell is run when the site is built: what a page shows is what is printed today. One that raises is an error.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_merge_streams = True
# The same words twice on a page are no mistake where they are two lines of the document.
suppress_warnings = ["myst.header"]

html_theme = "furo"
html_title = f"manual_grads {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False


def generate(app: object) -> None:
    """Makes the pages that are made from the code."""
    folder = DOCS / "generated"
    shutil.rmtree(folder, ignore_errors=True)  # of what isn't made any more
    document.write(folder / "document")
    reference.write(folder / "reference")
    accuracy.write(folder)
    bounds.write(folder)
    copies.write(folder)


def relink(app: object, page: str, text: list[str]) -> None:
    """Links of a page to what isn't on the site are told, not linked."""
    file = DOCS / f"{page}.md"
    if file.exists() and "generated" not in page:
        text[0] = copies.relinked(text[0], file, file)


def setup(app: object) -> None:
    """What is done before pages are looked for, and to each."""
    app.connect("builder-inited", generate)  # pyright: ignore[reportAttributeAccessIssue]
    app.connect("source-read", relink)  # pyright: ignore[reportAttributeAccessIssue]
