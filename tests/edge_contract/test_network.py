"""Rows of docs/edge-contract.md: the two-layer network, and no examples for every function."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads as mg
from manual_grads.rules import RULES, Sizes
from tests.edge_contract.functions import network
from tests.quick import quick_jit

NAN, LN3 = np.nan, np.log(3)
A, B = np.array([[1.0], [-1.0]]), np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 4.0]])
DV = np.array([-2, 1, 1]) / 3  # g − y where v's entries are equal and the label is 0


def of_one_example(way, **wanted):
    """A batch's dA and dB are sums: see the tests of the rules, and `test_sum_over_a_batch`."""
    return wanted if way == "eager" else {}


def test_saturated_hidden_units(check, largest, way):
    """w = ±4·largest, which float32 and float64 round to ±∞: σ(w) is 1 and 0, σ′(w) is 0."""
    dB = np.stack([DV, 0 * DV], -1)
    gradients = of_one_example(way, dA=0, vjp_A=0, dB=dB, vjp_B=2 * dB)
    check(network, [[4.0]], [0], [2.0], shared=(largest * A, B), loss=LN3, dv=DV, dx=0, vjp_x=0, dsigma=0, **gradients)


def test_no_hidden_units(check, way):
    gradients = of_one_example(way, dA=0, dB=0)
    check(network, [[4.0]], [0], [2.0], shared=(A[:0], B[:, :0]), loss=LN3, dv=DV, dx=0, vjp_x=0, **gradients)


def test_no_inputs(check, way):
    gradients = of_one_example(way, dA=0, dB=np.stack([DV, DV], -1) / 2)
    B_of_equal_rows = np.ones((3, 2))
    check(network, np.zeros((1, 0)), [0], [2.0], shared=(A[:, :0], B_of_equal_rows), loss=LN3, dv=DV, **gradients)


def test_nan_input(check, way):
    gradients = of_one_example(way, **dict.fromkeys(["dA", "dB", "vjp_A", "vjp_B"], NAN))
    check(network, [[NAN]], [0], [0.0], shared=(A, B), loss=NAN, dx=NAN, vjp_x=NAN, dv=NAN, **gradients)


@pytest.mark.parametrize("way", ["vmap", "batch"])
def test_traced_label_outside_the_classes_of_a_network(check):
    weights = (0 * A, np.ones((3, 2)))
    outside = np.array([[NAN], [0], [NAN], [0]])
    labels, cotangents = [3, 0, -1, 0], [0.0] * 4  # a cotangent of 0 doesn't undo a NaN
    wanted = {"loss": LN3 + outside[:, 0], "dv": DV + outside, "dx": outside, "vjp_x": outside}
    check(network, [[0.0]] * 4, labels, cotangents, shared=weights, **wanted)


@pytest.mark.smoke
def test_sums_over_a_batch(dtype):
    """One NaN is in all of dA and dB, since it is in their sums."""
    with jax.enable_x64(dtype == "float64"):
        inputs, nan_input, *weights, cotangents = (
            jnp.array(numbers, dtype) for numbers in ([[2], [1]], [[NAN], [1]], A, B, [0, 1])
        )
        _, *nan_input = quick_jit(mg.two_layer_grads)(nan_input, *weights, jnp.array([0, 1]))
        _, *nan_label = quick_jit(mg.two_layer_vjp)(inputs, *weights, jnp.array([3, 1]), cotangents)
    for gradient in (*nan_input, *nan_label):
        assert np.isnan(gradient).all()


# What is computed of nothing is the same in every dtype: that of the results is `eval_shape`'s to say.
@pytest.mark.parametrize(
    ("dtype", "call"),
    [
        pytest.param("float32", lambda f: f, id="float32-eager"),
        pytest.param("bfloat16", quick_jit, id="bfloat16-jit"),
        *(
            pytest.param(dtype, quick_jit, id=f"{dtype}-jit", marks=pytest.mark.everything)
            for dtype in ("float16", "float32", "float64")
        ),
    ],
)
@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_no_examples(rule, call, dtype):
    for soft_labels in rule.label_kinds:
        none, one = (Sizes(batch=batch, soft_labels=soft_labels) for batch in ((2, 0), (2, 1)))
        with jax.enable_x64(dtype == "float64"):
            got = call(rule.manual)(*rule.example(jax.random.key(0), jnp.dtype(dtype), none))
            shapes = jax.eval_shape(rule.manual, *rule.example(jax.random.key(0), jnp.dtype(dtype), one))
        outputs = zip(jax.tree.leaves(got), jax.tree.leaves(shapes), strict=True)
        for position, (output, of_one) in enumerate(outputs):
            is_sum = position in rule.summed
            assert output.shape == (of_one.shape if is_sum else (2, 0, *of_one.shape[2:]))
            assert output.dtype == dtype
            np.testing.assert_array_equal(output, 0)  # the sums of none
