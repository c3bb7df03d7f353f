"""Errors in ULP against ball arithmetic of the same inputs, from the document's own lines; on jitted code.

The bound holds for entries whose true value is a normal number; below, the error is at most the smallest normal number,
since XLA on CPU flushes to zero what is smaller.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads as mg
from manual_grads.derivations import balls, task18, task19_1, task19_3

BITS = 600  # g − 1 at a margin of 100 loses 145 of them
DTYPES = ("float16", "bfloat16", "float32", "float64")
SPREADS = (1e-6, 1e-2, 1.0, 10.0, 40.0, 80.0, 300.0, 1e4, 2e38)
MARGINS = (0.5, 10.0, 16.7, 20.0, 40.0, 60.0, 80.0, 87.3, 88.0, 100.0)


def bound(dtype, ulp):
    """Float16 and bfloat16 are rounded once from float32, of which 12 ULP are less than 0.01 of theirs."""
    return 0.51 if dtype in ("float16", "bfloat16") else ulp


def worst_ulp(got, truth, dtype):
    """The largest error, in ULP of the truth, of entries whose truth is a normal number; the others are near zero."""
    info = jnp.finfo(dtype)
    smallest, largest, eps = (float(x) for x in (info.smallest_normal, info.max, info.eps))
    worst = 0.0
    for g, t in zip(np.asarray(got, np.float64).flat, truth, strict=True):
        middle = float(t.mid())
        if abs(middle) > largest:  # the true value has no number in this format
            continue
        if abs(middle) < smallest:
            assert abs(g - middle) <= smallest
            continue
        ulp = eps * 2.0 ** math.floor(math.log2(abs(middle)))
        assert t.rel_accuracy_bits() > 70  # so that the ball is no wider than 10⁻⁵ ULP of float64
        worst = max(worst, float(abs(balls.arb(float(g)) - t)) / ulp)
    return worst


def rows_of_logits(dtype, classes):
    """Rows that are hard in some way, all of them finite in the dtype."""
    random = np.random.default_rng(classes)
    limit = float(jnp.finfo(dtype).max) / 4
    for spread in SPREADS:
        row = random.uniform(-1, 1, classes) * min(spread, limit)
        yield from (row, row - abs(row).max(), np.sort(row) + 7.3)
    for margin in MARGINS:
        for offset in (0.0, -margin, 1.7):
            row = np.full(classes, offset) + random.uniform(0, 1e-3, classes)
            row[-1] = offset + margin
            yield row
        yield np.where(np.arange(classes) == 0, 0.0, -np.exp(random.uniform(-7, math.log(margin), classes)))
    yield np.zeros(classes)
    yield np.where(np.arange(classes) % 2, -0.0, 0.0)
    yield np.where(np.arange(classes) == classes // 2, 0.0, math.log(2.0**-24))  # half an ULP each


def logits(dtype, classes):
    """The rows, rounded to the dtype, and the same as exact balls, shifted by their maximum: exactly, as balls can."""
    rounded = jnp.asarray(np.array(list(rows_of_logits(dtype, classes))), dtype)
    exact = []
    for row in np.asarray(rounded, np.float64):
        ball = balls.as_balls(row)
        exact.append(ball - ball[int(row.argmax())])
    return rounded, exact


@pytest.fixture(autouse=True)
def precision():
    with balls.precision(BITS):
        yield


ONE_BY_ONE = pytest.mark.parametrize("batched", [False, True], ids=["row by row", "all rows"])
CLASSES = pytest.mark.parametrize("classes", [1, 2, 3, 10, 200])
EACH_DTYPE = pytest.mark.parametrize("dtype", DTYPES)


def results(function, dtype, batched, *args):
    with jax.enable_x64(dtype == "float64"):
        compiled = jax.jit(function)
        if batched:
            return np.asarray(compiled(*args), np.float64)
        return np.array([np.asarray(compiled(*row), np.float64) for row in zip(*args, strict=True)])


def probabilities(s):
    total = task19_1.total(s)
    return [balls.exp(s_k) / total for s_k in s]


@EACH_DTYPE
@CLASSES
@ONE_BY_ONE
def test_softmax_and_log_softmax(batched, classes, dtype):
    with jax.enable_x64(dtype == "float64"):
        rounded, exact = logits(dtype, classes)
    g, log_g = (results(f, dtype, batched, rounded) for f in (mg.softmax, mg.log_softmax))
    for i, s in enumerate(exact):
        truth = probabilities(s)
        assert worst_ulp(g[i], truth, dtype) <= bound(dtype, 6)
        log_total = balls.log(task19_1.total(s))
        assert worst_ulp(log_g[i], [s_k - log_total for s_k in s], dtype) <= bound(dtype, 6)


@EACH_DTYPE
@CLASSES
@ONE_BY_ONE
@pytest.mark.parametrize("one_hot", [False, True], ids=["integer", "one-hot"])
def test_cross_entropy_and_its_gradient(one_hot, batched, classes, dtype):
    with jax.enable_x64(dtype == "float64"):
        rounded, exact = logits(dtype, classes)
        labels = np.random.default_rng(1).integers(classes, size=len(exact))
        labels[::2] = np.asarray(rounded, np.float64)[::2].argmax(-1)  # the saturated ones
        given = jnp.asarray(np.eye(classes)[labels], dtype) if one_hot else jnp.asarray(labels)
    losses = results(mg.softmax_cross_entropy, dtype, batched, rounded, given)
    gradients = results(mg.softmax_cross_entropy_grad, dtype, batched, rounded, given)
    for i, s in enumerate(exact):
        loss = balls.log(task19_1.total(s)) - s[labels[i]]
        assert worst_ulp(losses[i], [loss], dtype) <= bound(dtype, 6)
        truth = [g - int(k == labels[i]) for k, g in enumerate(probabilities(s))]
        assert worst_ulp(gradients[i], truth, dtype) <= bound(dtype, 6)


@EACH_DTYPE
@pytest.mark.parametrize("classes", [1, 2, 3, 10])
@ONE_BY_ONE
def test_jacobian_and_hessian(batched, classes, dtype):
    with jax.enable_x64(dtype == "float64"):
        rounded, exact = logits(dtype, classes)
        labels = jnp.zeros(len(exact), jnp.int32)
    jacobian = results(mg.softmax_jacobian, dtype, batched, rounded)
    hessian = results(mg.softmax_cross_entropy_hessian, dtype, batched, rounded, labels)
    for i, s in enumerate(exact):
        g = probabilities(s)
        truth = [g[k] * (int(k == j) - g[j]) for k in range(classes) for j in range(classes)]
        assert worst_ulp(jacobian[i], truth, dtype) <= bound(dtype, 12)
        assert worst_ulp(hessian[i], truth, dtype) <= bound(dtype, 12)


@EACH_DTYPE
@pytest.mark.parametrize("classes", [10_000, 100_000])
def test_many_classes(classes, dtype):
    with jax.enable_x64(dtype == "float64"):
        random = np.random.default_rng(0)
        row = random.normal(0, 3, classes)
        row[17] = row.max() + 12  # dominant, but not by far
        rounded = jnp.asarray(row, dtype)
        g = np.asarray(jax.jit(mg.softmax)(rounded), np.float64)
        gradient = np.asarray(jax.jit(mg.softmax_cross_entropy_grad)(rounded, 17), np.float64)
        loss = np.asarray(jax.jit(mg.softmax_cross_entropy)(rounded, 17), np.float64)
    s = balls.as_balls(np.asarray(rounded, np.float64))
    truth = probabilities(s - s[17])
    sample = [17, *random.integers(classes, size=500)]
    assert worst_ulp(g[sample], [truth[k] for k in sample], dtype) <= bound(dtype, 6)
    assert worst_ulp(gradient[sample], [truth[k] - int(k == 17) for k in sample], dtype) <= bound(dtype, 6)
    assert worst_ulp(loss, [-balls.log(truth[17])], dtype) <= bound(dtype, 6)


@EACH_DTYPE
def test_logloss(dtype):
    with jax.enable_x64(dtype == "float64"):
        random = np.random.default_rng(0)
        probs = jnp.asarray([np.exp(-random.uniform(0, 9, 4)) for _ in range(300)] + [[1, 0.5, 0.75, 0.999]], dtype)
        labels = random.integers(4, size=len(probs))
    losses = results(mg.logloss, dtype, True, probs, labels)
    gradients = results(mg.logloss_grad, dtype, True, probs, labels)
    for i, row in enumerate(np.asarray(probs, np.float64)):
        g = balls.as_balls(row)
        assert worst_ulp(losses[i], [task19_3.log(1 / g[labels[i]])], dtype) <= bound(dtype, 6)
        truth = [-int(k == labels[i]) / g_k for k, g_k in enumerate(g)]
        assert worst_ulp(gradients[i], truth, dtype) <= bound(dtype, 6)


@EACH_DTYPE
def test_sigmoid_and_its_derivative(dtype):
    with jax.enable_x64(dtype == "float64"):
        info = jnp.finfo(dtype)
        random = np.random.default_rng(0)
        edge = -math.log(float(info.smallest_normal))
        sizes = np.concatenate([np.linspace(0, edge, 3000), np.exp(random.uniform(-20, math.log(edge), 3000))])
        z = jnp.asarray(np.concatenate([sizes, -sizes, [0.0, -0.0, float(info.max), -float(info.max)]]), dtype)
    value, slope = (results(f, dtype, True, z) for f in (mg.sigmoid, mg.sigmoid_grad))
    exact = balls.as_balls(np.asarray(z, np.float64))
    clipped = [balls.arb(max(min(float(z_i), 1e4), -1e4)) for z_i in exact]  # the rest is 0 or 1 anyway
    without_cancellation = next(
        line for line in task18.SIGMOID_DERIVATIVE.lines if line.text == "e^(−z) / (1 + e^(−z))²"
    )
    assert worst_ulp(value, [task18.sigma(z_i) for z_i in clipped], dtype) <= bound(dtype, 3)
    assert worst_ulp(slope, [without_cancellation.value(z_i) for z_i in clipped], dtype) <= bound(dtype, 3)


def test_the_measure_measures():
    one = balls.as_balls(np.array([1.0, 3.0, 2.0**-130]))
    assert worst_ulp(np.array([1, 3, 0], np.float32), one, "float32") == 0
    assert worst_ulp(np.array([1 + 2.0**-20, 3, 0], np.float32), one, "float32") == 8
    assert worst_ulp(np.array([1, 3 - 2.0**-20, 0], np.float32), one, "float32") == 4


def test_a_softmax_of_the_usual_kind_would_fail():
    """What the bound is for: at a spread of 80, `jax.nn.softmax` is wrong by tens of ULP."""
    rounded, exact = logits("float32", 200)
    usual = results(jax.nn.softmax, "float32", True, rounded)
    assert max(worst_ulp(usual[i], probabilities(s), "float32") for i, s in enumerate(exact)) > 20
