"""Bad input: the error names the argument, what it was, and what was expected."""

import re

import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads as mg

S = np.zeros((2, 3), np.float32)
Y = np.zeros(2, np.int32)
X, A, B = np.zeros((2, 5), np.float32), np.zeros((4, 5), np.float32), np.zeros((3, 4), np.float32)
INTEGERS = np.zeros((2, 3), np.int32)

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
            yield f, ([10**30],), TypeError, f"{name} is no array, expected one of floats"
            yield f, (jnp.zeros(3, jnp.float8_e5m2),), TypeError, f"{name} has dtype float8_e5m2, expected a floating"
            yield f, (np.zeros(3, bool),), TypeError, f"{name} has dtype bool, expected a floating one"
            yield f, (np.zeros(3, np.complex64),), TypeError, f"{name} has dtype complex64, expected a floating one"
    yield mg.sigmoid_jacobian, (np.float32(1),), ValueError, "z has shape (), expected at least one axis"
    for f in ONE_ARGUMENT["logits"]:
        yield f, (np.float32(1),), ValueError, "logits has shape (), expected at least one axis"
    for name, functions in LABELLED.items():
        for f in functions:
            yield f, (INTEGERS, Y), TypeError, f"{name} has dtype int32, expected a floating one"
            yield f, (np.float32(1), 0), ValueError, f"{name} has shape (), expected at least one axis"
            yield from bad_labels(lambda labels, f=f: (f, (S, labels)), f"{name}.shape")
    for name, f in DIRECTED.items():
        yield f, (INTEGERS, S), TypeError, "logits has dtype int32, expected a floating one"
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
        ([[0], [1, 2]], TypeError, "labels is no array, expected one of integers or floats"),
        (None, TypeError, "labels has dtype object, expected integers (class indices) or floats (a distribution)"),
        (jnp.zeros((2, 3), jnp.float8_e5m2), TypeError, "labels has dtype float8_e5m2, expected a floating one"),
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
    yield f, (X, A, B, np.array([0, 3])), ValueError, "labels holds 3, expected class indices from 0 to 2"
    yield f, (X, A, B, Y[:1]), ValueError, "labels has dtype int32 and shape (1,), expected class indices of shape"
    yield f, (X, A, B, S.T), ValueError, "labels has shape (3, 2), expected v.shape = (2, 3)"


@pytest.mark.parametrize(("function", "args", "error", "text"), list(bad_calls()))
def test_bad_input_is_refused_by_name(function, args, error, text):
    with pytest.raises(error, match=re.escape(text)):
        function(*args)


def calls_without_classes():
    none, network = S[:, :0], (X, A, B[:0], Y)
    unlabelled = [(f, (none,)) for f in ONE_ARGUMENT["logits"]] + [(f, (none, none)) for f in DIRECTED.values()]
    labelled = [(f, (none, Y)) for f in LABELLED["logits"]] + [(f, (none, Y, direction)) for f, direction in with_hvp()]
    yield from (("logits", *call) for call in unlabelled + labelled)
    yield from (("probs", f, (none, Y)) for f in LABELLED["probs"])
    yield from (("B", f, network) for f in NETWORKS)
    yield "B", mg.two_layer_vjp, (*network, np.ones(2, np.float32))


@pytest.mark.parametrize(("name", "function", "args"), list(calls_without_classes()))
def test_no_classes(name, function, args):
    with pytest.raises(ValueError, match=rf"{name} has shape \((2, 0|0, 4)\), expected at least one class"):
        function(*args)


@pytest.mark.smoke
def test_sequences_and_scalars_are_converted():
    np.testing.assert_array_equal(mg.softmax([0.0, 0.0]), [0.5, 0.5])
    assert mg.sigmoid(0.0) == 0.5
    assert mg.softmax(np.zeros(2)).dtype == np.float32  # what JAX makes of NumPy's float64
