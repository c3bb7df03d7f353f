"""The verdict on every situation is the true one."""

import pytest

from tests.checking.situations import verdict
from tests.checking.situations.formats import FORMATS
from tests.checking.situations.forwards import FORWARDS
from tests.checking.situations.kinks import KINKS
from tests.checking.situations.rules import RULES
from tests.checking.situations.switches import SWITCHES

KINDS = {"formats": FORMATS, "forwards": FORWARDS, "kinks": KINKS, "rules": RULES, "switches": SWITCHES}
DAILY = {
    "kinks: softplus, 0 at 0, in float32 alone",
    "kinks: softplus, 0 at 0, quickly",
    "forwards: a while loop, under jax.grad",
    "formats: a forward for float32 alone",
    "formats: a gradient in NumPy, a factor missing",
    "formats: a vjp in a kernel",
    "formats: a callback in float32, quickly",
    "rules: a rule that ignores its cotangent",
    "rules: a rule that keeps it",
    "rules: a tail that is cut off at -12, quickly",
    "switches: hinge by margins",
    "switches: a smooth switch at 3.7, 0 there, quickly",
    "switches: a norm without a trap, inf at 0, quickly",
    "switches: v√v², 5 at 0",
    "formats: a mask that is true throughout, ignored",
    "kinks: relu, 0 at 0",
    "kinks: relu, -1 at 0",
    "kinks: the largest of a row, all of it to each",
    "kinks: a norm, ones at 0, quickly",
    "kinks: the larger of two, all to each",
    "kinks: absolute residuals, 1.5 at 0",
    "switches: hinge by signs, 10⁴ at the margin",
}
SMOKE = {"kinks: relu, 0 at 0"}


def marks_of(name):
    if name in SMOKE:
        return [pytest.mark.smoke]
    return [] if name in DAILY else [pytest.mark.slow]


SITUATIONS = {f"{kind}: {situation.name}": situation for kind, every in KINDS.items() for situation in every}


def test_each_has_a_name_of_its_own():
    assert len(SITUATIONS) == sum(map(len, KINDS.values()))
    assert SMOKE <= DAILY <= SITUATIONS.keys()


@pytest.mark.parametrize("name", [pytest.param(name, marks=marks_of(name)) for name in SITUATIONS])
def test_the_verdict_is_true(name):
    situation = SITUATIONS[name]
    assert (verdict(situation) == "passed") == situation.right, verdict(situation)
