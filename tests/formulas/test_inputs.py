"""Bad input: the error names the argument, what it was, and what was expected. And the edges that are no errors."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads as mg

S = np.zeros((2, 3), np.float32)
Y = np.zeros(2, np.int32)
X, A, B = np.zeros((2, 5), np.float32), np.zeros((4, 5), np.float32), np.zeros((3, 4), np.float32)
INTEGERS = np.zeros((2, 3), np.int32)
LOGITS = np.array([[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]])

ONE_ARGUMENT = {
    "z": [mg.sigmoid, mg.sigmoid_grad, mg.sigmoid_jacobian],
    "logits": [mg.softmax, mg.log_softmax, mg.softmax_jacobian],
}
LABELLED = {
    "logits": [mg.softmax_cross_entropy, mg.softmax_cross_entropy_grad, mg.softmax_cross_entropy_hessian],
    "probs": [mg.logloss, mg.logloss_grad],
}
DIRECTED = {"tangent": mg.softmax_jvp, "cotangent": mg.softmax_vjp}
LABELLED_DIRECTED = {
    "tangent": (mg.softmax_cross_entropy_jvp, S),
    "cotangent": (mg.softmax_cross_entropy_vjp, np.zeros(2, np.float32)),
}
NETWORKS = [mg.two_layer_loss, mg.two_layer_grads, mg.two_layer_jacobians]


def with_hvp():
    yield mg.softmax_cross_entropy_hvp, S
    yield from LABELLED_DIRECTED.values()


def bad_calls():
    for name, functions in ONE_ARGUMENT.items():
        for f in functions:
            yield f, (INTEGERS,), TypeError, f"{name} has dtype int32, expected a floating one"
            yield f, (None,), TypeError, f"{name} is no array, expected one of floats"
            yield f, ([[1.0], [2.0, 3.0]],), TypeError, f"{name} is no array, expected one of floats"
            yield f, (np.zeros(3, bool),), TypeError, f"{name} has dtype bool, expected a floating one"
            yield f, (np.zeros(3, np.complex64),), TypeError, f"{name} has dtype complex64, expected a floating one"
    yield mg.sigmoid_jacobian, (np.float32(1),), ValueError, "z has shape (), expected at least one axis"
    for f in ONE_ARGUMENT["logits"]:
        yield f, (np.float32(1),), ValueError, "logits has shape (), expected at least one axis"
        yield f, (np.zeros((2, 0), np.float32),), ValueError, "logits has shape (2, 0), expected at least one class"
    for name, functions in LABELLED.items():
        for f in functions:
            yield f, (INTEGERS, Y), TypeError, f"{name} has dtype int32, expected a floating one"
            yield f, (np.float32(1), 0), ValueError, f"{name} has shape (), expected at least one axis"
            yield (
                f,
                (np.zeros((2, 0), np.float32), Y),
                ValueError,
                f"{name} has shape (2, 0), expected at least one class",
            )
            yield from bad_labels(lambda labels, f=f: (f, (S, labels)), f"{name}.shape")
    for name, f in DIRECTED.items():
        yield f, (INTEGERS, S), TypeError, "logits has dtype int32, expected a floating one"
        yield f, (np.zeros((2, 0), np.float32), S), ValueError, "logits has shape (2, 0), expected at least one class"
        yield f, (S, INTEGERS), TypeError, f"{name} has dtype int32, expected a floating one"
        yield f, (S, S[0]), ValueError, f"{name} has shape (3,), expected logits.shape = (2, 3)"
        yield f, (S, S.T), ValueError, f"{name} has shape (3, 2), expected logits.shape = (2, 3)"
    for f, direction in with_hvp():
        yield f, (INTEGERS, Y, direction), TypeError, "logits has dtype int32, expected a floating one"
        yield from bad_labels(lambda labels, f=f, d=direction: (f, (S, labels, d)), "logits.shape")
    for f in (mg.softmax_cross_entropy_jvp, mg.softmax_cross_entropy_hvp):
        yield f, (S, Y, INTEGERS), TypeError, "tangent has dtype int32, expected a floating one"
        yield f, (S, Y, S[:, :2]), ValueError, "tangent has shape (2, 2), expected logits.shape = (2, 3)"
    yield mg.softmax_cross_entropy_vjp, (S, Y, Y), TypeError, "cotangent has dtype int32, expected a floating one"
    yield (
        mg.softmax_cross_entropy_vjp,
        (S, Y, S),
        ValueError,
        "cotangent has shape (2, 3), expected logits.shape[:-1] = (2,)",
    )
    for f in NETWORKS:
        yield from bad_networks(f)
    yield from bad_networks(lambda x, A, B, labels: mg.two_layer_vjp(x, A, B, labels, np.ones(2, np.float32)))
    yield mg.two_layer_vjp, (X, A, B, Y, Y), TypeError, "cotangent has dtype int32, expected a floating one"
    yield mg.two_layer_vjp, (X, A, B, Y, S), ValueError, "cotangent has shape (2, 3), expected x.shape[:-1] = (2,)"


def bad_labels(call, shape):
    for labels, error, text in (
        (np.array([0, 3]), ValueError, "labels holds 3, expected class indices from 0 to 2"),
        (np.array([-1, 0]), ValueError, "labels holds -1, expected class indices from 0 to 2"),
        (np.array([0, 2**32 + 1]), ValueError, "labels holds 4294967297, expected class indices from 0 to 2"),
        (jnp.array([0, 200], jnp.uint8), ValueError, "labels holds 200, expected class indices from 0 to 2"),
        (np.array([True, False]), TypeError, "labels has dtype bool, expected integers (class indices) or floats"),
        (
            np.array([0, 1, 2]),
            ValueError,
            f"labels has dtype int64 and shape (3,), expected class indices of shape {shape}",
        ),
        (np.array([0, 2**63], np.uint64), ValueError, "labels holds 9223372036854775808, expected class indices"),
        (0, ValueError, f"labels has dtype int64 and shape (), expected class indices of shape {shape}[:-1] = (2,)"),
        (S[0], ValueError, f"labels has shape (3,), expected {shape} = (2, 3)"),
    ):
        yield *call(labels), error, text


def bad_networks(f):
    yield f, (X.astype(int), A, B, Y), TypeError, "x has dtype int"
    yield f, (X, A.astype(int), B, Y), TypeError, "A has dtype int"
    yield f, (X, A, B.astype(int), Y), TypeError, "B has dtype int"
    yield f, (np.float32(1), A, B, Y), ValueError, "x has shape (), expected at least one axis"
    yield f, (X, A[0], B, Y), ValueError, "A has shape (5,), expected 2 axes"
    yield f, (X, A, B[0], Y), ValueError, "B has shape (4,), expected 2 axes"
    yield f, (X, A.T, B, Y), ValueError, "A has shape (5, 4), expected (hidden, inputs) with inputs = x.shape[-1] = 5"
    yield f, (X, A, B.T, Y), ValueError, "B has shape (4, 3), expected (classes, hidden) with hidden = A.shape[0] = 4"
    yield f, (X, A, B[:0], Y), ValueError, "B has shape (0, 4), expected at least one class"
    yield f, (X, A, B, np.array([0, 3])), ValueError, "labels holds 3, expected class indices from 0 to 2"
    yield f, (X, A, B, Y[:1]), ValueError, "labels has dtype int32 and shape (1,), expected class indices of shape"
    yield f, (X, A, B, S.T), ValueError, "labels has shape (3, 2), expected v.shape = (2, 3)"


@pytest.mark.parametrize(("function", "args", "error", "text"), list(bad_calls()))
def test_bad_input_is_refused_by_name(function, args, error, text):
    with pytest.raises(error, match=re.escape(text)):
        function(*args)


def test_a_label_known_inside_jit_is_refused_too():
    with pytest.raises(ValueError, match="labels holds 3"):
        jax.jit(lambda logits: mg.softmax_cross_entropy(logits, 3))(S[0])


TRACED = {
    "softmax_cross_entropy": lambda label: mg.softmax_cross_entropy(S[0], label),
    "softmax_cross_entropy_grad": lambda label: mg.softmax_cross_entropy_grad(S[0], label),
    "softmax_cross_entropy_jvp": lambda label: mg.softmax_cross_entropy_jvp(S[0], label, S[0]),
    "softmax_cross_entropy_vjp": lambda label: mg.softmax_cross_entropy_vjp(S[0], label, np.float32(1)),
    "softmax_cross_entropy_hessian": lambda label: mg.softmax_cross_entropy_hessian(S[0], label),
    "softmax_cross_entropy_hvp": lambda label: mg.softmax_cross_entropy_hvp(S[0], label, S[0]),
    "logloss": lambda label: mg.logloss(S[0] + 0.5, label),
    "logloss_grad": lambda label: mg.logloss_grad(S[0] + 0.5, label),
    "two_layer_loss": lambda label: mg.two_layer_loss(X[0], A, B, label),
    "two_layer_grads": lambda label: mg.two_layer_grads(X[0] + 1, A, B + 1, label),
    "two_layer_vjp": lambda label: mg.two_layer_vjp(X[0] + 1, A, B + 1, label, np.float32(1)),
    "two_layer_jacobians": lambda label: mg.two_layer_jacobians(X[0], A, B, label)[0],
}


@pytest.mark.parametrize("dtype", [jnp.int8, jnp.uint8, jnp.int32])
@pytest.mark.parametrize("name", TRACED)
def test_a_traced_label_outside_the_classes_gives_nan_and_only_there(name, dtype):
    labels = jnp.array([3, 0, -1, 2], jnp.int32).astype(dtype)
    for batched in (jax.jit(jax.vmap(TRACED[name])), jax.vmap(TRACED[name])):
        for leaf in jax.tree.leaves(batched(labels)):
            nan = np.isnan(np.asarray(leaf)).reshape(4, -1)
            np.testing.assert_array_equal(nan.all(1), [True, False, True, False])
            np.testing.assert_array_equal(nan.any(1), [True, False, True, False])


@pytest.mark.parametrize(
    "labels",
    [1, [0, 1], (0, 1), np.array([0, 1]), np.int64(1)]
    + [np.array([0, 1], dtype) for dtype in (np.int8, np.uint16, np.uint32, np.uint64)]
    + [jnp.array([0, 1], dtype) for dtype in (jnp.int8, jnp.uint8, jnp.uint16, jnp.uint32, jnp.int32)],
    ids=lambda labels: f"{type(labels).__name__} {getattr(labels, 'dtype', '')}",
)
def test_labels_of_any_integer_kind(labels):
    logits = LOGITS[0] if np.ndim(labels) == 0 else LOGITS
    want = mg.softmax_cross_entropy_grad(logits, np.eye(3, dtype=np.float32)[np.asarray(labels)])
    np.testing.assert_array_equal(mg.softmax_cross_entropy_grad(logits, labels), want)


def test_labels_as_a_list_of_traced_numbers():
    loss: Any = mg.softmax_cross_entropy  # lists are taken, but not promised by its type
    got = jax.jit(lambda a, b: loss(LOGITS, [a, b]))(0, 1)
    np.testing.assert_array_equal(got, loss(LOGITS, [0, 1]))


def test_more_classes_than_the_label_s_dtype_can_count():
    logits = jnp.zeros(1000).at[200].set(3.0)
    np.testing.assert_array_equal(
        mg.softmax_cross_entropy(logits, jnp.uint8(200)), mg.softmax_cross_entropy(logits, 200)
    )


@pytest.mark.parametrize("call", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_masked_classes(call):
    logits = jnp.array([1.0, -jnp.inf, 2.0])
    two = jnp.array([1.0, 2.0])
    np.testing.assert_allclose(call(mg.softmax)(logits)[jnp.array([0, 2])], mg.softmax(two), rtol=1e-7)
    assert call(mg.softmax)(logits)[1] == 0
    np.testing.assert_allclose(call(mg.softmax_cross_entropy)(logits, 0), mg.softmax_cross_entropy(two, 0), rtol=1e-7)
    gradient = call(mg.softmax_cross_entropy_grad)(logits, 0)
    np.testing.assert_allclose(gradient[jnp.array([0, 2])], mg.softmax_cross_entropy_grad(two, 0), rtol=1e-7)
    assert gradient[1] == 0
    soft = jnp.array([0.4, 0.0, 0.6])
    np.testing.assert_allclose(
        call(mg.softmax_cross_entropy)(logits, soft), mg.softmax_cross_entropy(two, soft[jnp.array([0, 2])]), rtol=1e-6
    )
    assert call(mg.softmax_cross_entropy)(logits, 1) == jnp.inf


@pytest.mark.parametrize("logits", [[-np.inf, -np.inf], [np.nan, 0.0], [np.inf, 0.0]], ids=str)
def test_nothing_sensible_can_be_said(logits):
    logits = jnp.float32(logits)
    for f in (mg.softmax, mg.log_softmax, mg.softmax_jacobian):
        assert np.isnan(np.asarray(f(logits))).any()
    for label in (0, 1):
        assert np.isnan(mg.softmax_cross_entropy(logits, label))
        assert np.isnan(mg.softmax_cross_entropy_grad(logits, label)).all()


@pytest.mark.parametrize("call", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_one_class(call):
    logits = jnp.array([3.0])
    np.testing.assert_array_equal(call(mg.softmax)(logits), [1])
    assert call(mg.softmax_cross_entropy)(logits, 0) == 0
    np.testing.assert_array_equal(call(mg.softmax_cross_entropy_grad)(logits, 0), [0])
    np.testing.assert_array_equal(call(mg.softmax_jacobian)(logits), [[0]])


def test_no_examples():
    none = np.zeros((0, 3), np.float32)
    labels = np.zeros(0, int)
    assert mg.softmax(none).shape == (0, 3)
    assert mg.softmax_jacobian(none).shape == (0, 3, 3)
    assert mg.softmax_cross_entropy(none, labels).shape == (0,)
    assert mg.softmax_cross_entropy_grad(none, labels).shape == (0, 3)
    dx, dA, dB = mg.two_layer_grads(X[:0], A, B, labels)
    assert dx.shape == (0, 5)
    np.testing.assert_array_equal(dA, np.zeros((4, 5)))
    np.testing.assert_array_equal(dB, np.zeros((3, 4)))


def test_no_weight_costs_nothing_even_at_probability_zero():
    probs = jnp.array([0.0, 1.0])
    assert mg.logloss(probs, 1) == 0
    np.testing.assert_array_equal(mg.logloss_grad(probs, 1), [0, -1])
    assert mg.logloss(probs, 0) == jnp.inf


def test_sequences_and_scalars_are_converted():
    softmax: Any = mg.softmax
    np.testing.assert_array_equal(softmax([0.0, 0.0]), [0.5, 0.5])
    assert mg.sigmoid(0.0) == 0.5
