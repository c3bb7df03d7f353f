"""`nn`'s cross-entropies in place of optax's: axes, masks, labels, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads import nn
from tests.nn.peers import PEERS, assert_same

RANDOM = np.random.default_rng(0)
S = RANDOM.normal(0, 2, (2, 3, 4))
Y = RANDOM.uniform(-0.2, 1, (2, 3, 4))  # sums to anything
AXES = pytest.mark.parametrize("axis", [-1, 0, (1, 2), (2, 1), (-1, 0), (0, 1, 2)], ids=str)
distribution, index = nn.softmax_cross_entropy, nn.softmax_cross_entropy_with_integer_labels
nan, inf = jnp.nan, jnp.inf


def labels_for(axis, s=S):
    """Class indices for each example."""
    axes = np.atleast_1d(axis) % s.ndim
    batch = [n for a, n in enumerate(s.shape) if a not in axes]
    return np.random.default_rng(1).integers(np.prod([s.shape[a] for a in axes]), size=batch)


@AXES
def test_indices_along_any_axes(axis):
    assert_same(of_logits_alone(index, labels_for(axis)), S, axis=axis)


@AXES
def test_distributions_along_any_axes(axis):
    assert_same(distribution, S, Y, axis=axis)


def test_distributions_along_all_axes():
    assert_same(distribution, S, Y, axis=None)


@pytest.mark.parametrize("axis", [0, (2, 1)], ids=str)
def test_masks_of_examples(axis):
    where = np.random.default_rng(2).random(labels_for(axis).shape) > 0.4
    assert_same(of_logits_alone(index, labels_for(axis)), S, axis=axis, where=where)
    assert_same(of_logits_alone(distribution, Y), S, axis=axis, where=where)


@pytest.mark.parametrize(("axis", "shape"), [(-1, (2, 3, 4)), ((2, 1), (2, 3, 4)), (0, (1, 3, 4))], ids=str)
def test_masks_of_logits(axis, shape):
    """Labels whose class is left out are among them, and examples of which nothing is left."""
    where = np.random.default_rng(3).random(shape) > 0.5
    assert_same(of_logits_alone(index, labels_for(axis)), S, axis=axis, where=where)
    assert_same(of_logits_alone(distribution, Y), S, axis=axis, where=where)


def of_logits_alone(function, labels):
    """The function of logits alone, with its peer: of masked labels, optax's derivatives are NaN."""

    def of_logits(s, **options):
        return function(s, labels, **options)

    PEERS[of_logits] = lambda s, **options: PEERS[function](s, jnp.asarray(labels), **options)
    return of_logits


@pytest.mark.parametrize("call", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_what_is_masked_costs_nothing_whatever_it_holds(call):
    """The first example has two classes left, the second none."""
    s = jnp.array([[1.0, nan, 2.0, inf], [nan, inf, -inf, 3.0]])
    where = jnp.array([[True, False, True, False], [False] * 4])
    y, i = jnp.array([[0.25, nan, 0.5, inf], [nan] * 4]), jnp.array([2, -100])

    def check(results, left):
        for got, of_left in zip(results, jax.tree.leaves(left), strict=True):
            want = jnp.zeros(s.shape[: got.ndim]).at[(0, slice(None, None, 2))[: got.ndim]].set(of_left)
            np.testing.assert_allclose(got, want, rtol=1e-6)

    for mask in (where, where.at[:, 1].set(False)):

        def with_indices(s):
            return index(s, i, where=mask)

        def with_distributions(s, y):
            return distribution(s, y, where=mask)

        left = s[0, ::2], y[0, ::2]
        check(
            [call(with_indices)(s), *call(diagonals(with_indices, 1))(s)],
            [index(left[0], 1), jax.grad(index)(left[0], 1)],
        )
        check(
            [call(with_distributions)(s, y), *call(diagonals(with_distributions, 2))(s, y)],
            [distribution(*left), *jax.grad(distribution, (0, 1))(*left)],
        )


def diagonals(f, count):
    """Each example's own gradients, by forward and by reverse mode, which must be the same."""

    def gradients(*args):
        forward = jax.jacfwd(f, tuple(range(count)))(*args)
        reverse = jax.jacrev(f, tuple(range(count)))(*args)
        return [jnp.where(a == b, jnp.einsum("iik->ik", a), nan) for a, b in zip(forward, reverse, strict=True)]

    return gradients
