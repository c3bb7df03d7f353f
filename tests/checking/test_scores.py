"""How often the first explanation of a wrong gradient is a right one: of the kill list, of products and at kinks."""

import pytest

from manual_grads.checking import GradientMismatch, check_gradient
from tests.checking.corpus.products import PLANTED
from tests.checking.corpus.wrong import WRONG
from tests.checking.situations.kinks import KINKS
from tests.checking.situations.rules import RULES

MIN_SHARE_RIGHT, MAX_SHARE_UNEXPLAINED = 0.75, 0.1
OF_KINKS = {"at a kink", "at a tie", "special value", "not finite"}
ONE_OF_EACH = ["tanh: cotangent ignored", "bias: the wrong axis", "look-up: set", "mask: one too many"]
pytestmark = pytest.mark.usefixtures("shared_oracles")


def first(forward, manual, args, options):
    """The name of the first explanation."""
    try:
        check_gradient(forward, manual, args, **options)
    except GradientMismatch as error:
        return error.diagnosis[0].name
    return "passed"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(ONE_OF_EACH[0], marks=pytest.mark.smoke),
        ONE_OF_EACH[1],
        *(pytest.param(name, marks=pytest.mark.slow) for name in ONE_OF_EACH[2:]),
    ],
)
def test_a_mistake_in_a_product_is_named(name):
    (forward, args, by), manual, names = PLANTED[name]
    assert first(forward, manual, args, {"by": by}) in names


def scored():
    """Every wrong gradient: its name, whether the first explanation is right, and what that is."""
    for name, ((forward, args, by), manual, names) in (WRONG | PLANTED).items():
        found = first(forward, manual, args, {"by": by})
        yield name, found in names, found
    for situations, names in ((KINKS, OF_KINKS), (RULES, {"wrong rule"})):
        for s in (s for s in situations if not s.right):
            found = first(s.forward, s.manual, s.args, s.options)
            yield s.name, found in names, found


@pytest.mark.slow
def test_the_right_cause_comes_first_and_little_is_unexplained():
    every = list(scored())
    assert all(found != "passed" for _, _, found in every), every
    wrong = [(name, found) for name, right, found in every if not right]
    assert len(every) - len(wrong) >= MIN_SHARE_RIGHT * len(every), wrong
    unexplained = [name for name, _, found in every if found == "unexplained"]
    assert len(unexplained) <= MAX_SHARE_UNEXPLAINED * len(every), unexplained
