"""The rules of JAX and optax are right, and each is rejected with a mistake in it."""

import pytest

from manual_grads.checking import GradientMismatch, check_rule
from tests.checking.public_rules.functions import ON_PURPOSE, RULES
from tests.checking.public_rules.planted import MISTAKES, PLANTED, with_mistake

SMOKE = {"relu", "logaddexp"}


def a_part_of(names):
    return [pytest.param(name, marks=pytest.mark.smoke if name in SMOKE else pytest.mark.slow) for name in names]


def test_the_corpus_is_as_large_as_promised():
    assert len(RULES) >= 42  # at the oldest JAX
    assert len(PLANTED) >= 25
    assert {mistake for pair in PLANTED.values() for mistake in pair} == MISTAKES.keys()


@pytest.mark.parametrize("name", a_part_of(RULES))
def test_a_public_rule_is_right(name):
    public = RULES[name]
    report = check_rule(public.f, public.args, thorough=False, **public.options)
    assert report.passed
    assert report.judged > 0.85
    assert report.skipped < 0.2 * report.points


@pytest.mark.parametrize("name", a_part_of(PLANTED))
@pytest.mark.parametrize("which", [0, 1])
def test_with_a_mistake_it_is_rejected(name, which):
    public = with_mistake(name, PLANTED[name][which])
    with pytest.raises(GradientMismatch):
        check_rule(public.f, public.args, thorough=False, **public.options)


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_PURPOSE)
def test_what_means_something_else_on_purpose_is_rejected(name):
    with pytest.raises(GradientMismatch):
        check_rule(ON_PURPOSE[name].f, ON_PURPOSE[name].args, thorough=False)
