"""The truths: of every rule, equal to the power series of its forward function, and no larger than their magnitude."""

import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.accuracy import inputs, network, promises, truths
from manual_grads.accuracy.promises import PROMISES, bound, floor_of, values_and_magnitudes
from manual_grads.derivations import balls, task18, task19_3, task21
from manual_grads.derivations.balls import as_balls
from manual_grads.derivations.numbers import as_objects, derivative, vector
from manual_grads.rules import RULES
from tests.registry import PROMISED_RULES_AND_LABELS

RANDOM = np.random.default_rng(0)
S, T, C = RANDOM.normal(0, 2, 4), RANDOM.normal(0, 2, 4), np.array(1.7)
G = np.exp(S) / np.exp(S).sum()
MANY = np.zeros(100)
LABEL, SOFT = np.int32(2), np.array([0.2, 0.0, 1.5, -0.3])
X, A, B = RANDOM.normal(size=3), RANDOM.normal(size=(2, 3)), RANDOM.normal(size=(4, 2))


def by_series(f, at):
    """The derivative by power series, which knows no rule of differentiation."""
    return derivative(f, as_balls(at))


def sigmoid(z):
    return vector([task18.sigma(z_k) for z_k in z])


def weighted(y):
    """A line for a label as one for a distribution: the sum over the labels, weighted."""
    return list(enumerate(as_balls(y))) if np.ndim(y) else [(int(y), 1)]


def cross_entropy(y):
    return lambda s: sum(weight * task19_3.R(s, k) for k, weight in weighted(y))


def gradient(y):
    return lambda s: sum(weight * task21.g_minus_y(s, k) for k, weight in weighted(y))


@pytest.fixture(autouse=True)
def precision():
    with balls.precision(200):
        yield


def two_layer(x, a, b):
    return task21.R(x, a, b, int(LABEL))


def test_every_rule_of_the_document_has_a_promise_and_no_promise_lacks_a_rule():
    assert {name for name, rule in RULES.items() if rule.equation} <= set(PROMISES) <= set(RULES)


