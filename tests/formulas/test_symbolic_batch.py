"""Functions may be exported for a batch whose size is a symbol, as a served model's is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import manual_grads as mg
from manual_grads import nn


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(mg.softmax, id="softmax", marks=pytest.mark.smoke),
        pytest.param(mg.softmax_jacobian, id="softmax_jacobian", marks=pytest.mark.slow),
        pytest.param(lambda s: mg.softmax_vjp(s, s), id="softmax_vjp", marks=pytest.mark.slow),
        pytest.param(lambda s: mg.softmax_cross_entropy_grad(s, s.argmax(-1)), id="softmax_cross_entropy_grad"),
        pytest.param(lambda s: mg.softmax_cross_entropy(s, s), id="softmax_cross_entropy", marks=pytest.mark.slow),
        pytest.param(
            jax.value_and_grad(lambda s: nn.log_softmax(s).sum()), id="nn.log_softmax", marks=pytest.mark.slow
        ),
    ],
)
def test_any_number_of_rows(function):
    """Also so many that the quick forms would be taken, if their number were known."""
    shape = export.symbolic_shape("batch, 10")
    exported = export.export(jax.jit(function))(jax.ShapeDtypeStruct(shape, jnp.float32))
    for rows in (1, 3, 1000):
        s = np.random.default_rng(rows).normal(size=(rows, 10)).astype(np.float32)
        # One rounding more or less for each of ten terms.
        jax.tree.map(
            lambda got, want: np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6), exported.call(s), function(s)
        )
