"""The derivative rules of the cross-entropies: their accuracy, what they keep, and the transforms they go through."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads import nn
from tests.nn.peers import residuals
from tests.quick import quick_jit

index = nn.softmax_cross_entropy_with_integer_labels
RANDOM = np.random.default_rng(0)
S = jnp.asarray(RANDOM.normal(0, 2, (4, 5)), jnp.float32)
LABELS = jnp.array([0, 3, 4, 1])
Y = jax.nn.one_hot(LABELS, 5)
LOSSES = {"index": (index, LABELS), "one-hot": (nn.softmax_cross_entropy, Y)}
EITHER = pytest.mark.parametrize("loss", LOSSES)
# Rows that are few, and enough for the faster exponentials.
SIZES = pytest.mark.parametrize("rows", [1, 64])


@pytest.mark.smoke
@EITHER
@SIZES
def test_derivatives_keep_their_digits_where_the_label_has_nearly_everything(loss, rows):
    """The label's entry of the gradient, −(1 − g_i), and of the Hessian, g_i (1 − g_i), to within 8 ULP.

    But for what adding takes in the Hessian.
    """
    f, label = LOSSES[loss][0], np.full(rows, 7) if loss == "index" else np.eye(100, dtype=np.float32)[[7] * rows]
    value_and_gradient = jax.jit(jax.vmap(jax.value_and_grad(f)) if rows == 1 else batched(f))
    hessian_of = jax.jit(jax.hessian(f))
    for others in (1e-3, 1e-9, 1e-17):
        s = np.full(100, np.log(others / 99))
        s[7] = 0
        s = np.broadcast_to(s.astype(np.float32), (rows, 100))
        g = np.exp(s[0].astype(np.float64))
        total, rest = g.sum(), np.delete(g, 7).sum()
        gradient = g / total
        gradient[7] = -rest / total
        hessian = np.diag(g / total) - np.outer(g, g) / total**2
        hessian[7, 7] = g[7] * rest / total**2
        values, gradients = value_and_gradient(s, label)
        np.testing.assert_allclose(values, np.full(rows, np.log1p(rest / g[7])), rtol=1e-6)
        np.testing.assert_allclose(gradients, np.broadcast_to(gradient, s.shape), rtol=1e-6)
        if rows == 1:
            # The label's own entry is g_i times the sum of the others, 99 positive numbers that XLA adds in an order of
            # its own (one after the other in JAX 0.12): 98 additions, each off by u = 2⁻²⁴ of no more than the sum.
            tolerance = 1e-6 * hessian + 1e-30
            tolerance[7, 7] += 98 * 2.0**-24 * hessian[7, 7]
            assert (np.abs(hessian_of(s[0], label[0]) - hessian) <= np.abs(tolerance)).all()


def batched(f):
    """Values and gradients by the function's own batch axis."""

    def both(s, label):
        return f(s, label), jax.grad(lambda s: f(s, label).sum())(s)

    return both


@EITHER
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_of_the_logits_only_their_gradient_is_kept(loss, dtype):
    f, labels = LOSSES[loss]
    labels = labels if loss == "index" else labels.astype(dtype)
    assert residuals(lambda s: f(s, labels), S.astype(dtype)) == [(S.shape, dtype)]


def test_of_the_labels_only_their_gradient_is_kept():
    assert residuals(lambda y: nn.softmax_cross_entropy(S, y), Y) == [(S.shape, "float32")]
    assert residuals(nn.softmax_cross_entropy, S, Y) == [(S.shape, "float32")] * 2