@pytest.mark.parametrize(
    ("name", "args", "want"),
    [
        ("sigmoid_grad", (C,), lambda: by_series(task18.sigma, C)),
        ("sigmoid_jacobian", (S,), lambda: by_series(sigmoid, S)),
        ("softmax_jacobian", (S,), lambda: by_series(task21.g, S)),
        ("softmax_jvp", (S, T), lambda: by_series(task21.g, S) @ as_balls(T)),
        ("softmax_vjp", (S, T), lambda: as_balls(T) @ by_series(task21.g, S)),
        ("logloss_grad", (abs(S), LABEL), lambda: by_series(lambda g: -balls.log(g[2]), abs(S))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_derivative_of_the_truth_is_the_truth_of_the_derivative(name, args, want):
    assert balls.overlap(PROMISES[name].value(*args), want())


@pytest.mark.smoke
@pytest.mark.parametrize("y", [LABEL, SOFT], ids=["index", "distribution"])
def test_derivatives_of_cross_entropy(y):
    slope, hessian = by_series(cross_entropy(y), S), by_series(gradient(y), S)
    assert balls.overlap(truths.cross_entropy_grad(S, y), slope)
    assert balls.overlap(truths.cross_entropy_jvp(S, y, T), slope @ as_balls(T))
    assert balls.overlap(truths.cross_entropy_vjp(S, y, C), as_balls(C) * slope)
    assert balls.overlap(truths.cross_entropy_hessian(S, y), hessian)
    assert balls.overlap(truths.cross_entropy_hvp(S, y, T), hessian @ as_balls(T))


def test_derivatives_of_the_network_are_those_of_the_document():
    x, a, b = as_balls(X), as_balls(A), as_balls(B)
    dx, dA, dB = network.grads(X, A, B, LABEL)
    assert balls.overlap(dx, derivative(lambda x: two_layer(x, a, b), x))
    assert balls.overlap(dA, derivative(lambda a: two_layer(x, a, b), a))
    assert balls.overlap(dB, derivative(lambda b: two_layer(x, a, b), b))
    assert balls.overlap(network.loss(X, A, B, LABEL), two_layer(x, a, b))
    assert all(map(balls.overlap, network.vjp(X, A, B, LABEL, C), [as_balls(C) * d for d in (dx, dA, dB)]))


@pytest.mark.parametrize(("rule", "soft_labels"), PROMISED_RULES_AND_LABELS)
def test_no_value_is_larger_than_its_magnitude(rule, soft_labels):
    cases = inputs.cases(rule, jnp.dtype("float32"), 3, "distribution" if soft_labels else "index")
    for i in range(0, len(cases.families), 5 if len(cases.families) < 1000 else 200):
        with balls.precision(1000):
            for value, magnitude in values_and_magnitudes(rule, cases.exact(i), floor=0.0):
                pairs = zip(as_objects(value).flat, as_objects(magnitude).flat, strict=True)
                assert not any(abs(balls.arb(v)) > m for v, m in pairs)  # for certain


# The terms of Ax cancel, and those of Bσ: their errors are larger than they are.
CANCELLING_A = A + 100 * np.outer([1, -1], np.cross(abs(X), [1, 1, 1]))
H = 1 / (1 + np.exp(-A @ abs(X)))
CANCELLING_B = B + 100 * np.outer([1, -0.5, 0.3, 0.8], [H[1], -H[0]])
NETWORKS = pytest.mark.parametrize(
    ("a", "b"), [(A, B), (CANCELLING_A, CANCELLING_B)], ids=["usual", "sums that cancel"]
)


@NETWORKS
def test_a_magnitude_is_what_a_perturbation_comes_to(a, b):
    """Every entry of x, A and B wrong by u: to first order, no gradient is wrong by more than u times its magnitude."""
    u = 2.0**-60
    perturbed = [as_balls(p) * (1 + u * as_balls(RANDOM.choice([-1.0, 1.0], p.shape))) for p in (abs(X), a, b)]
    exact = network.grads(abs(X), a, b, LABEL)
    moved = [derivative(f, p) for f, p in gradients_of(*perturbed)]
    for got, want, magnitude in zip(moved, exact, network.grads_magnitude(0.0, abs(X), a, b, LABEL), strict=True):
        ratios = [
            float((abs(g - w) / (u * m)).mid()) for g, w, m in zip(got.flat, want.flat, magnitude.flat, strict=True)
        ]
        assert 0 < max(ratios) <= 3  # one for each of x, A and B


@NETWORKS
def test_the_magnitudes_of_the_network_are_its_running_error_analysis(a, b):
    """In float64, term by term: what is too large would be a weaker promise, and what is too small one that breaks."""
    x = abs(X)
    h = 1 / (1 + np.exp(-a @ x))
    slope, g = h * (1 - h), np.exp(b @ h) / np.exp(b @ h).sum()
    dv, hessian = g - np.eye(4)[LABEL], np.diag(g) - np.outer(g, g)
    error_w = abs(a) @ x
    error_h = h + slope * error_w
    error_v = abs(b) @ error_h
    error_dv = abs(dv) + abs(hessian) @ error_v
    error_delta = slope * (error_dv @ abs(b) + (abs(dv) @ abs(b)) * error_w)
    want = error_delta @ abs(a), np.outer(error_delta, x), np.outer(error_dv, h) + np.outer(abs(dv), error_h)
    for got, value in zip(network.grads_magnitude(0.0, x, a, b, LABEL), want, strict=True):
        np.testing.assert_allclose(in_float64(got), value, rtol=1e-12)
    loss = in_float64(network.loss_magnitude(0.0, x, a, b, LABEL))
    np.testing.assert_allclose(loss, -np.log(g[LABEL]) + abs(dv) @ error_v, rtol=1e-12)
    jacobians = error_dv, abs(b), np.diag(slope * (1 + error_w)), abs(a)
    for got, value in zip(network.jacobians_magnitude(0.0, x, a, b, LABEL), jacobians, strict=True):
        np.testing.assert_allclose(in_float64(got), value, rtol=1e-12)


def in_float64(numbers):
    numbers = as_objects(numbers)
    return np.array([float(balls.arb(ball).mid()) for ball in numbers.flat]).reshape(numbers.shape)


def gradients_of(x, a, b):
    return (
        (lambda x: two_layer(x, a, b), x),
        (lambda a: two_layer(x, a, b), a),
        (lambda b: two_layer(x, a, b), b),
    )


@pytest.mark.parametrize(
    ("name", "args", "dtype", "want"),
    [
        ("sigmoid_grad", (C,), "float32", 2.5),
        ("softmax", (MANY,), "float64", 9),
        ("softmax", (MANY,), "float32", 9),
        ("softmax_jacobian", (MANY,), "float32", 17),
        ("softmax_jacobian", (MANY,), "float64", 8),
        ("softmax_jacobian", (S,), "float16", 0.51),
        ("softmax_cross_entropy_grad", (MANY, LABEL), "float32", 12),
        ("softmax_cross_entropy_grad", (MANY, np.eye(100)[1]), "float64", 12),
        ("softmax_cross_entropy_grad", (S, SOFT), "float32", 19),
        ("softmax_cross_entropy_grad", (S, 2 * np.eye(4)[1]), "float32", 19),
        ("softmax_jvp", (S, T), "float32", 19),
        ("softmax_jvp", (S, T), "bfloat16", 0.51),
        ("two_layer_grads", (X, A, B, LABEL), "float64", (3 + 2 * 2 + 2 * 4 + 32) / 2),
    ],
    ids=str,
)
def test_bounds(name, args, dtype, want):
    assert bound(RULES[name], args, jnp.dtype(dtype)) == want


SIZES_OF_SUMS = {
    "softmax_jvp": (S, T),
    "softmax_vjp": (S, T),
    "logloss": (G, SOFT),
    "softmax_cross_entropy": (S, SOFT),
    "softmax_cross_entropy_grad": (S, SOFT),
    "softmax_cross_entropy_jvp": (S, SOFT, T),
    "softmax_cross_entropy_vjp": (S, SOFT, C),
    "softmax_cross_entropy_hvp": (S, SOFT, T),
}


def in_floats(s, y, t, c):
    """The sums with absolute values, in float64."""
    g, y, t = np.exp(s) / np.exp(s).sum(), abs(y), abs(t)
    product, gradient = g * (t + g @ t), y.sum() * g + y
    loss = y @ -np.log(g)
    return {
        **{"softmax_jvp": product, "softmax_vjp": product, "softmax_cross_entropy_hvp": y.sum() * product},
        **{"logloss": loss, "softmax_cross_entropy": loss, "softmax_cross_entropy_grad": gradient},
        **{"softmax_cross_entropy_jvp": gradient @ t, "softmax_cross_entropy_vjp": abs(c) * gradient},
    }


@pytest.mark.parametrize("name", SIZES_OF_SUMS)
def test_a_magnitude_is_the_sum_of_absolute_values_and_no_more(name):
    """A larger one would be a weaker promise; and without a floor, nothing is added for underflow."""
    magnitude = PROMISES[name].magnitude
    assert magnitude
    got = magnitude(0.0, *SIZES_OF_SUMS[name])
    np.testing.assert_allclose(in_float64(got), in_floats(S, SOFT, T, C)[name], rtol=1e-14)


def test_the_floor_is_a_smallest_normal_number_in_units_of_u():
    assert floor_of("bfloat16") == floor_of("float32") == 2.0**-126 / 2.0**-24
    assert floor_of("float64") == 2.0**-1022 / 2.0**-53


def test_what_underflows_is_multiplied_by_the_weights():
    """g may be taken for zero where it is below the smallest normal number, and the weights add up to 63."""
    s, y = np.array([0.0, -90.0, 0.0]), np.array([62.0, 0.0, 1.0])
    floor = floor_of("float32")
    with balls.precision(100):
        magnitude = in_float64(truths.cross_entropy_grad_magnitude(floor, s, y))[1]
    assert magnitude * 2.0**-24 >= 63 * 2.0**-126


def test_logits_as_large_as_they_come_are_within_reach():
    with balls.precision(100):
        g = in_float64(truths.softmax(np.array([1.7e308, 0.0, -1.7e308])))
    assert g.tolist() == [1, 0, 0]


def test_numbers_are_taken_for_the_last_one_only_where_no_format_sees_it():
    with balls.precision(100):
        value = float(truths.sigmoid(np.array([-700.0]))[0].mid())
    assert value == pytest.approx(np.exp(-700.0), rel=1e-12, abs=0)


def test_one_hot_labels_are_recognised():
    assert truths.is_one_hot(np.int32(1))
    assert truths.is_one_hot(np.array([0.0, 1.0]))
    assert not truths.is_one_hot(np.array([0.0, 0.5]))
    assert not truths.is_one_hot(np.array([1.0, 1.0]))
    assert promises.is_sharp(RULES["softmax"], (S,))
