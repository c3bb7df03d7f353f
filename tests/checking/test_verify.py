"""The verdict on a rule: a wrong rule of each common kind, planted, in a batch too, is rejected."""

from functools import wraps

import jax
import jax.numpy as jnp
import pytest

import manual_grads as mg
from manual_grads.checking import GradientMismatch, check_gradient
from manual_grads.checking.verify import BATCH, claims, verify_rule
from manual_grads.formulas.two_layer import backward_pass, forward_pass
from manual_grads.rules import RULES, Rule, Sizes


def two_layer_variant(change):
    """`two_layer_grads` with what `change` makes of the passes."""

    def manual(x, A, B, labels):
        w, h, v = forward_pass(x, A, B)
        dv = mg.softmax_cross_entropy_grad(v, labels)
        return change(x, A, B, w, h, dv)

    return manual


def without_sigmoid_derivative(x, A, B, w, h, dv):
    delta = dv @ B
    return delta @ A, jnp.einsum("...h,...i->hi", delta, x), backward_pass(x, A, B, w, h, dv)[2]


def averaged_over_the_batch(x, A, B, w, h, dv):
    dx, dA, dB = backward_pass(x, A, B, w, h, dv)
    n = max(1, x.size // x.shape[-1])
    return dx, dA / n, dB / n


# name of the rule, what stands in its place, and whether one example shows it: if not, a batch does
WRONG = {
    "sign": ("softmax_cross_entropy_grad", lambda s, y: -mg.softmax_cross_entropy_grad(s, y), True),
    "missing factor": ("sigmoid_grad", lambda z: mg.sigmoid(z), True),
    "wrong by 0.1 %": ("softmax_vjp", lambda s, c: (1.001 * mg.softmax_vjp(s, c)).astype(s.dtype), True),
    "dropped term": ("softmax_jvp", lambda s, t: mg.softmax(s) * t, True),
    "another class": (
        "softmax_cross_entropy_grad",
        lambda s, y: jnp.roll(mg.softmax_cross_entropy_grad(s, y), 1, -1),
        True,
    ),
    "the misprint of 19.2": ("logloss_grad", lambda g, y: -1 / g, True),
    "the square of 19.3": (
        "softmax_cross_entropy_grad",
        lambda s, y: mg.softmax(s) + mg.softmax_cross_entropy_grad(s, y),
        True,
    ),
    "y is assumed to sum to one": ("softmax_cross_entropy_hessian", lambda s, y: mg.softmax_jacobian(s), True),
    "missing sigma'": ("two_layer_grads", two_layer_variant(without_sigmoid_derivative), True),
    "mean, not sum": ("two_layer_grads", two_layer_variant(averaged_over_the_batch), False),
    "not summed over the batch": ("two_layer_grads", lambda *args: jax.vmap(mg.two_layer_grads)(*args), True),
    "wrong only in a batch": ("sigmoid_grad", lambda z: mg.sigmoid_grad(z) * (1 if z.ndim == 0 else 2), False),
    "right value, wrong dtype": ("sigmoid_grad", lambda z: mg.sigmoid_grad(z).astype(jnp.float16), True),
    "NaN": ("sigmoid_grad", lambda z: jnp.where(z > 3, jnp.nan, mg.sigmoid_grad(z)), True),
}
# As "dropped term" is, of the same rules; and as "wrong only in a batch", of one that compiles in a tenth of the time.
SLOW = {
    "y is assumed to sum to one",
    "sign",
    "wrong by 0.1 %",
    "another class",
    "the square of 19.3",
    "missing sigma'",
    "mean, not sum",
}


@pytest.mark.usefixtures("shared_oracles", "undiagnosed")
@pytest.mark.parametrize("kind", [pytest.param(k, marks=[pytest.mark.slow] if k in SLOW else []) for k in WRONG])
def test_a_planted_error_is_rejected(kind):
    name, manual, shown_by_one = WRONG[kind]
    rule = RULES[name]
    manual = wraps(rule.manual)(manual)
    for what, args, by, _, _ in claims(rule, 0):
        if what.startswith("one example") != shown_by_one:
            continue
        try:
            check_gradient(rule.forward, manual, args, by, dtypes=["float32"], thorough=False)
        except (GradientMismatch, TypeError, ValueError):
            return
    raise AssertionError(f"{kind} passed")


def test_what_fails_and_what_raises_is_recorded():
    rule = RULES["sigmoid_grad"]
    verdict = verify_rule(rule._replace(manual=lambda z: 2 * mg.sigmoid_grad(z)), thorough=False)
    assert not verdict.passed
    assert [failure.split(":")[0] for failure in verdict.failures] == [
        "sigmoid_grad, one example",
        "sigmoid_grad, a batch",
    ]
    assert "a constant factor 2" in verdict.failures[0]
    broken = verify_rule(rule._replace(manual=lambda z: {}["mine"]), thorough=False)
    assert "KeyError: 'mine'; raised by the manual gradient; check: eager" in broken.failures[0]


@pytest.mark.smoke
def test_what_is_claimed_of_a_network():
    names = [what for what, *_ in claims(RULES["two_layer_grads"], 0)]
    assert names == [
        "one example, class indices",
        "a batch, class indices",
        "one example, distributions",
        "a batch, distributions",
    ]
    assert len({*Sizes()[1:4], BATCH[0] * BATCH[1]}) == 4  # no two axes, of a batch in one, of equal length


def test_a_rule_without_batch_axes_claims_nothing_of_batches():
    def example(key, dtype, sizes):
        return (jnp.ones(3, dtype),)

    rule = Rule("cube_grad", lambda x: 3 * x**2, lambda x: (x**3).sum(), jax.grad, "", example, ())
    ((what, _, _, _, thorough),) = claims(rule, 0)
    assert (what, thorough) == ("one example", True)
    assert verify_rule(rule, thorough=False).passed


@pytest.mark.smoke
def test_examples_differ_between_arguments_and_seeds():
    (_, first, *_), (_, second, *_) = (next(claims(RULES["softmax_jvp"], seed)) for seed in (0, 1))
    assert not jnp.array_equal(first[0], first[1])
    assert not jnp.array_equal(first[0], second[0])
