"""The table of docs/edge-contract.md has a row for each test, and each row has its test."""

import re
from pathlib import Path

import pytest

from tests.edge_contract import test_labels, test_logits, test_network, test_where
from tests.formulas import test_inputs

DOCS = Path(__file__).parents[2] / "docs" / "edge-contract.md"


@pytest.mark.smoke
def test_every_row_has_its_test_and_every_test_its_row():
    table, *others = re.findall(r"(?:^\|.*\n)+", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert not others  # an empty line would end it, and what follows be no row
    rows = re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)
    tests = [
        name.removeprefix("test_")
        for module in (test_logits, test_labels, test_network, test_where, test_inputs)
        for name, value in vars(module).items()
        if name.startswith("test_") and callable(value)
    ]
    assert sorted(rows) == sorted(tests)
    assert len(set(rows)) == len(rows)
