"""Every rule: {eager, jit} × {every call} × {every dtype} × {both kinds of labels} × {three oracles}."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads as mg
from manual_grads.accuracy.peers import PEERS
from manual_grads.checking.claims import DTYPES, assert_claim, assert_close, calls, evaluate, reference
from manual_grads.rules import RULES, Sizes, derivative_of, hvp, jvp, link_jacobians, vjp
from tests.registry import RULES_AND_LABELS

WAYS = [
    # Eager results are those of the same jitted functions, one after the other: one dtype shows it.
    pytest.param(
        *(jit, dtype),
        id=f"{'jit' if jit else 'eager'}-{dtype}",
        marks=() if jit or dtype == "float32" else pytest.mark.everything,
    )
    for jit in (False, True)
    for dtype in DTYPES
]


@pytest.mark.parametrize(("jit", "dtype"), WAYS)
@pytest.mark.parametrize(("rule", "soft_labels"), RULES_AND_LABELS)
def test_claim_holds_for_every_call_and_oracle(rule, soft_labels, jit, dtype):
    assert_claim(rule, dtype, soft_labels, jit)


@pytest.mark.parametrize(("rule", "soft_labels"), RULES_AND_LABELS)
def test_claim_holds_for_the_forward_of_jax_and_optax(rule, soft_labels):
    assert_equals_by(rule, PEERS[rule.forward], soft_labels)


@pytest.mark.parametrize(("rule", "soft_labels"), RULES_AND_LABELS)
def test_claim_holds_for_the_exported_forward_too(rule, soft_labels):
    """The accurate forms of the forward functions can be differentiated by JAX as well as the plain ones."""
    links = isinstance(rule.forward, tuple)
    forward = rule.forward if links else getattr(mg, rule.forward.__name__)
    assert_equals_by(rule, forward, soft_labels)


def assert_equals_by(rule, forward, soft_labels):
    with jax.enable_x64(True):
        some_calls = calls(rule, "float64", soft_labels, seed=1)
        gots = evaluate(rule, some_calls, jit=True)
    for got, want in zip(gots, reference(rule._replace(forward=forward), "reverse", some_calls), strict=True):
        assert_close(got, want, "float64")


@pytest.mark.parametrize(("rule", "soft_labels"), RULES_AND_LABELS)
def test_nothing_depends_on_rank_promotion(rule, soft_labels):
    with jax.numpy_rank_promotion("raise"):
        evaluate(rule, calls(rule, "float32", soft_labels), jit=True)


@pytest.mark.parametrize(("rule", "soft_labels"), RULES_AND_LABELS)
def test_is_traced_once_for_a_shape(rule, soft_labels):
    chex.clear_trace_counter()
    manual = jax.jit(chex.assert_max_traces(rule.manual, n=1))
    for seed in range(3):
        manual(*rule.example(jax.random.key(seed), jnp.dtype("float32"), Sizes(soft_labels=soft_labels)))


@pytest.mark.parametrize(("rule", "soft_labels"), RULES_AND_LABELS)
def test_results_have_the_input_dtype_under_x64_too(rule, soft_labels):
    with jax.enable_x64(True):
        for got in evaluate(rule, calls(rule, "float32", soft_labels), jit=True):
            chex.assert_trees_all_equal_dtypes(got, jax.tree.map(lambda g: g.astype(jnp.float32), got))


@pytest.mark.parametrize(("rule", "soft_labels"), RULES_AND_LABELS)
def test_numpy_arguments_are_as_good_as_jax_ones(rule, soft_labels):
    args = rule.example(jax.random.key(2), jnp.dtype("float32"), Sizes(soft_labels=soft_labels))
    chex.assert_trees_all_equal(rule.manual(*map(np.asarray, args)), rule.manual(*args))


def test_every_public_function_is_registered():
    assert set(mg.__all__) == set(RULES)
    for name, rule in RULES.items():
        assert rule.manual is getattr(mg, name)


def test_sizes_are_unequal():
    sizes = Sizes()
    assert len({sizes.inputs, sizes.hidden, sizes.classes}) == 3


def test_a_name_is_registered_once():
    def softmax_jacobian(logits):
        return logits

    register = derivative_of(mg.softmax, by=jax.jacobian, equation="19.1", example=RULES["softmax_jacobian"].example)
    with pytest.raises(ValueError, match="softmax_jacobian"):
        register(softmax_jacobian)


def cubic(x, y):
    return (x**3).sum() * jnp.exp(y)


X, Y, T, U = jnp.array([1.0, 2.0]), jnp.array(0.5), jnp.array([0.3, -0.7]), jnp.array(0.9)
GRADIENT = 3 * X**2 * jnp.exp(Y)


def test_vjp():
    chex.assert_trees_all_close(vjp(cubic)(X, Y, jnp.array(2.0)), 2 * GRADIENT)
    both = vjp(cubic, argnums=(0, 1))(X, Y, jnp.array(2.0))
    chex.assert_trees_all_close(both, (2 * GRADIENT, 2 * cubic(X, Y)))


def test_jvp():
    chex.assert_trees_all_close(jvp(cubic)(X, Y, T), GRADIENT @ T)
    chex.assert_trees_all_close(jvp(cubic, argnums=(0, 1))(X, Y, T, U), GRADIENT @ T + cubic(X, Y) * U)
    chex.assert_trees_all_close(jvp(cubic, argnums=1)(X, Y, U), cubic(X, Y) * U)


def test_hvp():
    chex.assert_trees_all_close(hvp(cubic)(X, Y, T), 6 * X * T * jnp.exp(Y))


def test_link_jacobians_are_those_of_each_link_where_the_chain_passes():
    links = (lambda x, y: x * y, lambda x, y: jnp.sin(x), lambda x, y: x.sum())
    outer, middle, inner = link_jacobians(links)(X, Y)
    chex.assert_trees_all_close((outer, middle, inner), (jnp.ones(2), jnp.diag(jnp.cos(X * Y)), Y * jnp.eye(2)))
