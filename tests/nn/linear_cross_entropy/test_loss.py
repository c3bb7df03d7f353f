"""Values and gradients are the dense ones, for every N, H and K, however they are cut into tiles."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from manual_grads.nn import linear_softmax_cross_entropy
from tests.nn.linear_cross_entropy.truth import check, problem, truth
from tests.quick import quick_jit

ROUNDOFF = {"float32": 2.0**-24, "float64": 2.0**-53, "bfloat16": 2.0**-24, "float16": 2.0**-24}
STORED = {"float32": 0, "float64": 0, "bfloat16": 2.0**-8, "float16": 2.0**-11}


def dense(h, B, y):
    return optax.softmax_cross_entropy_with_integer_labels(h @ B.T, y)


def weights_of(reduction, count):
    return {"sum": np.ones(count), "mean": np.full(count, 1 / count), "none": np.linspace(-1, 1, count)}[reduction]


def result(h, B, y, reduction, transform=quick_jit, **options):
    """What `Result` has, the gradients being those of the reduced loss; for "none", of a weighted sum."""

    def reduced(h, B):
        loss = linear_softmax_cross_entropy(h, B, y, reduction=reduction, **options)
        return (loss * weights_of("none", len(y)).astype(loss.dtype)).sum() if reduction == "none" else loss

    def everything(h, B):
        loss = linear_softmax_cross_entropy(h, B, y, reduction="none", **options)
        return loss, *jax.value_and_grad(reduced, (0, 1))(h, B)

    with jax.enable_x64(h.dtype == np.float64):
        loss, value, (dh, dB) = transform(everything)(jnp.asarray(h), jnp.asarray(B))
        assert loss.dtype == value.dtype == jnp.promote_types(h.dtype, jnp.float32)
        assert (dh.dtype, dB.dtype) == (h.dtype, B.dtype)
    loss, value = np.asarray(loss), np.asarray(value)
    np.testing.assert_allclose(value, (loss * weights_of(reduction, len(y))).sum(), rtol=1e-5, atol=1e-6)
    return loss, dh, dB


# More examples than hidden units and fewer; tiles that fit and that leave a rest; all of the classes in a tile.
CUTS = [
    pytest.param((13, 3, 29), {}, id="one tile"),
    pytest.param((13, 3, 29), {"block_classes": 7}, id="logits of some kept in dB"),
    pytest.param((13, 7, 29), {"block_classes": 10}, id="and of the others beside it"),
    pytest.param((5, 17, 31), {"block_classes": 10}, id="logits of all kept in dB"),
    pytest.param((13, 3, 29), {"block_rows": 4}, id="blocks of examples"),
    pytest.param((7, 2, 12), {"block_rows": 3, "block_classes": 4}, id="both"),
    pytest.param((3, 2, 1), {}, id="one class"),
]


@pytest.mark.parametrize("reduction", ["mean", pytest.param("none", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("sizes", "options"), CUTS)
def test_values_and_gradients_are_the_true_ones(sizes, options, reduction):
    h, B, y = problem(*sizes)
    got = result(h, B, y, reduction, **options)
    check(got, *truth(h, B, y, weights_of(reduction, len(y))), ROUNDOFF["float32"])


@pytest.mark.parametrize(
    ("dtype", "options"),
    [
        ("float64", {"block_rows": 4, "block_classes": 11}),
        ("bfloat16", {"block_classes": 7}),
        ("float16", {"block_rows": 4, "block_classes": 11}),
    ],
)
def test_in_every_dtype(dtype, options):
    h, B, y = problem(13, 3, 29, dtype)
    want = truth(h, B, y, weights_of("sum", len(y)), G_roundoff=STORED[dtype] / ROUNDOFF[dtype])
    check(result(h, B, y, "sum", **options), *want, ROUNDOFF[dtype], STORED[dtype])


@pytest.mark.parametrize("dtype", ["bfloat16", pytest.param("float16", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("precision", "power"), [("default", 1), ("high", 2), ("highest", np.inf)])
def test_G_is_rounded_once_or_split_in_two_or_stays_as_it_is(dtype, precision, power):
    """To u, to u², or not at all, u being half an ULP of the 16-bit format."""
    h, B, y = problem(13, 3, 29, dtype)
    want = truth(h, B, y, weights_of("sum", len(y)), G_roundoff=STORED[dtype] ** power / ROUNDOFF[dtype])
    got = result(h, B, y, "sum", block_classes=7, precision=precision)
    check(got, *want, ROUNDOFF[dtype], STORED[dtype])


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"block_classes": 97}, {"block_rows": 101, "block_classes": 509}], ids=str)
@pytest.mark.parametrize("sizes", [(211, 17, 1009), (31, 67, 4099), (257, 5, 20011)], ids=str)
def test_prime_sizes(sizes, options):
    h, B, y = problem(*sizes)
    for reduction in ("mean", "none"):
        got = result(h, B, y, reduction, **options)
        check(got, *truth(h, B, y, weights_of(reduction, len(y))), ROUNDOFF["float32"])


@pytest.mark.slow
def test_eager_as_jitted():
    h, B, y = problem(7, 2, 12)
    got = result(h, B, y, "sum", transform=lambda f: f, block_classes=5)
    check(got, *truth(h, B, y, weights_of("sum", len(y))), ROUNDOFF["float32"])


@pytest.mark.smoke
def test_saturated_examples_keep_their_digits():
    """The label has nearly all the probability: 1 − g_y and R are small, and no difference of larger numbers."""
    h, B, y = np.array([[20], [30]], np.float32), np.array([[1], [0], [0], [0]], np.float32), np.array([0, 0])
    want, _ = truth(h, B, y, np.ones(2))
    for value, true in zip(result(h, B, y, "sum", jax.jit, block_classes=3), want, strict=False):
        assert (true != 0).all()
        np.testing.assert_allclose(value, true, rtol=16 * 2.0**-24)  # the logits are exact: a few roundings are left


def test_extreme_logits():
    """Differences of logits that exp can't hold, in tiles whose largest come first and last."""
    h, B = np.array([[1e3], [-1e3]], np.float32), np.linspace(-3, 3, 13).astype(np.float32)[:, None]
    h, y = np.tile(h, (3, 1)), np.array([0, 0, 12, 12, 6, 7])
    want, bounds = truth(h, B, y, np.ones(6))
    check(result(h, B, y, "sum", block_classes=4), want, bounds, ROUNDOFF["float32"])


