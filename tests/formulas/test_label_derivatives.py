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


@pytest.mark.parametrize("unweighted", [0.0, np.nan])
@pytest.mark.parametrize("label", [1, jnp.array([0.0, 1.0, 0.0])], ids=["index", "distribution"])
def test_without_weight_no_probability_changes_anything(unweighted, label):
    """In forward mode; backwards, JAX's own rule of the logarithm divides 0 by it."""
    g = jnp.array([unweighted, 0.25, 0.75])
    losses = quick_jit(jax.jacfwd(mg.logloss))(g, label)
    np.testing.assert_array_equal(losses, [0, -4, 0])
    gradients = quick_jit(jax.jacfwd(mg.logloss_grad))(g, label)
    np.testing.assert_array_equal(gradients, np.diag([0, 16, 0]))


def test_how_labels_and_probabilities_change_together_is_known_at_a_label_of_zero():
    g, y = jnp.array([0.5, 0.25, 0.25]), jnp.array([0.0, 1.0, 0.0])
    for both in (jax.jacfwd(jax.grad(mg.logloss), 1), jax.jacrev(jax.jacfwd(mg.logloss), 1)):
        np.testing.assert_array_equal(quick_jit(both)(g, y), np.diag([-2, -4, -4]))


def test_an_infinite_weight_costs_nothing_where_only_another_changes():
    s, y = jnp.array([-2.0, 0.5, 1.0]), jnp.array([0.0, np.inf, 1.0])
    rate = quick_jit(jax.jacfwd(mg.softmax_cross_entropy, 1))(s, y)
    np.testing.assert_allclose(rate, -jax.nn.log_softmax(s), rtol=1e-6)
