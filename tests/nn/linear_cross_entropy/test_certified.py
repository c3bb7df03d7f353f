"""Componentwise, with every option, in float32: against dense float64 autodiff; where a label is saturated, balls."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.accuracy import inputs, survey
from manual_grads.accuracy import large_class as of_layer
from manual_grads.derivations import balls, large_class, task19_3
from manual_grads.derivations.balls import arb
from manual_grads.nn import linear_softmax_cross_entropy
from manual_grads.rules import RULES
from tests.nn.linear_cross_entropy.dense import dense
from tests.nn.linear_cross_entropy.truth import TINY, Result, problem, truth

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31)
U = 2.0**-24
RULE = RULES["linear_softmax_cross_entropy_grads"]
NO_CAP = 1e30  # with 512 bits
SLOW = pytest.mark.slow


def drawn(seed):
    """A problem of prime sizes, its options and how it is cut, all at random and in float32."""
    random = np.random.default_rng(seed)
    N, H, K = (int(size) for size in random.choice(PRIMES, 3))
    arrays = {"bias": random.normal(0, 2, K), "class_weights": random.uniform(0, 2, K), "logit_scale": random.normal()}
    numbers = {
        "soft_cap": random.uniform(0.5, 30),
        "label_smoothing": random.uniform(0, 0.9),
        "z_loss": random.random(),
    }
    arrays = {name: np.float32(value) for name, value in arrays.items() if random.random() < 0.6}
    numbers = {name: value for name, value in numbers.items() if random.random() < 0.6}
    cuts = {"block_rows": (None, 4, 5)[random.integers(3)], "block_classes": (None, 3, 4, 128)[random.integers(4)]}
    return problem(N, H, K, seed=seed), arrays, numbers, cuts, random.normal(size=N).astype(np.float32)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=SLOW) for seed in range(1, 24))])
def test_any_options_are_within_their_bounds_of_dense_autodiff(seed):
    (h, B, y), arrays, numbers, cuts, c = drawn(seed)
    weights = arrays.pop("class_weights", None)
    w, off = np.ones(len(B)) if weights is None else weights, {"bias": np.zeros(len(B)), "logit_scale": 1.0}

    def ours(h, B, arrays):
        options = {"class_weights": weights, **arrays, **numbers, **cuts}
        return linear_softmax_cross_entropy(h, B, y, reduction="none", **options)

    def theirs(h, B, arrays):
        bias, scale = (off | arrays).values()
        return dense(h, B, bias, scale, jnp.asarray(w), y, reduction="none", **numbers)

    def result(losses):
        def total(*args):
            loss = losses(*args)
            return (c.astype(loss.dtype) * loss).sum(), loss

        (dh, dB, others), loss = jax.jit(jax.grad(total, (0, 1, 2), has_aux=True))(h, B, arrays)
        return jax.tree.map(np.asarray, Result(loss, dh, dB, others.get("bias"), others.get("logit_scale")))

    got = result(ours)
    with jax.enable_x64(True):
        h, B, arrays = jax.tree.map(np.float64, (h, B, arrays))
        want = result(theirs)
    _, bounds = truth(h, B, y, c.astype(float), weights=w, **(off | arrays), **numbers)
    compared = [fields for fields in zip(Result._fields, got, want, bounds, strict=True) if fields[1] is not None]
    assert len(compared) == 3 + len(arrays)
    for name, mine, true, bound in compared:
        assert (abs(np.asarray(mine, float) - true) <= U * bound + TINY).all(), name


@cache
def saturated(classes):
    """Layers in which a class leads by 10 to 60, half of the labels being that class; and their true gradients."""
    cases = inputs.cases(RULE, jnp.dtype("float32"), classes)
    some = [i for i, family in enumerate(cases.families) if not family.startswith("scale")]
    cases = inputs.Cases([cases.families[i] for i in some], tuple(arg[some] for arg in cases.args))
    return survey.known(RULE, jnp.dtype("float32"), cases)


@cache
def compiled(reduction, tile, *numbers):
    """The loss of one example and its gradients by h, B, bias and scale."""
    named = dict(zip(("soft_cap", "label_smoothing", "z_loss"), numbers, strict=True))

    def loss(h, B, bias, scale, y, w):
        options = {"bias": bias, "logit_scale": scale, "class_weights": w, "block_classes": tile, **named}
        return linear_softmax_cross_entropy(h[None], B, y[None], reduction=reduction, **options).sum()

    return jax.jit(jax.value_and_grad(loss, (0, 1, 2, 3)))


def results(by, reduction, tile):
    """What is computed for each case."""
    for h, B, y, bias, scale, w, *numbers in zip(*by.cases.args, strict=True):
        yield compiled(reduction, tile, *map(float, numbers))(h, B, bias, scale, y, w)


CUTS = [
    ("sum", None, 10),
    ("none", 2, 10),
    pytest.param("sum", 3, 200, marks=SLOW),
    pytest.param("none", 7, 200, marks=SLOW),
]


@pytest.mark.smoke
@pytest.mark.parametrize(("reduction", "tile", "classes"), CUTS)
def test_saturated_examples_have_the_gradients_that_balls_have(reduction, tile, classes):
    by = saturated(classes)
    _, grads = zip(*results(by, reduction, tile), strict=True)
    worst = survey.worst(jax.tree.map(lambda *rows: np.stack(rows), *grads), by)
    assert worst.within, (worst.ulp, worst.bound, worst.family)
    assert worst.false_zeros == 0


@pytest.mark.parametrize(("reduction", "tile", "classes"), CUTS)
def test_saturated_examples_have_the_losses_that_balls_have(reduction, tile, classes):
    by = saturated(classes)
    values, _ = zip(*results(by, reduction, tile), strict=True)
    for i, value in enumerate(values):
        with balls.precision(512):
            true, magnitude = loss_and_magnitude(*by.cases.exact(i))
            assert abs(arb(float(value)) - true) <= by.bounds[i] * 2 * U * magnitude, by.cases.families[i]


def loss_and_magnitude(h, B, y, bias, scale, w, c, eps, lam):
    """By balls: the loss; and it with absolute values, with what an error of each logit, to its terms, makes of it."""
    s = of_layer.logits(h, B, bias, scale)
    cap, *numbers = (arb(float(number)) for number in (c, eps, lam, w[y]))
    capped = large_class.cap(s, cap)
    terms = of_terms(capped, int(y), *numbers)
    # ∂loss/∂s' is what would be ∂loss/∂s without a cap.
    slopes = of_layer.logit_gradient(capped, y, w, NO_CAP, eps, lam)
    error = abs(scale) * (balls.as_balls(abs(B)) @ balls.as_balls(abs(h))) + balls.as_balls(abs(bias)) + abs(capped)
    return large_class.cost(capped, int(y), *numbers), terms + abs(slopes) @ error


def of_terms(s, y, eps, lam, w_y):
    """$w_y R + w_y ε/K Σ_k |s_y − s_k| + λ (ln Z)²$: nothing of it cancels."""
    apart = sum(abs(s[y] - s_k) for s_k in s)
    return w_y * (task19_3.R(s, y) + eps / len(s) * apart) + lam * large_class.ln_Z(s) ** 2
