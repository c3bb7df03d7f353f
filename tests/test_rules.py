"""Every rule: its claim, by the checker that anyone's gradient is checked with; and how its function behaves."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads as mg
from manual_grads.accuracy.peers import PEERS
from manual_grads.checking import check_gradient
from manual_grads.checking.verify import BATCH, verify_rule
from manual_grads.rules import RULES, Sizes, batched, derivative_of, hvp, jvp, link_jacobians, vjp
from tests.registry import RULES_AND_LABELS, with_labels

# By every oracle and transform, all rules are verified by the README's first command, and by the plain and others'
# forwards they are compared in `test_against_autodiff`: here, some are daily.
THOROUGHLY, BRIEFLY = ("softmax_vjp",), ("two_layer_loss",)
DAILY = ("softmax_jacobian", "softmax_cross_entropy_grad")


def daily(rules):
    """Rules with each kind of labels, of which some are tried daily."""
    return [
        pytest.param(*each.values, id=each.id, marks=(*each.marks, *([] if rule.name in DAILY else [pytest.mark.slow])))
        for rule in rules
        for each in with_labels([rule])
    ]


WITH_PEERS = daily(rule for rule in RULES.values() if rule.forward in PEERS)
WITH_EXPORTED_FORWARD = daily(
    rule for rule in RULES.values() if isinstance(rule.forward, tuple) or rule.forward.__name__ in RULES
)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in (*THOROUGHLY, *BRIEFLY) else pytest.mark.everything)
        for name in RULES
    ],
)
def test_claim_holds(name):
    verdict = verify_rule(RULES[name], thorough=name in THOROUGHLY)
    assert verdict.passed, "\n".join(verdict.failures)
    assert {row.dtype for row in verdict.rows} == {"float16", "bfloat16", "float32", "float64"}


def of_one_and_of_a_batch(rule, soft_labels, dtype="float32", seed=0):
    """The arguments of an example, and of a batch."""
    sizes = Sizes(soft_labels=soft_labels)
    return [rule.example(jax.random.key(seed), jnp.dtype(dtype), sizes._replace(batch=b)) for b in ((), BATCH)]


@pytest.mark.parametrize(("rule", "soft_labels"), WITH_PEERS)
def test_claim_holds_for_the_forward_of_jax_and_optax(rule, soft_labels):
    args, _ = of_one_and_of_a_batch(rule, soft_labels)
    check_gradient(PEERS[rule.forward], rule.manual, args, rule.by, dtypes=["float64"], thorough=False, seed=1)


@pytest.mark.parametrize(("rule", "soft_labels"), WITH_EXPORTED_FORWARD)
def test_claim_holds_for_the_exported_forward_too(rule, soft_labels):
    """The accurate forms of the forward functions can be differentiated by JAX as well as the plain ones."""
    args, _ = of_one_and_of_a_batch(rule, soft_labels)
    forward = rule.forward if isinstance(rule.forward, tuple) else getattr(mg, rule.forward.__name__)
    check_gradient(forward, rule.manual, args, rule.by, dtypes=["float64"], thorough=False, seed=1)


@pytest.mark.parametrize(("rule", "soft_labels"), RULES_AND_LABELS)
def test_nothing_depends_on_rank_promotion(rule, soft_labels):
    key, dtype = jax.random.key(0), jnp.dtype("float32")
    large = [rule.example(key, dtype, Sizes((50, 50), classes=n, soft_labels=soft_labels)) for n in (3, 100)]
    with jax.numpy_rank_promotion("raise"):
        for args in (*of_one_and_of_a_batch(rule, soft_labels), *large):
            jax.eval_shape(rule.manual, *args)


@pytest.mark.parametrize(("rule", "soft_labels"), RULES_AND_LABELS)
def test_is_traced_once_for_a_shape(rule, soft_labels):
    chex.clear_trace_counter()
    manual = jax.jit(chex.assert_max_traces(rule.manual, n=1))
    for seed in range(3):
        manual(*rule.example(jax.random.key(seed), jnp.dtype("float32"), Sizes(soft_labels=soft_labels)))


@pytest.mark.parametrize(("rule", "soft_labels"), RULES_AND_LABELS)
def test_results_have_the_input_dtype_under_x64_too(rule, soft_labels):
    with jax.enable_x64(True):
        for args in of_one_and_of_a_batch(rule, soft_labels):
            for got in jax.tree.leaves(jax.eval_shape(rule.manual, *args)):
                chex.assert_equal(got.dtype, jnp.float32)


@pytest.mark.parametrize(("rule", "soft_labels"), RULES_AND_LABELS)
def test_numpy_arguments_are_as_good_as_jax_ones(rule, soft_labels):
    args = rule.example(jax.random.key(2), jnp.dtype("float32"), Sizes(soft_labels=soft_labels))
    chex.assert_trees_all_equal(rule.manual(*map(np.asarray, args)), rule.manual(*args))


def test_every_public_function_is_registered():
    assert set(mg.__all__) == set(RULES), "what is registered is to be imported by manual_grads/__init__.py, in __all__"
    for name, rule in RULES.items():
        assert rule.manual is getattr(mg, name)


def test_sizes_are_unequal():
    sizes = Sizes()
    assert len({sizes.inputs, sizes.hidden, sizes.classes}) == 3
    assert BATCH[0] != BATCH[1]


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


@pytest.mark.smoke
def test_vjp():
    chex.assert_trees_all_close(vjp(cubic)(X, Y, jnp.array(2.0)), 2 * GRADIENT)
    both = vjp(cubic, argnums=(0, 1))(X, Y, jnp.array(2.0))
    chex.assert_trees_all_close(both, (2 * GRADIENT, 2 * cubic(X, Y)))


@pytest.mark.smoke
def test_jvp():
    chex.assert_trees_all_close(jvp(cubic)(X, Y, T), GRADIENT @ T)
    chex.assert_trees_all_close(jvp(cubic, argnums=(0, 1))(X, Y, T, U), GRADIENT @ T + cubic(X, Y) * U)
    chex.assert_trees_all_close(jvp(cubic, argnums=1)(X, Y, U), cubic(X, Y) * U)


@pytest.mark.smoke
def test_hvp():
    chex.assert_trees_all_close(hvp(cubic)(X, Y, T), 6 * X * T * jnp.exp(Y))


def test_batched_is_by_of_each_example_and_sums_what_is_to_be_summed():
    xs, ys = jnp.stack([X, T]), jnp.array([Y, U])
    by = batched(cubic, lambda f: jax.grad(f, (0, 1)), (1, 0), summed=(1,))
    dx, dy = by(xs, Y)
    chex.assert_trees_all_close(dx, jnp.stack([GRADIENT, 3 * T**2 * jnp.exp(Y)]))
    chex.assert_trees_all_close(dy, cubic(X, Y) + cubic(T, Y))
    chex.assert_trees_all_close(batched(cubic, lambda f: f, (2, 1))(xs[None], ys[1:])[0, 1], cubic(T, U))


def test_link_jacobians_are_those_of_each_link_where_the_chain_passes():
    links = (lambda x, y: x * y, lambda x, y: jnp.sin(x), lambda x, y: x.sum())
    outer, middle, inner = link_jacobians(links)(X, Y)
    chex.assert_trees_all_close((outer, middle, inner), (jnp.ones(2), jnp.diag(jnp.cos(X * Y)), Y * jnp.eye(2)))