@EITHER
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_the_rate_of_16_bits_is_added_up_in_float32(loss, dtype):
    """Of the same gradient, which is kept in 16 bits, along a direction in which its terms cancel."""
    f, labels = LOSSES[loss]
    labels = labels if loss == "index" else labels.astype(dtype)
    s = S.astype(dtype)
    gradient = jax.jit(jax.grad(lambda s: f(s, labels).sum()))(s)
    t = np.asarray(jnp.cos(S), np.float64)
    exact = np.asarray(gradient, np.float64)
    t[:, 0] -= (exact * t).sum(-1) / exact[:, 0]
    t = jnp.asarray(t, dtype)
    rate = jax.jit(lambda s, t: jax.jvp(lambda s: f(s, labels), (s,), (t,))[1])(s, t)
    terms = exact * np.asarray(t, np.float64)
    # A few roundings of float32, of terms that cancel, and one of 16 bits.
    allowed = 2.0**-21 * abs(terms).sum(-1) + float(jnp.finfo(dtype).eps) / 2 * abs(terms.sum(-1))
    assert (abs(np.asarray(rate, np.float64) - terms.sum(-1)) <= allowed).all()


@EITHER
def test_the_loss_alone_computes_no_gradient(loss):
    f, labels = LOSSES[loss]
    both = "loss_and_gradient"  # loss and gradient, in one
    assert both not in str(jax.make_jaxpr(f)(S, labels))
    assert both in str(jax.make_jaxpr(jax.grad(lambda s: f(s, labels).sum()))(S))


def transforms():
    """Ways to the gradient of the mean loss, each of a function of the logits and the labels that follow them."""

    def plain(f):
        return jax.grad(lambda s, y: f(s, y).mean())

    def checkpointed(f):
        return jax.grad(lambda s, y: jax.checkpoint(f)(s, y).mean())

    def linearized(f):
        def gradient(s, y):
            tangent = jax.linearize(lambda s: f(s, y).mean(), s)[1]
            return jax.vmap(tangent)(jnp.eye(s.size).reshape(s.size, *s.shape)).reshape(s.shape)

        return gradient

    def forward(f):
        return jax.jacfwd(lambda s, y: f(s, y).mean())

    def scanned(f):
        def loss(s, y):
            return jax.lax.scan(lambda total, row: (total + f(*row), None), 0.0, (s, y))[0] / len(s)

        return jax.grad(loss)

    def vmapped(f):
        return lambda s, y: jax.vmap(jax.grad(f))(s, y) / len(s)

    def sharded(f):
        spec = jax.sharding.PartitionSpec("examples")
        mesh = jax.make_mesh((1,), ("examples",), axis_types=(jax.sharding.AxisType.Auto,))
        return jax.shard_map(
            jax.grad(lambda s, y: jax.lax.pmean(f(s, y).mean(), "examples")), mesh=mesh, in_specs=spec, out_specs=spec
        )

    return (plain, checkpointed, linearized, forward, scanned, vmapped, sharded)


@pytest.mark.parametrize("loss", ["index", pytest.param("one-hot", marks=pytest.mark.slow)])
@pytest.mark.parametrize("transform", transforms(), ids=lambda transform: transform.__name__)
def test_every_transform_gives_the_same_gradient(loss, transform):
    f, labels = LOSSES[loss]
    want = (np.exp(S) / np.exp(S).sum(-1, keepdims=True) - Y) / 4
    np.testing.assert_allclose(quick_jit(transform(f))(S, labels), want, rtol=1e-5, atol=1e-7)  # some ULP of g, minus y


@pytest.mark.smoke
@pytest.mark.parametrize("order", [3, 4])
def test_higher_derivatives_are_those_of_the_logarithm(order):
    """Along one logit, ln(1 + e^z) − z: its derivatives, beyond the second, by finite differences in float64."""

    def lower(z):
        return index(jnp.stack([z, jnp.zeros_like(z)]), 0)

    with jax.enable_x64(True):
        for _ in range(order - 1):
            lower = jax.grad(lower)
        z, step = jnp.array(0.7), 1e-5
        of_lower = jax.jit(lower)
        difference = (of_lower(z + step) - of_lower(z - step)) / (2 * step)
        np.testing.assert_allclose(
            jax.jit(jax.grad(lower))(z), difference, rtol=1e-8
        )  # of a step of 1e-5: 1e-10, and rounding