@pytest.mark.smoke
@pytest.mark.parametrize("reduction", ["mean", pytest.param("none", marks=pytest.mark.slow)])
def test_vmap_and_batch_axes(reduction):
    h, B, y = problem(12, 3, 11)
    loss = partial(linear_softmax_cross_entropy, reduction=reduction, block_classes=4)

    def grads(h, B, y):
        return jax.grad(lambda h, B: loss(h, B, y).sum(), (0, 1))(h, B)

    mapped = quick_jit(jax.vmap(grads, (0, None, 0)))(h.reshape(3, 4, 3), B, y.reshape(3, 4))
    for i in range(3):
        c = np.full(4, 1 / 4) if reduction == "mean" else np.ones(4)
        want, bounds = truth(h[4 * i : 4 * i + 4], B, y[4 * i : 4 * i + 4], c)
        check((want.loss, mapped[0][i], mapped[1][i]), want, bounds, ROUNDOFF["float32"])
    batched = quick_jit(grads)(h.reshape(3, 4, 3), B, y.reshape(3, 4))
    want, bounds = truth(h, B, y, np.full(12, 1 / 12) if reduction == "mean" else np.ones(12))
    check((want.loss, batched[0].reshape(12, 3), batched[1]), want, bounds, ROUNDOFF["float32"])


@pytest.mark.parametrize("reduction", [pytest.param("sum", marks=pytest.mark.slow), "none"])
def test_under_checkpoint_and_scan(reduction):
    h, B, y = problem(12, 3, 11)

    def total(h, B):
        @jax.checkpoint
        def step(total, part):
            return total + linear_softmax_cross_entropy(*part, reduction=reduction, block_classes=4).sum(), None

        parts = (h.reshape(3, 4, 3), jnp.broadcast_to(B, (3, *B.shape)), jnp.asarray(y).reshape(3, 4))
        return jax.lax.scan(step, 0.0, parts)[0]

    want, bounds = truth(h, B, y, np.ones(12))
    check((want.loss, *quick_jit(jax.grad(total, (0, 1)))(h, B)), want, bounds, ROUNDOFF["float32"])


