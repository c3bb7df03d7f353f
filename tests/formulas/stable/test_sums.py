"""Sums: against `math.fsum`, where adding one term after the other loses digits."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.formulas.stable.sums import LARGE_ARRAY_SIZE, compensated_sum, row_sum, two_sum, weighted_sum

TERMS = {
    "many small ones after a 1": lambda n, random: np.concatenate([[1.0], np.full(n - 1, 1e-8)]),
    "half an ULP each after a 1": lambda n, random: np.concatenate([[1.0], np.full(n - 1, 2.0**-25)]),
    "random": lambda n, random: random.uniform(0, 1, n),
    "of all sizes": lambda n, random: np.exp(random.uniform(-80, 0, n)),
    "equal": lambda n, random: np.full(n, 0.1),
}


# Rows that are few numbers, one row of many, and many rows of many.
@pytest.mark.smoke
@pytest.mark.parametrize(
    "shape", [(1,), (3,), (1000,), (100_000,), (3, 10), (1, 100_000), (64, 1000), (8, 100_000)], ids=str
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_row_sum(dtype, shape):
    for terms in TERMS:
        assert_accurate(terms, dtype, *shape)


def assert_accurate(terms, dtype, *shape):
    *batch, n = shape
    random = np.random.default_rng(n)
    x = np.array([random.permutation(TERMS[terms](n, random)) for _ in range(math.prod(batch))], dtype).reshape(shape)
    with jax.enable_x64(dtype == np.float64):
        got = np.asarray(jax.jit(row_sum)(x))
    rows = x.reshape(-1, n).astype(float)
    want = np.array([math.fsum(row) for row in rows])
    lacking = np.array([math.fsum([*row, -w]) for row, w in zip(rows, want, strict=True)])  # want + lacking is exact
    # Many rows of float32: XLA's blocks, whose measured worst is 3.8. Otherwise as if rounded once.
    in_blocks = dtype == np.float32 and math.prod(batch) > 1 and x.size >= LARGE_ARRAY_SIZE
    ulp = 4 if in_blocks else 0.51
    error, want = np.abs((got.reshape(-1) - want) - lacking).reshape(batch), want.reshape(batch)
    np.testing.assert_array_less(error, ulp * np.spacing(want.astype(dtype)) + 1e-300, err_msg=terms)


def test_compensation_survives_the_compiler_at_several_sizes():
    for n, calls in ((3, (compensated_sum, jax.jit(compensated_sum))), (100_000, (jax.jit(compensated_sum),))):
        x = np.concatenate([[1.0], np.full(n - 1, 2.0**-25)]).astype(np.float32)
        want = np.float32(math.fsum(x.astype(float)))
        for f in calls:
            assert f(jnp.asarray(x)) == want


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("call", "n"), [(lambda f: f, 100), (jax.jit, 1), (jax.jit, 10_000)], ids=["eager", "jit", "many"]
)
def test_two_sum_is_exact(call, n):
    random = np.random.default_rng(0)
    for _ in range(3):
        a, b = (random.normal(size=n) * 10.0 ** random.integers(-8, 8, n) for _ in range(2))
        a, b = a.astype(np.float32), b.astype(np.float32)
        total, error = (np.asarray(part, np.float64) for part in call(two_sum)(jnp.asarray(a), jnp.asarray(b)))
        np.testing.assert_array_equal(total + error, a.astype(np.float64) + b)


def test_an_empty_batch_has_no_sums():
    assert row_sum(jnp.zeros((0, 3))).shape == (0,)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_infinity_beside_numbers(dtype):
    with jax.enable_x64(dtype == "float64"):
        for x, want in (([1, np.inf, 2], np.inf), ([-np.inf, 1, 2], -np.inf), ([np.inf, -np.inf, 1], np.nan)):
            np.testing.assert_array_equal(row_sum(jnp.array(x, dtype)), want)


def test_a_class_without_weight_costs_nothing_in_some_rows_of_many():
    y, x = jnp.array([[1.0, 0, 2], [1, 2, 3]]), jnp.array([[5.0, np.inf, 7], [1, 2, 3]])
    np.testing.assert_array_equal(weighted_sum(y, x), [19, 14])
    np.testing.assert_array_equal(weighted_sum(y[0], jnp.full(3, np.nan)), np.nan)


@pytest.mark.parametrize(
    ("f", "n"), [(compensated_sum, 3), (compensated_sum, 20), (compensated_sum, 5000), (compensated_sum.fun, 20)]
)
def test_the_derivative_of_a_sum_is_a_sum(f, n):
    x, t = (np.random.default_rng(seed).normal(size=n).astype(np.float32) for seed in (0, 1))
    _, rate = jax.jit(lambda x, t: jax.jvp(f, (x,), (t,)))(x, t)
    np.testing.assert_allclose(rate, math.fsum(t.astype(float)), atol=n * 2.0**-24 * np.abs(t).max())  # n roundings
    np.testing.assert_array_equal(jax.jit(jax.grad(lambda x: 2 * f(x)))(x), np.full(n, 2))
