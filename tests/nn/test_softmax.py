"""`nn.softmax` and `nn.log_softmax` in place of those of `jax.nn`."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads as mg
from manual_grads import nn
from tests.dominance import dominated, jacobian_of, ulp
from tests.nn.peers import PEERS, assert_same, residuals
from tests.quick import quick_jit

BOTH = pytest.mark.parametrize("function", [nn.softmax, nn.log_softmax], ids=lambda f: f.__name__)
X = np.random.default_rng(0).normal(0, 2, (2, 3, 4))


@BOTH
@pytest.mark.parametrize("axis", [1, (2, 0)], ids=str)
def test_value_and_derivatives_are_those_of_jax(function, axis):
    assert_same(function, X, axis=axis)


@pytest.mark.smoke
def test_where_too():
    """But for log-softmax: there jax.nn's minus infinities are no use to the sums that are compared."""
    assert_same(nn.softmax, X, axis=1, where=X[..., :1] > -1)


@BOTH
def test_masks_of_any_shape_that_broadcasts(function):
    x = X[:1].astype(np.float32)
    masks = ((-1, X[0] > 0), (1, X > 0), ((0, 1), X[:, :1] > 0), (None, np.array(True)))

    def masked(f):
        return quick_jit(lambda x: [f(x, axis=axis, where=where) for axis, where in masks])(x)

    for got, want in zip(masked(function), masked(PEERS[function]), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@BOTH
def test_masked_classes_cost_nothing_whatever_they_hold(function):
    x = jnp.array([[1.0, jnp.nan, 2.0, jnp.inf], [jnp.nan, jnp.inf, -jnp.inf, 3.0]])
    where = jnp.array([[True, False, True, False], [False] * 4])
    masked = 0 if function is nn.softmax else -jnp.inf
    want = jnp.full_like(x, masked).at[0, ::2].set(function(x[0, ::2]))
    np.testing.assert_array_equal(function(x, where=where), want)
    want = np.zeros((2, 4, 2, 4))
    want[0, ::2, 0, ::2] = quick_jit(jax.jacobian(function))(x[0, ::2])

    @quick_jit
    def derivatives(x):
        of_x = partial(function, where=where)
        return (jax.jacrev(of_x)(x), jax.jacfwd(of_x)(x)), (jax.vjp(of_x, x)[1](x)[0], jax.jvp(of_x, (x,), (x,))[1])

    jacobians, products = derivatives(x)
    for jacobian in jacobians:
        np.testing.assert_allclose(jacobian, want, rtol=1e-6)
    for product in products:
        assert jnp.isfinite(product).all()  # directions that hold NaN at masked classes, too


@pytest.mark.smoke
@BOTH
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_the_formulas_values_and_only_g_kept(function, dtype):
    x = jnp.asarray(X[0], dtype)
    np.testing.assert_array_equal(function(x), getattr(mg, function.__name__)(x))
    assert function(x).dtype == dtype
    assert residuals(function, x) == [(x.shape, dtype)]


@BOTH
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_tangents_of_16_bits_are_float32_s_rounded_once(function, dtype):
    """Of the same g, which is kept in 16 bits; 1000 classes, lest roundings of 16 bits average out."""
    x, t = (jnp.asarray(np.random.default_rng(i).normal(0, 2, 1000), dtype) for i in range(2))
    got = jax.jit(lambda x, t: jax.jvp(function, (x,), (t,))[1])(x, t)
    g = np.asarray(mg.softmax(x), np.float64)
    want = (np.asarray(t, np.float64) - g @ np.asarray(t, np.float64)) * (g if function is nn.softmax else 1)
    normal = abs(want) > float(jnp.finfo(dtype).tiny)
    error = abs(np.asarray(got, np.float64) - want)[normal] / abs(want[normal])
    # Half an ULP, and what float32 rounds in a difference of the size of t.
    assert np.median(error) < float(jnp.finfo(dtype).eps) / 2
    assert (error < float(jnp.finfo(dtype).eps) * 0.51).mean() > 0.99


@BOTH
def test_of_a_mask_nothing_but_the_mask_is_kept_beside_g(function):
    kept = residuals(lambda x: function(x, where=X[0] > 0), jnp.asarray(X[0], jnp.float32))
    assert sum(np.prod(shape) * jnp.dtype(dtype).itemsize for shape, dtype in kept if dtype != "bool") == 4 * 12
    assert all(shape == (3, 4) for shape, _ in kept)


@BOTH
def test_integers_become_floats(function):
    for dtype in ("int32", "int8", "uint8"):
        got = function(jnp.array([3, 1, 2], dtype))
        assert got.dtype == jnp.float32
        np.testing.assert_array_equal(got, function(jnp.array([3.0, 1.0, 2.0])))


@BOTH
@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3)], ids=str)
def test_nothing_gives_nothing(function, shape):
    assert function(jnp.zeros(shape)).shape == shape


