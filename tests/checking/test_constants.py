"""A table of NumPy that a function closes over has the format of the setting that it is traced under."""

import gc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking import GradientMismatch, check_gradient
from manual_grads.checking.constants import _ConstantOf, keep_settings_apart

X = np.array([0.3, -1.2, 2.0], np.float32)
TABLE = np.array([0.5, 0.3, 0.2])  # float64
ROTATED = {"by": np.array([[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])}
SCALE = np.float64(2.5)


@jax.jit
def filtered(x):
    return jnp.convolve(x, TABLE, mode="same")


@pytest.mark.parametrize(
    ("forward", "manual"),
    [
        (lambda x: (x * TABLE).sum(), lambda x: TABLE * jnp.ones_like(x)),
        (lambda x: x @ TABLE, lambda x: (TABLE * jnp.ones_like(x)).astype(x.dtype)),
        pytest.param(
            lambda x: ((ROTATED["by"] @ x) ** 2).sum() * SCALE,
            lambda x: 2 * SCALE * (ROTATED["by"].T @ (ROTATED["by"] @ x)),
            marks=pytest.mark.slow,
        ),
        (lambda x: (filtered(x) ** 2).sum(), lambda x: 2 * filtered(filtered(x)[::-1])[::-1]),
    ],
    ids=["elementwise", "product", "in a dictionary", "in a jitted function"],
)
def test_a_table_may_be_closed_over(forward, manual):
    assert check_gradient(forward, manual, (X,), thorough=False).passed
    with pytest.raises(GradientMismatch, match="constant factor"):
        check_gradient(forward, lambda x: 1.5 * manual(x), (X,), thorough=False)


@pytest.mark.smoke
def test_a_function_that_was_used_before_the_check():
    def forward(x):
        return (filtered(x) * TABLE).sum()

    forward(X)
    assert check_gradient(forward, jax.grad(forward), (X,)).passed
    assert forward(X).dtype == jnp.float32


def test_an_array_has_one_constant_in_each_setting_as_long_as_it_is_used():
    assert keep_settings_apart()
    constant_of = _ConstantOf(lambda x: x.view(Constant), jax.dtypes.canonicalize_dtype)
    table = TABLE.copy()
    first = constant_of(table)
    assert first.dtype == np.float32
    assert constant_of(table) is first
    with jax.enable_x64(True):
        assert constant_of(table).dtype == np.float64
    del first, table
    gc.collect()
    assert not constant_of.known


class Constant(np.ndarray):
    """An array that has an identity of its own."""
