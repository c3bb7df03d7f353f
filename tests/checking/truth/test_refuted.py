"""Whether the forward's own rules are refuted: by the same function without them, and by a slope that decides."""

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking.truth.own_rules import rules_in
from manual_grads.checking.truth.refuted import ROUGH, refuted_rule, to_blame
from tests.checking.records import claim_of, oracles_of

RIGHT = np.arange(1.0, 7.0).reshape(3, 2)
AT = 1, 0  # where a rule is wrong


def wrong_by(part):
    """The numbers, one of them off by a part of the largest at its point."""
    off = np.zeros(RIGHT.shape)
    off[AT] = part * RIGHT[1].max()
    return RIGHT + off


def refuted(rule=RIGHT, value_by_rule=RIGHT, slope: Any = None, kink=False, smooth=True, inside=True):
    """What is said of a derivative by rules, beside `RIGHT` without them, at three points of two entries."""
    found: Any = SimpleNamespace(
        inside=np.full(3, inside),
        value=[RIGHT],
        value_by_rules=[value_by_rule],
        autodiff=[rule[:, None]],
        without_rules=[RIGHT],
        kinks=[SimpleNamespace(at=np.full(RIGHT.shape, kink))],
        smooth=np.full(3, smooth),
    )
    confirming = None if slope is None else lambda step, x: slope[np.searchsorted(RIGHT[:, 0], np.asarray(x)[:, 0])]
    return refuted_rule(oracles_of(None, confirming=confirming), [RIGHT], found)


@pytest.mark.smoke
def test_what_agrees_is_not_refuted():
    assert refuted() is None


@pytest.mark.parametrize(("part", "is_refuted"), [(0.5 * ROUGH, False), (2 * ROUGH, True)])
def test_a_rule_that_is_as_good_as_a_solver_is_not_refuted(part, is_refuted):
    assert ROUGH == 1e-4  # a tolerance that solvers have by default is 1e-5
    wrongs: dict[str, Any] = {"derivative": {"rule": wrong_by(part)}, "value": {"value_by_rule": wrong_by(part)}}
    for what, wrong in wrongs.items():
        found = refuted(**wrong)
        assert bool(found) == is_refuted
        if found:
            assert found == (what, 1, wrong_by(part)[AT], RIGHT[AT])


def test_the_value_comes_before_the_derivative():
    found = refuted(rule=wrong_by(0.5), value_by_rule=wrong_by(0.01))
    assert found is not None
    assert found.what == "value"


@pytest.mark.parametrize("where", [{"kink": True}, {"smooth": False}], ids=str)
def test_where_a_rule_may_choose_it_is_not_refuted(where):
    assert refuted(rule=wrong_by(0.5)) is not None
    assert refuted(rule=wrong_by(0.5), **where) is None


def test_where_the_forward_is_not_finite_nothing_is_asked_of_its_value():
    assert refuted(value_by_rule=wrong_by(0.5)) is not None
    assert refuted(value_by_rule=wrong_by(0.5), inside=False) is None


def test_the_slope_decides_which_of_them_is_wrong():
    wrong = wrong_by(0.5)
    assert refuted(rule=wrong, slope=RIGHT) is not None
    assert refuted(rule=wrong, slope=wrong) is None  # the body is bad at being differentiated
    assert refuted(rule=wrong, slope=wrong_by(-0.5)) is None  # neither is right


def test_the_rule_that_is_wrong_is_named():
    @jax.custom_jvp
    def right(x):
        return jnp.sin(x)

    @jax.custom_jvp
    def wrong(x):
        return jnp.cos(x)

    right.defjvp(lambda p, t: (right(*p), jnp.cos(*p) * t[0]))
    wrong.defjvp(lambda p, t: (wrong(*p), 1.1 * -jnp.sin(*p) * t[0]))
    claim = claim_of(None)._replace(forward=lambda x: (right(x) * wrong(x)).sum(), by=jax.grad)
    point = [np.array([0.3, -1.2])]
    with jax.enable_x64(True):
        names = rules_in(jax.make_jaxpr(claim.forward)(*point).jaxpr)
    assert len(names) == 2
    assert to_blame(claim, names, point) == [name for name in names if "wrong" in name]
