"""The stable forms of softmax: where one class has more than half of everything, though not nearly all of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.formulas.stable.softmax import jacobian_product, log_probabilities, weighted_jacobian
from tests.dominance import dominated, jacobian_of, ulp

# Shares of one class: a threshold of dominance above a half shows between it and a half.
SHARES = np.random.default_rng(1).uniform(0.5, 0.99, 400)
LOGITS = dominated(SHARES)
TRUE = jacobian_of(LOGITS)


@pytest.mark.smoke
def test_jacobian():
    """Within the 8 ULP that are promised; with the difference 1 − g_k for the dominant class, 17 and more."""
    assert ulp(jax.jit(weighted_jacobian)(np.ones(len(LOGITS), np.float32), LOGITS), TRUE) <= 8


def test_product_with_the_dominant_class_s_own_direction():
    """$J e_3$ is a column of J: nothing cancels in it, if t is shifted by its third entry."""
    t = jnp.zeros_like(LOGITS).at[:, 3].set(1)
    assert ulp(jax.jit(jacobian_product)(LOGITS, t, np.ones(len(LOGITS), np.float32)), TRUE[:, :, 3]) <= 8


def test_logarithm():
    """$ln g_3$ is small, and log1p of the others' share: 4 ULP of a single row."""
    shifted = LOGITS.astype(np.float64) - LOGITS[:, 3:4]
    others = np.exp(np.delete(shifted, 3, axis=1)).sum(1)
    got = jax.jit(log_probabilities)(LOGITS)
    assert ulp(got[:, 3], -np.log1p(others)) <= 4
    assert ulp(got, shifted - np.log1p(others)[:, None]) <= 4


@pytest.mark.parametrize(
    ("weight", "s"), [(2.0**60, [0, -45, -45]), (2.0**-40, [0, -20, -20]), (2.0**-66, [0, 1]), (2.0**-66, [0, 0, 0])]
)
def test_weighted_products_of_small_probabilities_do_not_underflow(weight, s):
    """$g_1 g_2 = e^{-90}$ is subnormal, $w$ times it isn't; nor are the products of the exponentials, for a small w."""
    s = np.array(s, np.float32)
    got = jax.jit(weighted_jacobian)(np.float32(weight), s)
    np.testing.assert_allclose(got, weight * jacobian_of(s[None])[0], rtol=1e-6)
