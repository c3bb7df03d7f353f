"""Points made from one example: of every kind, and none that the example says can't be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking import check_gradient
from manual_grads.checking.claim import as_claim
from manual_grads.checking.trials.points import points_of

X = np.array([0.5, -1.0, 2.0], np.float32)


def points(forward, args, thorough=True, by=jax.grad, dtype="float32"):
    claim, example = as_claim(forward, by(forward), args, by)
    dtypes = [jnp.dtype(dtype) if np.issubdtype(x.dtype, np.floating) else x.dtype for x in example]
    return points_of(claim, example, dtypes, 0, thorough, None)


def test_every_kind_is_there():
    names = set(points(lambda x: (x**2).sum(), (X,)).names)
    for name in (
        "example",
        "zeros",
        "ties",
        "negated",
        "permuted",
        "offset 100",
        "random, scale 1000",
        "one entry large",
    ):
        assert name in names


def test_integers_stay_in_their_range():
    labels = np.array([3, 5, 4], np.int32)
    (_, got) = points(lambda x, y: (x * y).sum(), (X, labels)).arrays
    assert got.min() == 3
    assert got.max() == 5
    assert got.dtype == np.int32


def test_whole_floats_that_are_not_differentiated_keep_their_values():
    mask = np.array([0.0, 1.0, 1.0], np.float32)
    _, got = points(lambda x, m: (x * m).sum(), (X, mask)).arrays
    assert set(np.unique(got)) == {0.0, 1.0}
    _, moved = points(lambda x, m: (x * m).sum(), (X, mask), by=lambda f: jax.grad(f, argnums=(0, 1))).arrays
    assert len(np.unique(moved)) > 10


def test_four_positive_numbers_stay_positive():
    assert (points(lambda x: jnp.log(x).sum(), (np.ones(4, np.float32),)).arrays[0] > 0).all()
    assert (points(lambda x: (x**2).sum(), (np.ones(3, np.float32),)).arrays[0] < 0).any()


def test_points_are_numbers_of_the_format():
    (x,) = points(lambda x: (x**2).sum(), (X,), dtype="bfloat16").arrays
    np.testing.assert_array_equal(x, x.astype(jnp.bfloat16).astype(np.float64))


def test_a_python_number_that_is_not_differentiated_is_held():
    seen = set()

    def forward(x, width):
        seen.add(width if isinstance(width, float) else "traced")
        return (width * x**2).sum()

    check_gradient(forward, lambda x, width: 2 * width * x, (X, 1.5), thorough=False)
    assert 1.5 in seen


def test_a_size_is_held_where_only_the_manual_gradient_needs_it_static():
    def manual(x, n):
        return 2 * x * sum(1 for _ in range(n))

    check_gradient(lambda x, n: (n * x**2).sum(), manual, (X, 3), thorough=False)


def test_a_sampler_has_to_draw_the_same_shapes():
    shapes = iter([2, 2, 3, 3, 3, 3, 3, 3, 3, 3])
    with pytest.raises(ValueError, match=r"drew args\[0\] of shape \(2,\) and of shape \(3,\)"):
        check_gradient(
            lambda x: (x**2).sum(),
            lambda x: 2 * x,
            lambda key: (jax.random.normal(key, (next(shapes),), jnp.float32),),
            thorough=False,
        )
