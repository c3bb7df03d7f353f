"""Products of lower precision: what their rounding does is allowed where the caller grants it, and nothing else is."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking import GradientMismatch, check_gradient, check_rule
from manual_grads.rules import vjp

MANTISSA_BITS = {"tensorfloat32": 10, "bfloat16": 7}
RANDOM = np.random.default_rng(1)
X, W, C = (RANDOM.normal(size=shape).astype(np.float32) for shape in ((4, 6), (6, 5), (4, 5)))


def product(a, b, fmt):
    """What an accelerator does: operands in the format, exact products, sums in float32."""
    if fmt is None:
        return a @ b
    narrow = partial(jax.lax.reduce_precision, exponent_bits=8, mantissa_bits=MANTISSA_BITS[fmt])
    return narrow(a) @ narrow(b)


def forward(x, w):
    return jnp.tanh(x @ w)


def by_hand(fmt, factor=1.0):
    def layer_vjp(x, w, c):
        h = jnp.tanh(product(x, w, fmt))
        d = c * (1 - h**2)
        return factor * product(d, w.T, fmt), product(x.T, d, fmt)

    return layer_vjp


check = partial(check_gradient, forward, args=(X, W, C), by=partial(vjp, argnums=(0, 1)), dtypes="float32")


@pytest.mark.parametrize(
    "thorough", [pytest.param(False, marks=pytest.mark.smoke), pytest.param(True, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("fmt", MANTISSA_BITS)
def test_what_is_granted_is_allowed_and_no_wrong_factor(fmt, thorough):
    report = check(by_hand(fmt), products=fmt, thorough=thorough)
    assert any(f"products={fmt!r}" in note for note in report.notes)
    assert report.judged > 0.8
    with pytest.raises(GradientMismatch):
        check(by_hand(fmt, 1.1), products=fmt, thorough=thorough)


@pytest.mark.parametrize(
    ("fmt", "granted"), [("tensorfloat32", None), ("bfloat16", None), ("bfloat16", "tensorfloat32")]
)
def test_what_is_not_granted_is_rejected(fmt, granted):
    with pytest.raises(GradientMismatch):
        check(by_hand(fmt), products=granted)


def test_float64_is_not_granted_anything():
    with pytest.raises(GradientMismatch, match="float64"):
        check(by_hand("bfloat16"), products="bfloat16", dtypes="float64")


def test_other_operations_are_granted_nothing():
    def rounded(x):
        return jax.lax.reduce_precision(1 - jnp.tanh(x) ** 2, 8, 10)

    with pytest.raises(GradientMismatch):
        check_gradient(lambda x: jnp.sum(jnp.tanh(x)), rounded, (X,), products="bfloat16", dtypes="float32")


def test_a_rule_with_such_products():
    @jax.custom_vjp
    def layer(x, w):
        return forward(x, w)

    layer.defvjp(lambda x, w: (forward(x, w), (x, w)), lambda kept, c: by_hand("tensorfloat32")(kept[0], kept[1], c))
    assert check_rule(layer, (X, W), dtypes="float32", thorough=False, products="tensorfloat32").passed
    with pytest.raises(GradientMismatch, match="check_rule"):
        check_rule(layer, (X, W), dtypes="float32", thorough=False)
