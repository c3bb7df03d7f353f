"""The exported forwards may be differentiated by JAX, also where the faster exponentials are large or far below 1."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads as mg
from tests.quick import quick_jit

LABEL = jnp.zeros(410, jnp.int32)


@pytest.mark.parametrize(
    "loss",
    [
        pytest.param(lambda s: mg.softmax_cross_entropy(s, LABEL), id="index"),
        pytest.param(
            lambda s: mg.softmax_cross_entropy(s, jax.nn.one_hot(LABEL, 10)), id="distribution", marks=pytest.mark.slow
        ),
        pytest.param(lambda s: -mg.log_softmax(s)[:, 0], id="log_softmax", marks=pytest.mark.slow),
        pytest.param(lambda s: -jnp.log(mg.softmax(s)[:, 0]), id="softmax", marks=pytest.mark.smoke),
    ],
)
def test_once_and_twice(loss):
    random = np.random.default_rng(0)
    derivative = jax.grad(lambda s: loss(s).sum())
    product = quick_jit(lambda s, t: jax.jvp(derivative, (s,), (t,)))
    by_hand = quick_jit(
        lambda s, t: (mg.softmax_cross_entropy_grad(s, LABEL), mg.softmax_cross_entropy_hvp(s, LABEL, t))
    )
    for largest in (63.9, 64.1, 0.0, -1000.0):
        s = jnp.asarray(largest - random.uniform(0, 5, (410, 10)), jnp.float32).at[:, 3].set(largest)
        t = jnp.asarray(random.normal(0, 1, s.shape), jnp.float32)
        once, twice = product(s, t)
        # Autodiff's own cancellations, g − 1 among them, are absolute errors of some u.
        want_once, want_twice = by_hand(s, t)
        np.testing.assert_allclose(once, want_once, atol=2e-6)
        np.testing.assert_allclose(twice, want_twice, atol=2e-5)
