"""Rows of docs/edge-contract.md: class indices, weights of a distribution, and the probabilities of log-loss."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads as mg
from tests.edge_contract.functions import everything, logloss, logloss_of_label, loss

INF, NAN, LN2 = np.inf, np.nan, np.log(2)
T, C = [1.0, 4.0, 3.0], 2.0
MASKED = [0.0, -INF, 0.0]
J = np.array([[1, 0, -1], [0, 0, 0], [-1, 0, 1]]) / 4  # the Jacobian of its softmax
JT = np.array([-0.5, 0, 0.5])  # J·T
NAMES = ["loss", "grad", "loss_jvp", "loss_vjp", "hessian", "hvp"]
PROBS = np.array([[0.25, 0.25, 0.5], [0.5, 0.125, 0.375]])


def test_no_weight_on_a_masked_class(check):
    gradient = np.array([-0.5, 0, 0.5])
    wanted = {"loss": 2 * LN2, "grad": gradient, "loss_jvp": 1, "loss_vjp": C * gradient}
    check(loss, [MASKED], [[1.5, 0.0, 0.5]], [T], [C], **wanted, hessian=2 * J, hvp=2 * JT)


def test_weight_on_a_masked_class(check):
    check(
        loss,
        *([MASKED, MASKED, [-INF, -INF, 0.0]], [[0.5, 0.5, 1], [0.5, -0.5, 1], [0.5, -0.5, 1]], [T] * 3, [C] * 3),
        **{"loss": [INF, -INF, NAN], "grad": [[0.5, -0.5, 0], [0, 0.5, -0.5], [-0.5, 0.5, 0]]},
        **{"loss_jvp": [-1.5, 0.5, 1.5], "loss_vjp": [[1, -1, 0], [0, 1, -1], [-1, 1, 0]]},
        **{"hessian": [2 * J, J, 0 * J], "hvp": [2 * JT, JT, 0 * JT]},
    )


def test_no_weight_at_all(check):
    rows = [MASKED, [0.0, 1.0, 2.0], [NAN, 0.0, 0.0], [-INF] * 3]
    check(loss, rows[:2], [[0.0] * 3] * 2, [T] * 2, [C] * 2, **dict.fromkeys(NAMES, 0))
    check(loss, rows[2:], [[0.0] * 3] * 2, [T] * 2, [C] * 2, **dict.fromkeys(NAMES, NAN))


def test_negative_weights(check):
    wanted = {"loss": [0, -LN2], "grad": [[1, 0, -1], [0.5, 0, -0.5]], "loss_jvp": [-2, -1]}
    check(
        loss,
        *([MASKED] * 2, [[-1.0, 0, 1], [-1, 0, 0]], [T] * 2, [C] * 2),
        **wanted,
        **{"loss_vjp": [[2, 0, -2], [1, 0, -1]], "hessian": [0 * J, -J], "hvp": [0 * JT, -JT]},
    )


def test_nan_weight(check):
    check(logloss, [[0.5, 0.5, 0.0]], [[NAN, 1, 0]], loss=NAN, grad=[NAN, -2, 0])
    weights = [[NAN, 0.5, 0.5], [1.0, NAN, 0.0]]
    check(loss, [MASKED] * 2, weights, [T] * 2, [C] * 2, **dict.fromkeys(NAMES, NAN))


def test_zero_probability(check):
    probs = [[0.0, 0.5, 0.5], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]
    gradient = [[0, -2, 0], [0, -1, 0], [-INF, 0, 0]]
    check(logloss_of_label, probs, [1, 1, 0], loss=[LN2, 0, INF], grad=gradient)
    weights = [[0.0, 1, 1], [1, 1, 0], [-1, 1, 0]]
    gradient = [[0, -2, -2], [-INF, -1, 0], [INF, -1, 0]]
    check(logloss, probs, weights, loss=[2 * LN2, INF, -INF], grad=gradient)


def test_no_probability(check):
    """NaN or a negative number: looked at only if the class has weight."""
    probs = [[0.5, NAN, 0.5], [0.5, NAN, 0.5], [0.5, -0.5, 1.0], [0.5, -0.5, 1.0]]
    gradient = [[-2, 0, 0], [0, NAN, 0], [-2, 0, 0], [0, 2, 0]]
    check(logloss_of_label, probs, [0, 1, 0, 1], loss=[LN2, NAN, LN2, NAN], grad=gradient)


LABELS = [3, 0, -1, 2]
OUTSIDE = np.array([True, False, True, False])


@pytest.mark.parametrize("way", ["vmap", "batch"])
def test_traced_label_outside_the_classes(results):
    of_logits = results(everything, [MASKED] * 4, LABELS, [T] * 4, [C] * 4)
    of_probabilities = results(logloss_of_label, [[0.25, 0.25, 0.5]] * 4, LABELS)
    for got in (*(of_logits[name] for name in NAMES), *of_probabilities.values()):
        of_index, _ = got  # the other is of no class at all, one-hot
        nan = np.isnan(of_index.reshape(4, -1))
        np.testing.assert_array_equal(nan, np.broadcast_to(OUTSIDE[:, None], nan.shape))


@pytest.mark.smoke
@pytest.mark.parametrize("integer", [jnp.int4, jnp.uint4, jnp.int8, jnp.uint8, jnp.int16, jnp.uint32])
def test_traced_label_of_any_integer_dtype(integer):
    labels = jnp.array(LABELS, jnp.int32).astype(integer)
    for call in (jax.vmap, jax.jit):
        got = call(mg.logloss_grad)(jnp.full((4, 3), 0.5), labels)
        np.testing.assert_array_equal(np.isnan(got).T, [OUTSIDE] * 3)


@pytest.mark.parametrize("label", [3, -1, 2**32 + 1, np.uint64(2**63), jnp.int8(-1), jnp.uint8(200)], ids=repr)
def test_known_label_outside_the_classes(label):
    """Known is what JAX doesn't trace: also what a function closes over that is jitted, mapped or differentiated."""

    def call(probs):
        return mg.logloss(probs, label)

    for transform in (lambda f: f, jax.jit, jax.grad, lambda f: jax.jit(jax.vmap(f, axis_size=2, in_axes=None))):
        with pytest.raises(ValueError, match=f"labels holds {int(label)}, expected class indices from 0 to 2"):
            transform(call)(PROBS[0])


