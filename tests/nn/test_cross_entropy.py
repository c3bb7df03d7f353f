"""`nn`'s cross-entropies in place of optax's: axes, masks, labels, and what is refused."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads import nn
from tests.nn.peers import PEERS, assert_same
from tests.quick import quick_jit

RANDOM = np.random.default_rng(0)
S = RANDOM.normal(0, 2, (2, 3, 4))
Y = RANDOM.uniform(-0.2, 1, (2, 3, 4))  # sums to anything
distribution, index = nn.softmax_cross_entropy, nn.softmax_cross_entropy_with_integer_labels
nan, inf = jnp.nan, jnp.inf


def labels_for(axis, s=S):
    """Class indices for each example."""
    axes = np.atleast_1d(axis) % s.ndim
    batch = [n for a, n in enumerate(s.shape) if a not in axes]
    return np.random.default_rng(1).integers(math.prod(s.shape[a] for a in axes), size=batch)


@pytest.mark.parametrize("axis", [pytest.param(0, marks=pytest.mark.slow), (2, 1)], ids=str)
def test_indices_along_any_axes(axis):
    assert_same(of_logits_alone(index, labels_for(axis)), S, axis=axis)


@pytest.mark.parametrize("axis", [pytest.param(-1, marks=pytest.mark.slow), (1, 0), None], ids=str)
def test_distributions_along_any_axes(axis):
    assert_same(distribution, S, Y, axis=axis)


@pytest.mark.smoke
@pytest.mark.parametrize("axis", [pytest.param(0, marks=pytest.mark.slow), (2, 1)], ids=str)
def test_masks_of_examples(axis):
    where = np.random.default_rng(2).random(labels_for(axis).shape) > 0.4
    assert_same(both_of_logits_alone(labels_for(axis), Y), S, axis=axis, where=where)


@pytest.mark.parametrize(("axis", "shape"), [((2, 0), (2, 3, 4)), pytest.param(0, (1, 3, 4), marks=pytest.mark.slow)])
def test_masks_of_logits(axis, shape):
    """Labels whose class is left out are among them, and examples of which nothing is left."""
    where = np.random.default_rng(3).random(shape) > 0.5
    assert_same(both_of_logits_alone(labels_for(axis), Y), S, axis=axis, where=where)


BY = pytest.mark.parametrize("by", [jax.grad, jax.jacfwd], ids=["reverse", "forward"])


@BY
@pytest.mark.parametrize("call", [pytest.param(lambda f: f, marks=pytest.mark.slow, id="eager"), quick_jit])
def test_what_is_masked_costs_nothing_whatever_it_holds(call, by):
    """The first example has two classes left, the second none."""
    s = jnp.array([[1.0, nan, 2.0, inf], [nan, inf, -inf, 3.0]])
    y, i = jnp.array([[0.25, nan, 0.5, inf], [nan] * 4]), jnp.array([2, -100])
    where = jnp.array([[True, False, True, False], [False] * 4])
    for function, of_left, labels in ((index, 1, i), (distribution, y[0, ::2], y)):
        loss = partial(function, labels=labels, where=where)
        derivatives = call(lambda s, loss=loss: (loss(s), by(lambda s: loss(s).sum())(s), jax.jvp(loss, (s,), (s,))[1]))
        value, gradient, rate = derivatives(s)  # along a direction that is NaN there, too
        value_of_left, want_of_left = quick_jit(jax.value_and_grad(function))(s[0, ::2], of_left)
        np.testing.assert_allclose(value, [value_of_left, 0], rtol=1e-6)
        want = np.zeros((2, 4))
        want[0, ::2] = want_of_left
        np.testing.assert_allclose(gradient, want, rtol=1e-6)
        np.testing.assert_allclose(rate, (want[:, ::2] * s[0, ::2]).sum(-1), rtol=1e-6)
    got = call(by(lambda y: distribution(s, y, where=where).sum()))(y)
    want[0, ::2] = -nn.log_softmax(s[0, ::2])
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_a_label_of_a_class_left_out_is_looked_at_as_in_optax():
    s, where = jnp.array([3.0, 1.0, 2.0]), jnp.array([True, False, True])
    value, gradient = quick_jit(jax.value_and_grad(lambda s: index(s, 1, where=where)))(s)
    np.testing.assert_allclose(value, np.log(np.exp(3) + np.exp(2)) - 1, rtol=1e-6)
    assert gradient[1] == -1


def test_labels_and_logits_broadcast():
    s = jnp.asarray(S, jnp.float32)
    indices = ((s, jnp.array([[1], [3]])), (s[:, :1], jnp.array([[1, 2, 0], [3, 0, 0]])))
    distributions = [(s, labels) for labels in (jnp.float32([0, 1, 0, 0]), jnp.float32(0.25), jnp.ones((5, 2, 3, 4)))]

    def all_of(index, distribution):
        return quick_jit(lambda: [index(*args) for args in indices] + [distribution(*args) for args in distributions])()

    for got, want in zip(all_of(index, distribution), all_of(PEERS[index], PEERS[distribution]), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5)  # optax's has some 20 ULP in float32


@pytest.mark.parametrize("labels", [np.eye(4)[:3].astype(int), np.eye(4)[:3] > 0], ids=["int", "bool"])
def test_one_hot_labels_need_not_be_floats(labels):
    s = jnp.asarray(S[0], jnp.float32)
    got = quick_jit(jax.grad(lambda s: distribution(s, labels).sum()))(s)
    np.testing.assert_allclose(got, quick_jit(jax.grad(lambda s: index(s, np.arange(3)).sum()))(s), rtol=1e-6)


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("logits", "labels"), [("bfloat16", "float32"), ("float16", "bfloat16"), ("bfloat16", "bfloat16")]
)
def test_dtypes_promote_as_in_optax(logits, labels):
    s, y = jnp.asarray(S, logits), jnp.asarray(Y, labels)
    dtype_of = jax.eval_shape(lambda s, y: (distribution(s, y), PEERS[distribution](s, y)), s, y)
    assert dtype_of[0].dtype == dtype_of[1].dtype
    assert jax.eval_shape(lambda s: index(s, labels_for(-1)), s).dtype == logits
    assert jax.eval_shape(jax.grad(lambda s: distribution(s, y).sum()), s).dtype == logits


def test_traced_labels_outside_the_classes_are_nan_and_only_theirs():
    def value_and_gradient(s, i):
        return index(s, i), jax.grad(lambda s: index(s, i).sum())(s)

    loss, gradient = quick_jit(value_and_gradient)(jnp.asarray(S[0], jnp.float32), jnp.array([-1, 4, 2]))
    np.testing.assert_array_equal(jnp.isnan(loss), [True, True, False])
    np.testing.assert_array_equal(jnp.isnan(gradient), [[True] * 4, [True] * 4, [False] * 4])
    hessian = quick_jit(jax.hessian(index))
    assert jnp.isnan(hessian(jnp.float32(S[0, 0]), 4)).all()


def test_an_included_label_of_logit_minus_infinity_costs_infinity():
    assert index(jnp.array([1.0, -inf, 2.0]), 1, where=jnp.array([True, True, False])) == inf


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: index(jnp.zeros((2, 3)), jnp.array([0, 3])), ValueError, "labels holds 3"),
        (
            lambda: index(jnp.zeros((2, 3)), np.array([0, 2**32]), where=np.array([True, True])),
            ValueError,
            "labels holds 4294967296",
        ),
        (lambda: index(jnp.zeros((2, 3)), jnp.array([0.0, 1.0])), TypeError, "labels has dtype float32, expected int"),
        (lambda: index(jnp.zeros((2, 3)), 0), ValueError, r"labels has .*shape \(\)"),
        (lambda: index(jnp.zeros((2, 3)), jnp.array([0, 1, 2])), ValueError, r"labels has shape \(3,\)"),
        (lambda: index(jnp.zeros((2, 3)), jnp.array([0, 1]), axis=None), ValueError, "axis is None"),  # type: ignore
        (lambda: index(jnp.zeros((2, 0)), jnp.array([0, 1])), ValueError, r"logits has shape \(2, 0\)"),
        (lambda: index(jnp.array([1, 2]), 1), TypeError, "logits has dtype int32"),
        (lambda: distribution(jnp.array([1, 2]), jnp.ones(2)), TypeError, "logits has dtype int32"),
        (lambda: distribution(jnp.zeros((2, 3)), jnp.ones((2, 2))), ValueError, r"labels has shape \(2, 2\)"),
        (lambda: distribution(jnp.zeros((2, 1)), jnp.ones((2, 3))), ValueError, "more classes"),
        (lambda: distribution(jnp.zeros(2), jnp.ones(2), axis=1), ValueError, "axis 1 is out of bounds"),
        (lambda: distribution(jnp.zeros(2), jnp.ones(2), where=jnp.ones(2)), ValueError, "where has dtype float32"),
    ],
)
def test_bad_input_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()


def of_logits_alone(function, labels):
    """The function of logits alone, with its peer: of masked labels, optax's derivatives are NaN."""

    def of_logits(s, **options):
        return function(s, labels, **options)

    PEERS[of_logits] = lambda s, **options: PEERS[function](s, jnp.asarray(labels), **options)
    return of_logits


def both_of_logits_alone(indices, distributions):
    """Unevenly weighted, so that neither can make up for the other."""
    parts = of_logits_alone(index, indices), of_logits_alone(distribution, distributions)

    def weighted(first, second):
        return lambda s, **options: first(s, **options) + 0.7 * second(s, **options)

    both = weighted(*parts)
    PEERS[both] = weighted(*(PEERS[part] for part in parts))
    return both


def test_a_label_that_32_bits_would_make_another_is_none_under_a_traced_mask_either():
    def loss(s, where):
        return nn.softmax_cross_entropy_with_integer_labels(s, np.array([2**32 + 1]), where=where)

    s = jnp.array([[1.0, 2.0, 3.0]])
    assert jnp.isnan(quick_jit(loss)(s, jnp.array([True]))).all()
    assert quick_jit(loss)(s, jnp.array([False])) == 0
    with pytest.raises(ValueError, match="labels holds 4294967297"):
        loss(s, jnp.array([True]))
