"""The code cells of a page: what is run when the site is built, and by the tests."""

import re
from pathlib import Path

CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(?P<options>(?::[^\n]*\n)*)(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def cells(page: Path) -> list[str]:
    """The code of each cell, in order."""
    return [match["code"] for match in CELL.finditer(page.read_text(encoding="utf-8"))]
