"""The harness must reject what is wrong: a wrong rule of each common kind, planted, in float32 and bfloat16 too."""

from functools import wraps

import jax
import jax.numpy as jnp
import pytest

import manual_grads as mg
from manual_grads.checking.claims import BATCH, DTYPES, assert_claim, assert_close, calls, label_kinds
from manual_grads.formulas.two_layer import backward_pass, forward_pass
from manual_grads.rules import RULES, Sizes


def two_layer_variant(change):
    """`two_layer_grads` with δ, x, dv and h replaced by what `change` makes of them."""

    def manual(x, A, B, labels):
        w, h, v = forward_pass(x, A, B)
        dv = mg.softmax_cross_entropy_grad(v, labels)
        return change(x, A, B, w, h, dv)

    return manual


def without_sigmoid_derivative(x, A, B, w, h, dv):
    delta = dv @ B
    return delta @ A, jnp.einsum("...h,...i->hi", delta, x), backward_pass(x, A, B, w, h, dv)[2]


def with_dA_as_transpose(x, A, B, w, h, dv):
    dx, dA, dB = backward_pass(x, A, B, w, h, dv)
    return dx, dA.T, dB


def averaged_over_the_batch(x, A, B, w, h, dv):
    dx, dA, dB = backward_pass(x, A, B, w, h, dv)
    n = max(1, x.size // x.shape[-1])
    return dx, dA / n, dB / n


WRONG = {
    "sign": ("softmax_cross_entropy_grad", lambda s, y: -mg.softmax_cross_entropy_grad(s, y)),
    "missing factor": ("sigmoid_grad", lambda z: mg.sigmoid(z)),
    "factor of two": ("softmax_cross_entropy_grad", lambda s, y: 2 * mg.softmax_cross_entropy_grad(s, y)),
    "wrong by 1%": ("softmax_vjp", lambda s, c: (1.01 * mg.softmax_vjp(s, c)).astype(s.dtype)),
    "dropped term": ("softmax_jvp", lambda s, t: mg.softmax(s) * t),
    "only the diagonal": ("softmax_jacobian", lambda s: mg.softmax_jacobian(s) * jnp.eye(s.shape[-1], dtype=s.dtype)),
    "only off the diagonal": (
        "softmax_jacobian",
        lambda s: mg.softmax_jacobian(s) * (1 - jnp.eye(s.shape[-1], dtype=s.dtype)),
    ),
    "another class": ("softmax_cross_entropy_grad", lambda s, y: jnp.roll(mg.softmax_cross_entropy_grad(s, y), 1, -1)),
    "the misprint of 19.2": ("logloss_grad", lambda g, y: -1 / g),
    "the square of 19.3": (
        "softmax_cross_entropy_grad",
        lambda s, y: mg.softmax(s) + mg.softmax_cross_entropy_grad(s, y),
    ),
    "y is assumed to sum to one": (
        "softmax_cross_entropy_hessian",
        lambda s, y: mg.softmax_jacobian(s),
    ),
    "transpose": ("two_layer_grads", two_layer_variant(with_dA_as_transpose)),
    "missing sigma'": ("two_layer_grads", two_layer_variant(without_sigmoid_derivative)),
    "mean, not sum": ("two_layer_grads", two_layer_variant(averaged_over_the_batch)),
    "not summed over the batch": ("two_layer_grads", lambda *args: jax.vmap(mg.two_layer_grads)(*args)),
    "wrong only in a batch": ("sigmoid_grad", lambda z: mg.sigmoid_grad(z) * (1 if z.ndim == 0 else 2)),
    "right value, wrong dtype": ("sigmoid_grad", lambda z: mg.sigmoid_grad(z).astype(jnp.float16)),
    "NaN": ("sigmoid_grad", lambda z: jnp.where(z > 3, jnp.nan, mg.sigmoid_grad(z))),
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
def test_a_planted_error_is_rejected(kind, dtype):
    name, manual = WRONG[kind]
    rule = RULES[name]
    wrong = rule._replace(manual=manual)

    def check():
        for soft_labels in label_kinds(rule):
            assert_claim(wrong._replace(manual=named_like(rule.manual, manual)), dtype, soft_labels)

    with pytest.raises((AssertionError, TypeError, ValueError)):
        check()


def named_like(original, manual):
    """`manual` with the original's signature, from which the calls take the names of arguments."""

    return wraps(original)(lambda *args: manual(*args))


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_error_of_a_few_ulp_is_rejected(dtype):
    rule = RULES["sigmoid_grad"]
    with jax.enable_x64(dtype == "float64"):
        off = 1 + 100 * jnp.finfo(dtype).eps
        wrong = rule._replace(manual=named_like(rule.manual, lambda z: (mg.sigmoid_grad(z) * off).astype(z.dtype)))
        with pytest.raises(AssertionError, match="sigmoid_grad"):
            assert_claim(wrong, dtype)


def test_calls_cover_every_way_to_batch():
    names = [call.name for call in calls(RULES["two_layer_grads"], "float32")]
    assert names == [
        "single",
        "vmap",
        "batch",
        "vmap of batch",
        "vmap over x",
        "vmap over A",
        "vmap over B",
        "vmap over labels",
    ]
    assert len({*BATCH, *Sizes()[1:4]}) == 5  # no two axes of equal length


def test_examples_differ_between_arguments_and_seeds():
    first, second = (calls(RULES["softmax_jvp"], "float32", seed=seed)[0].args for seed in (0, 1))
    assert not jnp.array_equal(first[0], first[1])
    assert not jnp.array_equal(first[0], second[0])


def test_close_means_the_same_tree_shape_and_dtype():
    one = jnp.ones(3)
    assert_close(one, jnp.ones(3), "float32")
    for got, dtype in (
        ((one,), "float32"),
        (one[None], "float32"),
        (one, "bfloat16"),
        (one.at[0].set(jnp.nan), "float32"),
    ):
        with pytest.raises(AssertionError):
            assert_close(got, jnp.ones(3), dtype)
