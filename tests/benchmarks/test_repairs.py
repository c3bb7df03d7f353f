"""The table of repairs: a mistake whose line is named, and how the others are counted."""

import pytest

from benchmarks import repairs


def test_a_mistake_whose_line_is_named():
    place, wrong, seconds = repairs.outcome("losses", "Kullback–Leibler", 2)
    assert (place, wrong) == ("first", 0)
    assert seconds > 0


@pytest.mark.smoke
def test_the_table_counts_outcomes_apart():
    page = repairs.table([("losses", "first", 0, 1.0), ("losses", "none", 0, 3.0), ("unseen", "among", 1, 2.0)])
    assert "| 2 of the corpus | 1 (50%) | 1 (50%) | 1 | 0 | 0 | 2 | 3 |" in page
    assert "| 1 written after the search | 0 (0%) | 1 (100%) | 0 | 0 | 1 | 2 | 2 |" in page
