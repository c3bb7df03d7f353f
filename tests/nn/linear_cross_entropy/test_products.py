"""What is multiplied, to which precision, as the program is lowered for each platform; and the digits that it costs."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from manual_grads.nn import linear_softmax_cross_entropy
from tests.nn.linear_cross_entropy.lowered import products, text_for
from tests.nn.linear_cross_entropy.truth import problem, truth
from tests.quick import quick_jit

SIZES = (300, 40, 5000)
CUT = {"block_rows": 128, "block_classes": 1024}
NARROW = {"bfloat16": "bf16", "float16": "f16"}
PRECISIONS: Any = (None, "high", "highest")
PLATFORMS = ["cuda", "tpu", pytest.param("rocm", marks=pytest.mark.slow), "cpu"]
WAYS = [{"reduction": "mean"}, {"reduction": "none"}, {"reduction": "sum", "argnums": 0}]


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(
    ("dtype", "precision"),
    [
        ("bfloat16", None),
        ("bfloat16", "high"),
        ("float16", None),
        pytest.param("float16", "high", marks=pytest.mark.slow),
        *(pytest.param(dtype, "default", marks=pytest.mark.slow) for dtype in NARROW),
    ],
)
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_products_of_16_bits_are_of_16_bits_and_added_up_in_float32(platform, dtype, way, precision):
    found = products(text_for(platform, SIZES, dtype, **way, **CUT, precision=precision))
    assert found
    assert {product.dtypes for product in found} == {(NARROW[dtype], NARROW[dtype], "f32")}
    assert {product.precision for product in found} == {"DEFAULT"}


def counted(text):
    """The number of products whose result is a tile of logits, and of the others, in a program of one block."""
    found = products(text)
    tiles = [product for product in found if product.shape == (5000, 300)]
    return len(tiles), len(found) - len(tiles)


@pytest.mark.smoke
@pytest.mark.parametrize(("precision", "gradients"), [(None, 2), ("default", 2), ("high", 4), ("highest", 2)])
def test_high_is_two_products_for_each_gradient(precision, gradients):
    assert counted(text_for("cuda", SIZES, precision=precision)) == (1, gradients)


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_highest_is_what_it_says(platform):
    """The logits' factors are 16-bit numbers, whose products are exact; G's aren't."""
    found = products(text_for(platform, SIZES, precision="highest"))
    assert {product.precision for product in found} == {"HIGHEST"}
    assert [product.dtypes[0] for product in found] == ["bf16", "f32", "f32"]


@pytest.mark.parametrize("dtypes", [("float32", "float32"), ("bfloat16", "float32"), ("bfloat16", "float16")])
def test_other_products_are_of_full_precision(dtypes):
    h, B, y = problem(13, 3, 29)
    args = jnp.asarray(h, dtypes[0]), jnp.asarray(B, dtypes[1])
    text = jax.jit(jax.grad(lambda h, B: linear_softmax_cross_entropy(h, B, y), (0, 1))).lower(*args).as_text()
    assert {product.precision for product in products(text)} == {"HIGHEST"}


@pytest.mark.parametrize(
    ("precision", "default", "found"),
    [
        (None, None, "HIGHEST"),
        (None, "high", "HIGH"),
        (None, "default", "DEFAULT"),
        (None, "bfloat16", "DEFAULT"),
        ("default", None, "DEFAULT"),
        ("high", "highest", "HIGH"),
        ("highest", "default", "HIGHEST"),
    ],
)
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_the_precision_of_float32_is_what_is_asked_for_or_else_jax_s_own_setting(precision, default, found, reduction):
    """Also of products that JAX traces when the setting has ended: those of a backward pass."""
    h, B, y = (jnp.asarray(x) for x in problem(13, 3, 29))

    def forward(h, B):
        with jax.default_matmul_precision(default):
            return linear_softmax_cross_entropy(h, B, y, precision=precision, reduction=reduction).sum()

    text = jax.jit(jax.grad(forward, (0, 1))).lower(h, B).as_text()
    assert {product.precision for product in products(text)} == {found}


def errors(h, B, y, got):
    """How far dh and dB are from the truth: the root of the mean square, relative to the gradient's own."""
    (_, *want), _ = truth(h, B, y, np.full(len(y), 1 / len(y)))
    pairs = zip(got, want[:2], strict=True)
    return [float(np.linalg.norm(np.float64(mine) - true) / np.linalg.norm(true)) for mine, true in pairs]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("sizes", [(31, 17, 211), (101, 61, 1009)], ids=str)
def test_16_bits_are_never_further_from_the_truth_than_dense_and_high_is_as_good_as_highest(sizes, dtype, seed):
    examples, hidden, classes = sizes
    h, B, y = problem(examples, hidden, classes, dtype, scale=0.5, seed=seed)
    h, B = jnp.asarray(h), jnp.asarray(B)

    losses: dict[Any, Any] = {
        precision: lambda h, B, precision=precision: linear_softmax_cross_entropy(h, B, y, precision=precision)
        for precision in PRECISIONS
    }
    losses["dense"] = lambda h, B: optax.softmax_cross_entropy_with_integer_labels(h @ B.T, y).mean()
    gradients = quick_jit(lambda h, B: [jax.grad(loss, (0, 1))(h, B) for loss in losses.values()])(h, B)
    off = {name: errors(h, B, y, gradient) for name, gradient in zip(losses, gradients, strict=True)}
    for argument in (0, 1):
        assert off[None][argument] <= off["dense"][argument]
        assert off["high"][argument] <= 4 * off["highest"][argument]


def test_high_is_nearly_float32_where_the_gradient_is_not_rounded_to_16_bits():
    """Along a direction, in float32: G's two parts have 16 bits of it, where one has 8."""
    h, B, y = problem(101, 61, 1009, "bfloat16", scale=0.5)
    h, B = jnp.asarray(h), jnp.asarray(B)
    want, _ = truth(h, B, y, np.full(101, 1 / 101))

    def off(precision):
        def loss(scale):
            return linear_softmax_cross_entropy(h, B, y, logit_scale=scale, precision=precision)

        got = quick_jit(jax.grad(loss))(jnp.float32(1))
        return abs(float(got) - float(want.dscale)) / abs(float(want.dscale))

    assert off("high") < 2.0**-15
    assert off("highest") < 2.0**-15