@BOTH
@pytest.mark.parametrize("by", [jax.jacfwd, jax.jacrev], ids=["forward", "reverse"])
def test_derivatives_keep_their_digits_where_a_class_has_nearly_everything(function, by):
    """J has 1 − g_i, to within 8 ULP."""
    of = jax.jit(by(function))
    for others in (1e-3, 1e-6, 1e-12):
        s = np.full(50, np.log(others / 49))
        s[7] = 0
        s = s.astype(np.float32).astype(np.float64)
        g = np.exp(s) / np.exp(s).sum()
        jacobian = np.eye(50) - g
        jacobian[7, 7] = np.exp(np.delete(s, 7)).sum() / np.exp(s).sum()
        if function is nn.softmax:
            jacobian *= g[:, None]
        np.testing.assert_allclose(of(s.astype(np.float32)), jacobian, rtol=1e-6)


@BOTH
@pytest.mark.parametrize("by", [jax.jacfwd, jax.jacrev], ids=["forward", "reverse"])
def test_derivatives_keep_their_digits_where_a_class_has_more_than_half(function, by):
    """Shares from a half to nearly one: the dominant class's own entry, 1 − g_i, to within 8 ULP."""
    logits = dominated(np.random.default_rng(1).uniform(0.5, 0.99, 200))
    true = jacobian_of(logits)[:, 3, 3]
    if function is nn.log_softmax:
        g = np.exp(logits.astype(float))
        true = true / (g[:, 3] / g.sum(1))
    assert ulp(jax.jit(jax.vmap(by(function)))(logits)[:, 3, 3], true) <= 8


@BOTH
def test_two_classes_with_nearly_half_each(function):
    s = np.array([0.1, 0.0, -2.0])
    g = np.exp(s) / np.exp(s).sum()
    jacobian = (np.eye(3) - g) * (g[:, None] if function is nn.softmax else 1)
    np.testing.assert_allclose(quick_jit(jax.jacobian(function))(jnp.float32(s)), jacobian, rtol=1e-6)


@BOTH
@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda f: f(1.0), ValueError, "axis -1 is out of bounds"),
        (lambda f: f(jnp.zeros(3), axis=1), ValueError, "axis 1 is out of bounds"),
        (lambda f: f(jnp.zeros(3), where=jnp.array([1, 0, 1])), ValueError, "where has dtype int32"),
        (lambda f: f(jnp.zeros(3), where=jnp.array([True, False])), ValueError, r"where has shape \(2,\)"),
        (lambda f: f(jnp.array([True])), TypeError, "x has dtype bool"),
        (lambda f: f(jnp.array([1j])), TypeError, "x has dtype complex64"),
        (lambda f: f(None), TypeError, "x"),
    ],
)
def test_bad_input_is_refused(function, call, error, words):
    with pytest.raises(error, match=words):
        call(function)
