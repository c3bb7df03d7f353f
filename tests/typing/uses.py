"""Typical uses, each of which type checkers accept and Python runs; and misuses, which both refuse.

Pyright and mypy check this file in CI. An ignored line that isn't wrong is an error to them, as is a wrong one that
isn't ignored.
"""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import manual_grads as mg
from manual_grads import nn
from manual_grads.checking import GradientMismatch, check_gradient
from manual_grads.rules import RULES, derivative_of, hvp, jvp, value, vjp

LIST = [1.0, 2.0, 3.0]
ROWS = [[1.0, 2.0, 3.0], [0.5, 0.0, -1.0]]
NUMPY = np.array(ROWS, np.float32)
JAX = jnp.asarray(NUMPY)
A, B = [[0.1, -0.2, 0.3], [0.4, 0.5, -0.6]], [[0.7, 0.8], [-0.9, 1.0], [0.2, 0.3]]


def numbers() -> None:
    """Python's and NumPy's numbers, where a formula is elementwise."""
    results: list[jax.Array] = [mg.sigmoid(0.5), mg.sigmoid_grad(np.float32(0.5)), nn.sigmoid(0.5)]
    assert all(result.shape == () for result in results)


def lists() -> None:
    """Lists and tuples of numbers, nested for each axis."""
    assert mg.sigmoid_jacobian(LIST).shape == (3, 3)
    assert mg.softmax((1.0, 2.0)).shape == (2,)
    assert mg.softmax([ROWS, ROWS]).shape == (2, 2, 3)
    assert mg.log_softmax([JAX, JAX]).shape == (2, 2, 3)
    assert mg.softmax_jacobian(ROWS).shape == (2, 3, 3)
    assert mg.softmax_jvp(ROWS, ROWS).shape == mg.softmax_vjp(ROWS, NUMPY).shape == (2, 3)
    assert mg.logloss([0.2, 0.8], 1).shape == ()
    assert mg.logloss_grad([[0.2, 0.8], [0.5, 0.5]], [1, 0]).shape == (2, 2)
    assert mg.softmax_cross_entropy(ROWS, [2, 0]).shape == (2,)
    assert mg.softmax_cross_entropy_grad(ROWS, [[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]]).shape == (2, 3)
    assert mg.softmax_cross_entropy_jvp(LIST, 2, LIST).shape == ()
    assert mg.softmax_cross_entropy_vjp(ROWS, [2, 0], [1.0, 0.5]).shape == (2, 3)
    assert mg.softmax_cross_entropy_hessian(LIST, 2).shape == (3, 3)
    assert mg.softmax_cross_entropy_hvp(LIST, 2, LIST).shape == (3,)
    assert mg.two_layer_loss(LIST, A, B, 2).shape == ()
    dx, dA, dB = mg.two_layer_grads(ROWS, A, B, [2, 0])
    assert (dx.shape, dA.shape, dB.shape) == ((2, 3), (2, 3), (3, 2))
    assert len(mg.two_layer_vjp(ROWS, A, B, [2, 0], [1.0, 0.5])) == 3
    assert len(mg.two_layer_jacobians(LIST, A, B, 2)) == 4


def arrays() -> None:
    """Arrays of NumPy and of JAX."""
    assert mg.softmax(NUMPY).shape == mg.softmax(JAX).shape == (2, 3)
    assert mg.softmax_cross_entropy(JAX, np.array([2, 0])).shape == (2,)
    assert mg.softmax_cross_entropy_grad(NUMPY, jnp.array([2, 0])).shape == (2, 3)
    assert jax.grad(lambda s: mg.softmax_cross_entropy(s, [2, 0]).sum())(JAX).shape == (2, 3)


def drop_ins() -> None:
    """The functions of `nn`, with their options."""
    assert nn.softmax(ROWS, axis=0).shape == nn.log_softmax(NUMPY, axis=(0, 1)).shape == (2, 3)
    assert nn.softmax(JAX, -1, where=[True, False, True]).shape == (2, 3)
    assert nn.softmax_cross_entropy(ROWS, NUMPY, where=NUMPY > 0).shape == (2,)
    assert nn.softmax_cross_entropy_with_integer_labels(ROWS, [2, 0], axis=-1).shape == (2,)
    assert nn.two_layer_loss(LIST, A, B, 2).shape == ()
    assert nn.linear_softmax_cross_entropy(ROWS, A, [1, 0]).shape == ()
    each = nn.linear_softmax_cross_entropy(NUMPY, A, np.array([1, 0]), where=[True, False], reduction="none")
    assert each.shape == (2,)


def checks() -> None:
    """Checking a gradient, and claiming one."""
    report = check_gradient(lambda x: (x**2).sum(), lambda x: 2 * x, (NUMPY,), thorough=False)
    assert report.passed and isinstance(str(report), str)
    try:
        check_gradient(lambda x: (x**2).sum(), lambda x: x, [np.ones(2)], by=jax.grad, dtypes=["float32"], seed=1)
    except GradientMismatch as error:
        assert error.diagnosis and not error.report.passed
    transforms: list[Callable[..., Any]] = [value, vjp, jvp, hvp]
    assert [transform(jnp.sum) for transform in transforms]

    @derivative_of(jnp.sin, by=jax.grad, example=lambda key, dtype, sizes: (jnp.ones((), dtype),))
    def cosine_of_uses(x: jax.Array) -> jax.Array:
        return jnp.cos(x)

    del RULES["cosine_of_uses"]
    assert cosine_of_uses(JAX).shape == (2, 3)


RIGHT = (numbers, lists, arrays, drop_ins, checks)
WRONG: tuple[Callable[[], object], ...] = (
    lambda: mg.softmax("abc"),  # type: ignore
    lambda: mg.softmax(["one", "two"]),  # type: ignore
    lambda: mg.softmax(None),  # type: ignore
    lambda: mg.softmax({1.0, 2.0}),  # type: ignore
    lambda: mg.sigmoid([{"z": 1.0}]),  # type: ignore
    lambda: mg.softmax(LIST, axis=0),  # type: ignore
    lambda: mg.softmax_cross_entropy(LIST),  # type: ignore
    lambda: mg.softmax_cross_entropy(LIST, "2"),  # type: ignore
    lambda: mg.two_layer_grads(LIST, A, B, None),  # type: ignore
    lambda: nn.softmax(LIST, axis="last"),  # type: ignore
    lambda: nn.softmax_cross_entropy_with_integer_labels(ROWS, [2, 0], axis=None),  # type: ignore
    lambda: nn.linear_softmax_cross_entropy(ROWS, A, [1, 0], reduction="median"),  # type: ignore
    lambda: check_gradient(jnp.sum, None, (NUMPY,)),  # type: ignore
    lambda: check_gradient(jnp.sum, jnp.ones_like, (NUMPY,), check=True),  # type: ignore
)
