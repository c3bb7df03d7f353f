"""The derived bounds of what may cancel: what each is made of, and that steps which err by so much stay within it."""

import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.accuracy import bounds, inputs, survey
from manual_grads.accuracy.bounds import Form, Term
from manual_grads.accuracy.inputs import Cases
from manual_grads.accuracy.promises import PROMISES, derived
from manual_grads.accuracy.sum_bounds import OF_SUMS, Sizes
from manual_grads.rules import RULES

SIZES = Sizes(classes=10, hidden=5, inputs=7)
# A sum of roundings only: exponentials that err by E u, sums that err by A u.
E, A = 3.0, 11.0
FORM = Form("any", [Term("e", E)], 0.0, lambda terms: A)


def test_every_function_that_may_cancel_has_a_derived_bound_but_the_layer_with_every_option():
    cancelling = {name for name, promise in PROMISES.items() if promise.magnitude is not None}
    assert set(OF_SUMS) == cancelling - {"linear_softmax_cross_entropy_grads"}


SIGMA = bounds.size(bounds.sigmoid("float32")) + 0.5
SLOPE = bounds.size(bounds.sigmoid_grad("float32")) + 0.5
LOG, LOG1P = (bounds.unit(name, "float32") for name in ("log", "log1p, from 0"))
GRADIENT = 2 * E + 2 * A + 5
BY_HAND = {
    "softmax_jvp": 8 * E + 5 * A + 11.5,
    "softmax_vjp": 8 * E + 5 * A + 11.5,
    "logloss": LOG + A + 1,
    "softmax_cross_entropy": max(LOG1P + E + A, LOG + (E / 2 + A) / np.log(2)) + A + 1.5,
    "softmax_cross_entropy_grad": GRADIENT - 0.5,
    "softmax_cross_entropy_jvp": max(2 * (GRADIENT + A + 2), 3 * (2 * E + 2 * A + 4)),
    "softmax_cross_entropy_vjp": GRADIENT + 0.5,
    "softmax_cross_entropy_hvp": 8 * E + 6 * A + 12.5,
    "two_layer_loss": max(LOG1P + E + A, LOG + (E / 2 + A) / np.log(2)) + A + 1.5,
    "two_layer_grads": GRADIENT + 10 + SLOPE + 1 + 5,
    "two_layer_vjp": GRADIENT + 10 + SLOPE + 1 + 5 + 1,
    "two_layer_jacobians": GRADIENT,
}


@pytest.mark.smoke
@pytest.mark.parametrize("name", OF_SUMS)
def test_a_bound_by_hand(name):
    """In E and A, so that no step may be left out or counted less often."""
    terms = OF_SUMS[name](FORM, "float32", SIZES)
    assert all(term.name and term.size >= 0 for term in terms)
    assert bounds.size(terms) == pytest.approx(BY_HAND[name], rel=1e-12)


def test_large_matrices_make_a_worse_bound():
    for name in ("two_layer_loss", "two_layer_grads", "two_layer_jacobians"):
        assert bounds.size(OF_SUMS[name](FORM, "float32", Sizes(10, 200, 7))) > BY_HAND[name] + 100
        assert bounds.size(OF_SUMS[name](FORM, "float32", Sizes(10, 5, 300))) > BY_HAND[name] + 100
    more = bounds.size(OF_SUMS["two_layer_grads"](FORM, "float32", Sizes(11, 5, 7)))
    assert more == pytest.approx(BY_HAND["two_layer_grads"] + 1)


@pytest.mark.parametrize("name", OF_SUMS)
def test_hard_inputs_stay_within_it(name):
    rule, dtype = RULES[name], jnp.dtype("float32")
    cases = inputs.cases(rule, dtype, 10, inputs.LABELS[-1])
    few = Cases(cases.families[::5], tuple(arg[::5] for arg in cases.args))
    found = survey.worst(survey.run(survey.for_each_example(rule), dtype, few.args), survey.known(rule, dtype, few))
    assert found.ulp <= derived(rule, found.args, dtype)


