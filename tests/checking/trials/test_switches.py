"""The numbers at which a forward switches are found to the last bit, in the format that they are tried in."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking.arrays import computing_in
from manual_grads.checking.claim import as_claim
from manual_grads.checking.trials.switches import at_switches

X = np.array([0.3, -1.2, 2.0])


def switches(f, *args, fmt="float32"):
    """What is tried of the first argument."""
    claim, example = as_claim(f, jax.grad(f), args or (X,), jax.grad)
    dtypes = [np.dtype(fmt) if x.dtype.kind == "f" else x.dtype for x in example]
    with computing_in(fmt):
        return [arrays[0] for _, arrays in at_switches(claim, example, dtypes)]


@pytest.mark.smoke
@pytest.mark.parametrize("fmt", ["float16", "float32", "float64"])
@pytest.mark.parametrize("k", [3.7, 0.1, -1 / 3, 123.0])
def test_a_switch_is_found_exactly(k, fmt):
    all_of_them, one = switches(lambda v: jnp.where(v < k, v, 2 * v - k).sum(), fmt=fmt)
    exact = np.dtype(fmt).type(k)
    np.testing.assert_array_equal(all_of_them, np.full(3, exact))
    assert (one == exact).sum() == 1
    assert all_of_them.dtype == fmt


@pytest.mark.parametrize(
    ("f", "at"),
    [
        (lambda v: jnp.clip(v, -0.5, 2.5).sum(), {-0.5, 2.5}),
        (lambda v: jnp.abs(2 * v - 3).sum(), {1.5}),
        (lambda v: jnp.minimum(v, 7).sum(), {7}),
        (lambda v: jax.nn.relu6(v).sum(), {6}),
        (lambda v: jax.jit(lambda u: jnp.sign(u + 4) * u)(v).sum(), {-4}),
        (lambda v: jax.nn.relu(v).sum(), set()),  # at zero, which is tried anyway
        (lambda v: jnp.tanh(v).sum(), set()),
        (lambda v: jnp.where(v * v < -1, v, 2 * v).sum(), set()),  # never
        (lambda v: jnp.maximum(v - v.mean(), 0).sum(), set()),  # not entry by entry
    ],
)
def test_what_is_compared_with_what(f, at):
    assert set(np.ravel(switches(f)[::2]).tolist()) == at


def test_each_entry_has_its_own():
    y = np.array([1, -1, 2])
    all_of_them, _ = switches(lambda w, y: jnp.maximum(0, 1 - y * w).sum(), X, y)
    np.testing.assert_array_equal(all_of_them, np.array([1, -1, 0.5]))


def test_what_has_none_keeps_the_example():
    k = jnp.array([0.7, 3e5, 0.7])  # beyond all that is tried
    all_of_them, _ = switches(lambda v: jnp.where(v < k, v, 2 * v).sum())
    np.testing.assert_array_equal(all_of_them, np.array([0.7, -1.2, 0.7], np.float32))


def test_what_calls_python_or_can_not_be_looked_into_is_left():
    def looped(v):
        return jax.lax.fori_loop(0, 3, lambda _, u: jnp.where(u < 3.7, u, 2 * u), v).sum()

    assert switches(looped) == []
