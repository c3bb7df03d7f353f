"""Mistakes of one line in backward passes: the line is named, and what is suggested makes the gradient right."""

import functools
import importlib

import pytest

from manual_grads.checking import GradientMismatch, check_gradient
from tests.checking.repair.mistakes import MISTAKES, NOT_FIRST, every, mended, planted

# Of several kinds: a weight, a look-up, a number.
DAILY = {
    ("cross-entropy", 2),
    ("embedding look-up", 0),
    ("cumulative sum", 0),
}
MIN_SHARE_FIRST, MIN_SHARE_AMONG = 0.80, 0.92


def quickly(forward, manual, args, by, **options):
    return check_gradient(forward, manual, args, by, thorough=False, dtypes=["float64"], **options)


@functools.cache
def rejection(module, name, number):
    mistake = planted(module, name, number)
    with pytest.raises(GradientMismatch) as caught:
        quickly(*mistake.entry)
    return mistake, caught.value


OF_CORPUS = pytest.mark.parametrize(
    ("module", "name", "number"),
    [
        pytest.param(*each, marks=() if each[1:] in DAILY else pytest.mark.slow, id=f"{each[1]} {each[2]}")
        for each in every()
    ],
)


@pytest.mark.smoke
def test_the_corpus_is_as_large_as_promised_and_as_many_lines_are_named():
    count = len(every())
    assert count >= 60
    assert sum(len(passes) for passes in MISTAKES.values()) >= 15
    assert NOT_FIRST.keys() <= {each[1:] for each in every()}
    among = sum(outcome == "among" for outcome in NOT_FIRST.values())
    assert count - len(NOT_FIRST) >= MIN_SHARE_FIRST * count
    assert count - len(NOT_FIRST) + among >= MIN_SHARE_AMONG * count


@OF_CORPUS
def test_the_line_is_named(module, name, number):
    mistake, error = rejection(module, name, number)
    lines = [repair.line for repair in error.repairs]
    assert {repair.file for repair in error.repairs} <= {mistake.file}
    outcome = "first" if lines[:1] == [mistake.line] else "among" if mistake.line in lines else "none"
    assert outcome == NOT_FIRST.get((name, number), "first"), error.repairs


@OF_CORPUS
def test_what_is_suggested_mends_the_gradient(module, name, number):
    mistake, error = rejection(module, name, number)
    assert len(error.repairs) <= 3
    for repair in error.repairs:
        entry = mended(mistake, repair, name)
        if entry is not None:
            assert quickly(*entry, repair_seconds=0).passed, repair


@pytest.mark.slow
@pytest.mark.parametrize("module", MISTAKES)
def test_the_passes_are_right_without_a_mistake(module):
    passes = importlib.import_module(f"tests.checking.repair.passes.{module}").PASSES
    assert passes.keys() == MISTAKES[module].keys()
    for entry in passes.values():
        assert quickly(*entry).passed