# Steps that err by as much as they may, each at random one way or the other: to first order, in units of DELTA.
DELTA = 2.0**-20


class Erring:
    """Arithmetic whose every operation is off by DELTA, a sum by DELTA for each of A additions."""

    def __init__(self, random):
        self.random = random

    def off(self, x, times=1.0):
        return x * (1 + times * DELTA * self.random.choice([-1, 1], np.shape(x)))

    def sum(self, x):
        return self.off(x, A).sum()

    def exponentials(self, s):
        e = self.off(np.exp(s - s.max()), E)
        return e, self.sum(e)


def product_of(err, s, t):
    """`stable.softmax.jacobian_product`."""
    e, total = err.exponentials(s)
    i = e.argmax()
    d = err.off(t - (t[i] if e[i] > total / 2 else 0))
    mean = err.off(err.sum(err.off(e * d)) / total)
    return err.off(err.off(e / total) * err.off(d - mean))


def gradient_of(err, s, y):
    """`stable.cross_entropy.distribution_vjp`, of which one class is another's."""
    e, _ = err.exponentials(s)
    weight, i = err.sum(y), int(np.clip(round(y @ np.arange(len(y)) / y.sum()), 0, len(y) - 1))
    others = err.sum(np.delete(e, i))
    total = err.off(others + e[i])
    gradient = err.off(err.off(err.off(weight / total) * e) - y)
    of_i = err.off(err.off(weight - y[i]) * err.off(e[i] / total))
    gradient[i] = err.off(of_i - err.off(y[i] * err.off(others / total)))
    return gradient


def jvp_of(err, s, y, t):
    """`stable.cross_entropy.loss_jvp`."""
    gradient = gradient_of(err, s, y)
    weights = abs(gradient + y) + abs(y)
    return err.sum(err.off(gradient * err.off(t - weights @ t / weights.sum())))


def magnitudes(s, y, t):
    g = np.exp(s - s.max()) / np.exp(s - s.max()).sum()
    return g, g * (abs(t) + g @ abs(t)), abs(y).sum() * g + abs(y)


@pytest.mark.parametrize("seed", range(3))
def test_steps_that_err_by_so_much_stay_within_it(seed):
    """Of logits, weights and directions of all sizes: an amplification that a bound forgets is seen."""
    random = np.random.default_rng(seed)
    err, worst = (
        Erring(random),
        {"softmax_jvp": 0.0, "softmax_cross_entropy_grad": 0.0, "softmax_cross_entropy_jvp": 0.0},
    )
    for _ in range(4000):
        classes = int(random.integers(2, 6))
        s = random.normal(0, random.choice([0.1, 1, 5, 15]), classes)
        y = np.exp(random.normal(0, random.choice([0.1, 2, 8]), classes)) * random.choice([1, 1, 1, -1], classes)
        g, _, _ = magnitudes(s, y, y)
        y = random.choice([1, 0]) * g + y * random.choice([1, 1e-3, 1e-6])
        t = np.exp(random.normal(0, random.choice([0.1, 2, 8]), classes)) * random.choice([-1, 1], classes)
        g, of_product, of_gradient = magnitudes(s, y, t)
        product, gradient = g * (t - g @ t), y.sum() * g - y
        off = {
            "softmax_jvp": abs(product_of(err, s, t) - product) / of_product,
            "softmax_cross_entropy_grad": abs(gradient_of(err, s, y) - gradient) / of_gradient,
            "softmax_cross_entropy_jvp": abs(jvp_of(err, s, y, t) - gradient @ t) / (of_gradient @ abs(t)),
        }
        worst = {name: max(worst[name], off[name].max() / DELTA) for name in worst}
    for name, largest in worst.items():
        bound = bounds.size(OF_SUMS[name](FORM, "float32", Sizes(classes=5))) + 0.5  # the last rounding is a u here
        assert 0.2 * bound < largest <= bound * (1 + 100 * DELTA), (name, largest, bound)
