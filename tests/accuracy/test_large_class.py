"""The true gradients of a linear layer's loss are the derivatives of that loss; their magnitudes, what errors do."""

from functools import partial

import numpy as np
import pytest

from manual_grads.accuracy import large_class as truths
from manual_grads.derivations import balls, large_class
from manual_grads.derivations.balls import arb, as_balls
from manual_grads.derivations.numbers import as_objects, derivative

RANDOM = np.random.default_rng(0)
H, B, BIAS, W = RANDOM.normal(size=2), RANDOM.normal(size=(3, 2)), RANDOM.normal(size=3), np.array([0.5, 1.5, 2])
Y, SCALE, NUMBERS = np.int32(1), np.array(1.3), (3.0, 0.2, 0.1)  # c, ε and λ


@pytest.fixture(autouse=True)
def precision():
    with balls.precision(200):
        yield


def loss(h, B, b, scale):
    """The cost that the lines differentiate, of a layer."""
    c, eps, lam = map(arb, NUMBERS)
    s = large_class.cap(large_class.logits(h, B, b, scale), c)
    return large_class.cost(s, int(Y), eps, lam, arb(float(W[Y])))


def by_series(h, B, b, scale):
    """Its derivatives with respect to each of them, by power series: no rule of differentiation is involved."""
    args = h, B, b, scale

    def of(i):
        return lambda x: loss(*(x if j == i else arg for j, arg in enumerate(args)))

    return [derivative(of(i), x) for i, x in enumerate(args)]


def test_the_truth_is_the_derivative_of_the_loss():
    want = by_series(as_balls(H), as_balls(B), as_balls(BIAS), arb(float(SCALE)))
    got = truths.grads(H, B, Y, BIAS, SCALE, W, *NUMBERS)
    assert all(balls.overlap(mine, true) for mine, true in zip(got, want, strict=True))


@pytest.mark.parametrize("bias", [BIAS, -SCALE * (B @ H) + [0.01, 0, -0.01]], ids=["usual", "sums that cancel"])
def test_a_magnitude_is_what_a_perturbation_comes_to(bias):
    """h, B and b wrong by u: to first order, no gradient is wrong by more than u times its magnitude."""
    u = 2.0**-60
    random = np.random.default_rng(1)
    args = [as_balls(x) * (1 + u * as_balls(random.choice([-1.0, 1.0], x.shape))) for x in (H, B, bias)]
    h, weights, b = args
    moved = by_series(h, weights, b, arb(float(SCALE)))
    exact = truths.grads(H, B, Y, bias, SCALE, W, *NUMBERS)
    magnitudes = truths.grads_magnitude(0.0, H, B, Y, bias, SCALE, W, *NUMBERS)
    for got, want, magnitude in zip(moved, exact, magnitudes, strict=True):
        leaves = zip(*(as_objects(x).flat for x in (got, want, magnitude)), strict=True)
        ratios = [float((abs(g - w) / (u * m)).mid()) for g, w, m in leaves]
        assert 0 < max(ratios) <= 3  # one for each of h, B and b


@pytest.mark.smoke
def test_the_magnitude_is_its_running_error_analysis():
    """In float64, term by term: what is too large would be a weaker promise."""
    c, eps, lam = NUMBERS
    s = SCALE * (B @ H) + BIAS
    error_s = SCALE * (abs(B) @ abs(H)) + abs(BIAS)
    capped, slope = c * np.tanh(s / c), 1 / np.cosh(s / c) ** 2
    error_capped, error_slope = slope * error_s + abs(capped), slope * (1 + 4 * error_s / c)
    g, label = np.exp(capped) / np.exp(capped).sum(), np.eye(3)[Y]
    log_z = np.log(np.exp(capped).sum())
    terms = W[Y] * (abs(g - label) + eps * abs(label - 1 / 3)) + 2 * lam * abs(log_z) * g
    error_log_z = abs(capped.max()) + abs(log_z) + g @ error_capped
    of_g = abs(np.diag(g) - np.outer(g, g)) @ error_capped
    error_terms = terms + (W[Y] + 2 * lam * abs(log_z)) * of_g + 2 * lam * error_log_z * g
    G = error_terms * slope + terms * error_slope
    want = SCALE * (G @ abs(B)), SCALE * np.outer(G, abs(H)), G, G @ (abs(B) @ abs(H))
    got = truths.grads_magnitude(0.0, H, B, Y, BIAS, SCALE, W, *NUMBERS)
    in_float64 = partial(np.vectorize, otypes=[float])(lambda ball: float(ball.mid()))
    for mine, true in zip(got, want, strict=True):
        np.testing.assert_allclose(in_float64(mine), true, rtol=1e-12)
