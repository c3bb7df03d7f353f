"""The kill list: every wrong gradient is rejected, with the right diagnosis, and no right one is.

Compiling them takes minutes: a few run in plain pytest, and the others with what is slow.
"""

import re
from functools import cache

import pytest

from manual_grads.checking import GradientMismatch, check_gradient
from tests.checking.corpus.right import RIGHT
from tests.checking.corpus.wrong import WRONG

# Wrong ones: by a tenth of a percent, at some points alone, in some calls or one format alone, in nothing but a leak.
# Right ones: of a formula that rounds, in a format that is narrower than it computes in, and at a kink.
DAILY = {
    "sigmoid: 0.1 %",
    "sigmoid: zero beyond 8",
    "sigmoid: infinity at zero",
    "sigmoid: twice when batched",
    "sigmoid: wrong in float32",
    "sigmoid: a leaked tracer",
    "sigmoid, σ(1 − σ)",
    "sigmoid, bfloat16, in float32",
    "a kink",
}
SMOKE = {"sigmoid: 0.1 %", "sigmoid, σ(1 − σ)"}
pytestmark = pytest.mark.usefixtures("shared_oracles")


def marks_of(name):
    if name in SMOKE:
        return [pytest.mark.smoke]
    return [] if name in DAILY else [pytest.mark.slow]


def a_part_of(names):
    """The names, all but a few marked."""
    return [pytest.param(name, marks=marks_of(name)) for name in names]


@cache
def rejection(name):
    (forward, args, by), manual, _ = WRONG[name]
    try:
        check_gradient(forward, manual, args, by)
    except GradientMismatch as error:
        return error
    return None


def test_the_corpus_is_as_large_as_promised():
    assert len(WRONG) >= 60
    assert len(RIGHT) >= 25
    assert DAILY <= WRONG.keys() | RIGHT.keys()


@pytest.mark.parametrize("name", a_part_of(WRONG))
def test_a_wrong_gradient_is_rejected(name):
    assert rejection(name) is not None


@pytest.mark.parametrize("name", a_part_of(WRONG))
def test_the_best_explanation_is_a_right_one(name):
    error = rejection(name)
    assert error is not None
    assert error.diagnosis[0].name in WRONG[name][2], [h.text for h in error.diagnosis]


@pytest.mark.parametrize("name", a_part_of(WRONG))
def test_the_text_of_a_rejection_is_legible(name):
    error = rejection(name)
    lines = [line for line in str(error).splitlines() if not line.strip().startswith("import ")]
    assert max(map(len, lines)) <= 100, max(lines, key=len)
    assert re.search(r"^failing check: ", str(error), re.M)
    assert re.search(r"^seed 0; to see it again:$", str(error), re.M)
    assert "diagnosis:\n  1. " in str(error)


@pytest.mark.parametrize("name", a_part_of(RIGHT))
def test_a_right_gradient_passes(name):
    forward, manual, args, by = RIGHT[name]
    report = check_gradient(forward, manual, args, by)
    assert report.passed
    assert report.skipped < report.points


@pytest.mark.slow
@pytest.mark.parametrize("seed", [14, 17, 38, 46, 56])
def test_where_a_matrix_is_singular_a_right_gradient_passes(seed):
    """Of all that are drawn at "ties", autodiff gives numbers where the manual gradient gives infinity and NaN."""
    forward, manual, args, by = RIGHT["linear solve"]
    assert check_gradient(forward, manual, args, by, dtypes=["float64"], seed=seed).passed


@pytest.mark.everything
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_gradient_passes_at_every_seed(name):
    forward, manual, args, by = RIGHT[name]
    for seed in range(60):
        assert check_gradient(forward, manual, args, by, seed=seed).passed