def test_forward_mode_and_second_derivatives():
    h, B, y = problem(4, 3, 7)
    t = problem(4, 3, 7, seed=1)[:2]

    def mine(h, B):
        return linear_softmax_cross_entropy(h, B, y, block_classes=3)

    def other(h, B):
        return dense(h, B, y).mean()

    def derivatives(f, h, B):
        return {
            "jvp": jax.jvp(f, (h, B), t),
            "forward over reverse": jax.jvp(jax.grad(f, (0, 1)), (h, B), t),
            "reverse over reverse": jax.grad(lambda h, B: (jax.grad(f)(h, B) * t[0]).sum(), (0, 1))(h, B),
        }

    got, want = (quick_jit(partial(derivatives, f))(h, B) for f in (mine, other))
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5), got, want)


def test_second_derivatives_in_bfloat16():
    """Of tiles of the weights: before JAX 0.12 the rule of a `custom_jvp` function inside another's is forgotten."""
    h, B, y = problem(4, 3, 7, "bfloat16")

    def along_itself(f, h, B):
        return jax.jvp(jax.grad(f, (0, 1)), (h, B), (h, B))[1]

    got = quick_jit(partial(along_itself, lambda h, B: linear_softmax_cross_entropy(h, B, y, block_classes=3)))(h, B)
    exact = (jnp.asarray(x, jnp.float32) for x in (h, B))
    want = quick_jit(partial(along_itself, lambda h, B: dense(h, B, y).mean()))(*exact)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(jnp.float32(a), b, atol=2.0**-6 * abs(b).max())  # of the largest, 4 roundings


def test_the_rate_of_16_bits_is_added_up_in_float32():
    """Along a direction of the weights alone, whose gradient is kept in bfloat16."""
    h, B, y = problem(13, 3, 29, "bfloat16")
    f = quick_jit(lambda B: jax.jvp(lambda B: linear_softmax_cross_entropy(h, B, y), (B,), (B,)))
    value, rate = f(jnp.asarray(B))
    assert value.dtype == rate.dtype == jnp.float32
    want, _ = truth(h, B, y, np.full(13, 1 / 13))
    terms = want.dB * np.float64(B)
    assert abs(rate - terms.sum()) <= 2.0**-7 * abs(terms).sum()  # G and dB are rounded, to 2⁻⁹ each


def test_forward_mode_of_each_example_s_loss_is_refused():
    h, B, y = problem(4, 3, 7)
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(lambda h: linear_softmax_cross_entropy(h, B, y, reduction="none"), (h,), (h,))


def test_float16_survives_loss_scaling():
    """A gradient that float16 flushes to zero isn't rounded before it is scaled."""
    h, B, y = problem(512, 2, 5, "float16", scale=1e-4)

    def scaled(h, B):
        return 2.0**15 * linear_softmax_cross_entropy(h, B, y, block_classes=2)

    want, bounds = truth(h, B, y, np.full(512, 2.0**15 / 512), G_roundoff=STORED["float16"] / ROUNDOFF["float16"])
    got = jax.jit(jax.grad(scaled, (0, 1)))(h, B)
    check((want.loss, *got), want, bounds, ROUNDOFF["float16"], STORED["float16"])


@pytest.mark.parametrize("exponent", [20, -20])
def test_float16_holds_the_products_of_any_weight(exponent):
    """G is too large for float16, or has 4 bits left in it; but the product with features that make up for it isn't."""
    h, B, y = problem(13, 3, 29, "float16", scale=2.0 ** (-exponent / 2))
    B = np.float16(2.0**-10) * B
    c = np.full(13, 2.0**exponent)

    def weighted(B):
        losses = linear_softmax_cross_entropy(h, B, y, reduction="none", block_classes=7)
        return c.astype(np.float32) @ losses, losses

    want, bounds = truth(h, B, y, c, G_roundoff=STORED["float16"] / ROUNDOFF["float16"])
    dB, losses = quick_jit(jax.grad(weighted, has_aux=True))(jnp.asarray(B))
    check((losses, want.dh, dB), want, bounds, ROUNDOFF["float16"], STORED["float16"])


@pytest.mark.parametrize("argument", [0, 1])
def test_one_gradient_alone(argument):
    h, B, y = problem(13, 3, 29)
    f = quick_jit(jax.grad(lambda h, B: linear_softmax_cross_entropy(h, B, y, block_classes=7), argument))
    want, bounds = truth(h, B, y, np.full(13, 1 / 13))
    both = [want.dh, want.dB]
    both[argument] = f(h, B)
    check((want.loss, *both), want, bounds, ROUNDOFF["float32"])
