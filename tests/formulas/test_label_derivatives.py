"""What takes a distribution of labels may be differentiated with respect to it, also at the zeros of a one-hot one."""

from inspect import signature

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads as mg
from manual_grads.rules import RULES, Sizes
from tests.quick import quick_jit

SOFT = [name for name, rule in RULES.items() if True in rule.label_kinds]


@pytest.mark.smoke
@pytest.mark.parametrize("name", SOFT)
def test_by_labels_every_rule_changes_as_autodiff_of_its_forward_does(name):
    rule = RULES[name]
    args = list(rule.example(jax.random.key(0), jnp.dtype("float32"), Sizes(soft_labels=True)))
    at = list(signature(rule.manual).parameters).index("labels")
    args[at] = jnp.array([0.0, 1.0, 0.0])
    derivatives = (jax.jacobian(f, argnums=at) for f in (rule.manual, rule.by(rule.forward)))
    got, want = quick_jit(lambda *args: [f(*args) for f in derivatives])(*args)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-6), got, want)  # some 16 roundings


def test_where_a_probability_is_0_a_label_costs_infinity():
    g, y = jnp.array([0.0, 0.25, 0.75]), jnp.array([0.0, 1.0, 0.0])
    # Each is one function's rounding and another's.
    np.testing.assert_allclose(quick_jit(jax.grad(mg.logloss, 1))(g, y), [np.inf, np.log(4), -np.log(0.75)], rtol=1e-6)
    rates = quick_jit(jax.jacobian(mg.logloss_grad, 1))(g, y)
    np.testing.assert_allclose(rates, np.diag([-np.inf, -4, -4 / 3]), rtol=1e-6)
    np.testing.assert_array_equal(mg.logloss_grad(g, y), [0, -4, 0])
    np.testing.assert_array_equal(mg.logloss_grad(g, 1 - y), [-np.inf, 0, np.float32(-1 / 0.75)])
