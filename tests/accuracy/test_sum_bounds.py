"""The derived bounds of what may cancel: what each is made of, and that steps which err by so much stay within it."""

import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.accuracy import bounds, inputs, sum_bounds, survey
from manual_grads.accuracy.bounds import Form, Term
from manual_grads.accuracy.inputs import Cases
from manual_grads.accuracy.promises import PROMISES, derived, sizes_of
from manual_grads.accuracy.sum_bounds import OF_SUMS, Sizes
from manual_grads.rules import RULES

SIZES = Sizes(classes=10, hidden=5, inputs=7)
E = 3.0  # u of an exponential
A = 11.0  # u of a sum


def form(e):
    """Exponentials that err by e u, sums that err by A u."""
    return Form("any", [Term("e", e)], 0.0, lambda terms: A, lambda terms: A)


def test_every_function_that_may_cancel_has_a_derived_bound_but_the_layer_with_every_option():
    cancelling = {name for name, promise in PROMISES.items() if promise.magnitude is not None}
    assert set(OF_SUMS) == cancelling - {"linear_softmax_cross_entropy_grads"}


SLOPE = bounds.size(bounds.sigmoid_grad("float32")) + 0.5
LOG, LOG1P = (bounds.unit(name, "float32") for name in ("log", "log1p, from 0"))


def by_hand(e):
    """Each bound, in the errors of its parts: no step may be left out or counted less often."""
    gradient = 2 * e + 2 * A + 5
    loss = max(LOG1P + e + A, LOG + (e / 2 + A) / np.log(2)) + A + 1.5
    return {
        "softmax_jvp": 8 * e + 5 * A + 11.5,
        "softmax_vjp": 8 * e + 5 * A + 11.5,
        "logloss": LOG + A + 1,
        "softmax_cross_entropy": loss,
        "softmax_cross_entropy_grad": gradient - 0.5,
        "softmax_cross_entropy_jvp": max(2 * (gradient + A + 2), 3 * (2 * e + 2 * A + 4)),
        "softmax_cross_entropy_vjp": gradient + 0.5,
        "softmax_cross_entropy_hvp": 8 * e + 6 * A + 12.5,
        "two_layer_loss": loss,
        "two_layer_grads": gradient + SIZES.classes + SLOPE + 1 + SIZES.hidden,
        "two_layer_vjp": gradient + SIZES.classes + SLOPE + 2 + SIZES.hidden,
        "two_layer_jacobians": gradient,
    }


@pytest.mark.smoke
@pytest.mark.parametrize("e", [0.25, 3.0])  # with the one, some terms are the larger; with the other, others
@pytest.mark.parametrize("name", OF_SUMS)
def test_a_bound_by_hand(name, e):
    terms = OF_SUMS[name](form(e), "float32", SIZES)
    assert all(term.name and term.size >= 0 for term in terms)
    assert bounds.size(terms) == pytest.approx(by_hand(e)[name], rel=1e-12)


def test_large_matrices_make_a_worse_bound():
    for name in ("two_layer_loss", "two_layer_grads", "two_layer_jacobians"):
        few = by_hand(E)[name]
        assert bounds.size(OF_SUMS[name](form(E), "float32", Sizes(10, 200, 7))) > few + 100
        assert bounds.size(OF_SUMS[name](form(E), "float32", Sizes(10, 5, 300))) > few + 100


def test_the_sizes_are_those_of_the_arguments():
    x, A, B = np.zeros(3), np.zeros((4, 3)), np.zeros((5, 4))
    assert sizes_of(RULES["two_layer_grads"], (x, A, B, np.int32(0))) == Sizes(classes=5, hidden=4, inputs=3)
    assert sizes_of(RULES["softmax_jvp"], (x, x)) == Sizes(classes=3)


def test_what_need_not_cancel_has_the_sharper_bound():
    rule, s = RULES["softmax_cross_entropy_grad"], np.zeros(5)
    one_hot, soft = (derived(rule, (s, y), "float32") for y in (np.eye(5)[1], np.full(5, 0.3)))
    assert one_hot == bounds.derived(rule.name, "float32", 5)
    assert soft == sum_bounds.derived(rule.name, "float32", Sizes(5)) > one_hot + 3


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


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
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
        bound = bounds.size(OF_SUMS[name](form(E), "float32", Sizes(classes=5))) + 0.5  # the last rounding is a u here
        assert 0.2 * bound < largest <= bound * (1 + 100 * DELTA), (name, largest, bound)
