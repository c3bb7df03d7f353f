"""Second derivatives of a scan: where JAX linearizes its body, a rule's own derivative must be found again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads import nn
from manual_grads.formulas import plain
from tests.quick import quick_jit

LABELS, Y = jnp.array([1, 2]), jnp.array([[0.2, 0.3, 0.5], [0.6, 0.0, 0.4]])
# Uneven sums of what is compiled together: none can make up for another.
PAIRS = {
    "activations": (
        lambda s: nn.sigmoid(s) + 2 * nn.softmax(s) - 0.3 * nn.log_softmax(s),
        lambda s: plain.sigmoid(s) + 2 * plain.softmax(s) - 0.3 * plain.log_softmax(s),
    ),
    "losses": (
        lambda s: (nn.softmax_cross_entropy_with_integer_labels(s, LABELS) + 0.7 * nn.softmax_cross_entropy(s, Y))[
            :, None
        ],
        lambda s: (plain.softmax_cross_entropy(s, LABELS) + 0.7 * plain.softmax_cross_entropy(s, Y))[:, None],
    ),
}
X = jnp.array([[0.3, -1.0, 0.5], [2.0, 0.1, -0.4]])
WAYS = {
    "forward over reverse": lambda f: jax.jvp(jax.grad(f), (X,), (jnp.cos(X),))[1],
    "reverse over reverse": lambda f: jax.grad(lambda x: (jax.grad(f)(x) * jnp.cos(X)).sum())(X),
    "reverse over forward": lambda f: jax.grad(lambda x: jax.jvp(f, (x,), (jnp.cos(X),))[1])(X),
}
SMOKE = "sigmoid"
SLOW = "reverse over reverse"  # to compile; what JAX linearizes, the others linearize, too


@pytest.mark.parametrize("checkpoint", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "way", [pytest.param(way, id=name, marks=pytest.mark.slow if name == SLOW else ()) for name, way in WAYS.items()]
)
@pytest.mark.parametrize(
    "pair", [pytest.param(PAIRS[name], id=name, marks=pytest.mark.smoke if name == SMOKE else ()) for name in PAIRS]
)
def test_second_derivatives_of_a_scan(pair, way, checkpoint):
    def scanned(f):
        def step(x, _):
            return x + jnp.sin(f(x)), None

        step = jax.checkpoint(step) if checkpoint else step
        return lambda x: (jax.lax.scan(step, x, None, length=3)[0] ** 2).sum()

    got, want = (np.asarray(quick_jit(lambda f=f: way(scanned(f)))()) for f in pair)
    np.testing.assert_allclose(got, want, atol=1e-5 * abs(want).max())  # some hundred roundings
