"""The forward functions: against the document's literal lines, `jax.nn` and optax, and numbers known by heart."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads as mg
from manual_grads.accuracy.peers import PEERS
from manual_grads.derivations import task18, task19_1, task19_2, task19_3, task21
from manual_grads.formulas import plain
from manual_grads.rules import FLOATS
from tests.quick import quick_jit

LN2, LN3 = np.log(2), np.log(3)


def literal_softmax(s):
    return jnp.stack([task19_1.g(s, k) for k in range(len(s))])


# A function, the document's own line for one example, and arguments: shapes without batch axes, and which have them.
FORWARDS = {
    "sigmoid": (mg.sigmoid, task18.sigma, [()]),
    "softmax": (mg.softmax, literal_softmax, [(3,)]),
    "log_softmax": (mg.log_softmax, lambda s: jnp.log(literal_softmax(s)), [(3,)]),
    "logloss": (mg.logloss, lambda g, y: task19_2.R(g, y), ["probs", "label"]),
    "softmax_cross_entropy": (mg.softmax_cross_entropy, lambda s, y: task19_3.R(s, y), [(3,), "label"]),
    "two_layer_loss": (mg.two_layer_loss, lambda x, A, B, y: task21.R(x, A, B, y), [(5,), (4, 5), (3, 4), "label"]),
}


def draw(kind, random, batch):
    if kind == "label":
        return random.integers(3, size=batch)
    if kind == "probs":
        weights = random.uniform(0.5, 1.5, (*batch, 3))
        return weights / weights.sum(-1, keepdims=True)
    return random.normal(0, 2, (*batch, *kind) if len(kind) < 2 else kind)  # matrices are shared by the batch


# Every dtype in a batch; one example, eager; and in float64, beside the document's own line.
CALLS = [(dtype, True, (2, 7)) for dtype in FLOATS] + [("float32", False, ()), ("float64", True, ())]


@pytest.mark.parametrize(("dtype", "jit", "batch"), CALLS, ids=str)
@pytest.mark.parametrize("name", FORWARDS)
def test_value_is_the_documents(name, dtype, jit, batch):
    function, literal, kinds = FORWARDS[name]
    random = np.random.default_rng(0)
    with jax.enable_x64(True):
        drawn = [draw(kind, random, batch) for kind in kinds]
        args = [jnp.asarray(arg, dtype if arg.dtype == float else jnp.int32) for arg in drawn]
        got = (quick_jit(function) if jit else function)(*args)
        exact = [arg.astype(jnp.float64) if arg.dtype == jnp.dtype(dtype) else arg for arg in args]
        peer = quick_jit(PEERS[getattr(plain, name)])(*exact)
    assert got.dtype == jnp.dtype(dtype)
    chex.assert_shape(got, peer.shape)
    # One rounding to the dtype, and a few in float32 or better before it, relative to terms of a few units.
    tolerance = jnp.finfo(dtype).eps / 2 + 32 * jnp.finfo(jnp.promote_types(dtype, jnp.float32)).eps
    np.testing.assert_allclose(np.asarray(got, np.float64), peer, rtol=float(tolerance), atol=float(tolerance))
    for index in np.ndindex(batch if dtype == "float64" else (0,)):
        one = [e[index] if isinstance(k, str) or len(k) < 2 else e for e, k in zip(exact, kinds, strict=True)]
        one = [int(o) if k == "label" else o for o, k in zip(one, kinds, strict=True)]
        with jax.enable_x64(True):
            want = literal(*one)
        np.testing.assert_allclose(
            np.asarray(got, np.float64)[index], want, rtol=float(tolerance), atol=float(tolerance)
        )


@pytest.mark.parametrize("name", ["logloss", "softmax_cross_entropy", "two_layer_loss"])
def test_a_distribution_is_a_weighted_sum_of_labels(name):
    function, _, kinds = FORWARDS[name]
    random = np.random.default_rng(1)
    with jax.enable_x64(True):
        *args, _ = (draw(kind, random, ()) for kind in kinds)
        y = np.array([0.2, 1.5, 0.7])
        want = sum(weight * function(*args, k) for k, weight in enumerate(y))
        np.testing.assert_allclose(function(*args, y), want, rtol=1e-15)


@pytest.mark.smoke
def test_numbers_known_by_heart():
    with jax.enable_x64(True):
        z, s, probs = jnp.array([0, LN3]), jnp.array([0, LN2, 0]), jnp.array([0.25, 0.75])
        jacobian = np.array([[3, -2, -1], [-2, 4, -2], [-1, -2, 3]]) / 16
        known = {
            mg.sigmoid: ((z,), [0.5, 0.75]),
            mg.sigmoid_grad: ((z,), [0.25, 0.1875]),
            mg.softmax: ((s,), [0.25, 0.5, 0.25]),
            mg.log_softmax: ((s,), -np.log([4, 2, 4])),
            mg.softmax_jacobian: ((s,), jacobian),
            mg.softmax_cross_entropy: ((s, 0), 2 * LN2),
            mg.softmax_cross_entropy_grad: ((s, 0), [-0.75, 0.5, 0.25]),
            mg.softmax_cross_entropy_hessian: ((s, 0), jacobian),
            mg.logloss: ((probs, 0), 2 * LN2),
            mg.logloss_grad: ((probs, 0), [-4, 0]),
        }
        args_of = [args for args, _ in known.values()]
        found = quick_jit(lambda args_of: [f(*args) for f, args in zip(known, args_of, strict=True)])(args_of)
    for got, (function, (_, want)) in zip(found, known.items(), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-15, err_msg=function.__name__)


def test_the_four_factors_multiply_to_the_gradient():
    random = np.random.default_rng(2)
    with jax.enable_x64(True):
        x, A, B = random.normal(size=(2, 5)), random.normal(size=(4, 5)), random.normal(size=(3, 4))
        labels = np.array([2, 0])
        dR_dv, dv_dsigma, dsigma_dw, dw_dx = quick_jit(mg.two_layer_jacobians)(x, A, B, labels)
        product = jnp.einsum("nk,nkh,nhj,nji->ni", dR_dv, dv_dsigma, dsigma_dw, dw_dx)
        chex.assert_trees_all_close(product, quick_jit(mg.two_layer_grads)(x, A, B, labels)[0], rtol=1e-14, atol=1e-16)


@pytest.mark.smoke
def test_mixed_dtypes_give_each_gradient_its_own():
    random = np.random.default_rng(3)
    x, A, B = (
        jnp.asarray(random.normal(size=shape), dtype)
        for shape, dtype in (((2, 5), jnp.float32), ((4, 5), jnp.bfloat16), ((3, 4), jnp.float16))
    )
    labels = jnp.array([2, 0])
    assert mg.two_layer_loss(x, A, B, labels).dtype == jnp.float32
    grads = quick_jit(mg.two_layer_grads)(x, A, B, labels)
    assert [g.dtype for g in grads] == [jnp.float32, jnp.bfloat16, jnp.float16]
    autodiff = quick_jit(jax.grad(lambda x, A, B: mg.two_layer_loss(x, A, B, labels).sum(), argnums=(0, 1, 2)))(x, A, B)
    for mine, jaxs in zip(grads, autodiff, strict=True):
        np.testing.assert_allclose(
            np.asarray(mine, np.float32), np.asarray(jaxs, np.float32), rtol=float(jnp.finfo(mine.dtype).eps), atol=1e-6
        )