@pytest.mark.parametrize(
    "labels",
    [1, [0, 1], (0, 1), np.array([0, 1]), np.int64(1)]
    + [np.array([0, 1], dtype) for dtype in (np.int8, np.uint16, np.uint32, np.uint64)]
    + [jnp.array([0, 1], dtype) for dtype in (jnp.int4, jnp.int8, jnp.uint8, jnp.uint16, jnp.uint32, jnp.int32)],
    ids=lambda labels: f"{type(labels).__name__} {getattr(labels, 'dtype', '')}",
)
def test_labels_of_any_integer_kind(labels):
    probs = PROBS[0] if np.ndim(labels) == 0 else PROBS
    one_hot = np.eye(3, dtype=np.float32)[np.asarray(labels).astype(int)]
    np.testing.assert_array_equal(mg.logloss_grad(probs, labels), mg.logloss_grad(probs, one_hot))


@pytest.mark.smoke
def test_list_of_traced_labels():
    got = jax.jit(lambda a, b: mg.logloss_grad(PROBS, [a, b]))(0, 1)
    np.testing.assert_array_equal(got, mg.logloss_grad(PROBS, [0, 1]))


@pytest.mark.parametrize(("integer", "classes"), [(jnp.uint8, 1000), (jnp.int8, 200), (jnp.int16, 40_000)])
@pytest.mark.parametrize("call", [lambda f: f, jax.jit], ids=["known", "traced"])
def test_more_classes_than_the_label_s_dtype_can_count(call, integer, classes):
    gradient = call(mg.logloss_grad)(jnp.full(classes, 0.5), integer(100))
    np.testing.assert_array_equal(gradient, jnp.zeros(classes).at[100].set(-2))
