"""Slopes on both sides of kinks that entries share; and which results are gradients at all."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking import check_gradient
from manual_grads.checking.arrays import computing_in
from manual_grads.checking.claim import as_claim
from manual_grads.checking.truth.compiled import compiled_oracles
from manual_grads.checking.truth.evaluated import evaluated
from manual_grads.checking.truth.gradients import Gradient, gradients_in
from manual_grads.checking.truth.one_sided import one_sided
from manual_grads.rules import jvp, value_and_vjp, vjp

x = np.ones(3)


def at_zero(f, size=3):
    """The slopes of f at 0, beside a point of ones."""
    with computing_in("float64"):
        claim, example = as_claim(f, jax.grad(f), (np.ones(size),), jax.grad)
        oracles = compiled_oracles(claim, example, 2.0**-52, thorough=True)
        points = [np.stack([np.ones(size), np.zeros(size)])]
        value = [np.asarray(oracles.value(*points))]
        return one_sided(oracles, points, evaluated(oracles, points, value, np.array([True, False]), 2.0**-24))


@pytest.mark.smoke
@pytest.mark.parametrize("sign", [1, -1])
def test_a_norm_s_slopes_are_the_lengths_of_the_directions(sign):
    sides = at_zero(lambda x: sign * jnp.sqrt((x * x).sum()))
    assert sides is not None
    lengths = np.linalg.norm(sides.directions, axis=-1)
    np.testing.assert_array_equal(sides.points, [1])
    np.testing.assert_allclose([sides.low, sides.high], [-lengths, lengths], rtol=1e-6)
    # A gradient of ones is beyond that in some direction, the first axis in none.
    assert (np.abs(sides.directions.sum(-1)) > lengths + sides.allowance).any()
    assert (np.abs(sides.directions[..., 0]) <= lengths).all()


def test_where_the_forward_is_neither_convex_nor_concave_nothing_is_said():
    """Slopes that are right for each relu may add up to what lies outside of the sum's own."""
    sides = at_zero(lambda x: jax.nn.relu(x[0] + x[1]) + jax.nn.relu(x[0] - x[1]) - 3 * jax.nn.relu(x[0]), size=2)
    assert sides is not None
    assert not len(sides.points)


def test_what_is_smooth_has_none():
    assert at_zero(lambda x: (x**2).sum()) is None


@pytest.mark.parametrize(
    ("by", "args", "expected"),
    [
        (jax.grad, (x,), (Gradient(0, 0),)),
        (partial(jax.grad, argnums=(0, 1)), (x, x), (Gradient(0, 0), Gradient(1, 1))),
        (jax.value_and_grad, (x,), (Gradient(1, 0),)),
        (vjp, (x, 1.0), (Gradient(0, 0),)),
        (value_and_vjp, (x, 1.0), (Gradient(1, 0),)),
        (jax.jacobian, (x,), (Gradient(0, 0),)),
        (jax.hessian, (x,), ()),
        (jvp, (x, x), ()),
    ],
)
def test_which_results_are_gradients(by, args, expected):
    def f(*args):
        return sum((x**2).sum() for x in args)

    with computing_in("float64"):
        claim, example = as_claim(f, by(f), args, by)
        assert gradients_in(claim, example) == expected


def test_neither_a_jacobian_is_one_nor_what_is_by_differences():
    claim, example = as_claim(jnp.sin, jax.jacobian(jnp.sin), (x,), jax.jacobian)
    assert gradients_in(claim, example) == ()
    total = lambda x: jnp.sin(x).sum()  # noqa: E731
    claim, example = as_claim(total, jax.grad(total), (x,), jax.grad)
    assert gradients_in(claim, example)
    assert gradients_in(claim._replace(by_differences=True), example) == ()
    assert gradients_in(claim._replace(differenced=True), example) == ()


def test_where_no_kink_can_be_judged_none_is_looked_at():
    """A cosine at 0, in either of two arguments, is 0/0; beside it, there is a slope in each direction."""

    def cosine(x, y):
        return x @ y / (jnp.linalg.norm(x) * jnp.linalg.norm(y))

    def by_hand(x, y):
        n, m, c = jnp.linalg.norm(x), jnp.linalg.norm(y), cosine(x, y)
        return y / (n * m) - c * x / n**2, x / (n * m) - c * y / m**2

    example = np.array([[0.3, -1.2, 2, 0.5], [1, 0.2, -0.7, 0.4]], np.float32)
    check_gradient(cosine, by_hand, tuple(example), partial(jax.grad, argnums=(0, 1)))
