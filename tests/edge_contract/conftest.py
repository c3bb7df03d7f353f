"""Every edge in every dtype, eager, vmapped and batched under jit: `check` compares rows of results with numbers."""

from functools import cache, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.rules import FLOATS
from tests.quick import quick_jit

# A batch is filled up with copies of its last row, so that each function is compiled once; 1400 rows of three classes
# are enough for the faster exponentials, of `LARGE_ARRAY_SIZE` numbers.
ROWS = {"vmap": 8, "batch": 1400}


@pytest.fixture(params=FLOATS)
def dtype(request):
    return request.param


def pytest_collection_modifyitems(items):
    """Daily are all ways in float32, by `-m slow` the other formats in batches, by `-m everything` in all ways."""
    here = Path(__file__).parent
    for item in (item for item in items if here in item.path.parents):  # of all tests' items, which pytest gives each
        params = item.callspec.params if hasattr(item, "callspec") else {}
        dtype = params.get("dtype", "float32")
        if dtype != "float32" and params.get("way", "batch") != "batch":
            item.add_marker(pytest.mark.everything)
        elif dtype == "float16" or (dtype != "float32" and not item.get_closest_marker("smoke")):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(params=["eager", "vmap", "batch"])
def way(request):
    """Eager one by one; under jit, `jax.vmap` and the function's own batch axes."""
    return request.param


@pytest.fixture
def largest(dtype):
    return float(jnp.finfo(dtype).max)


@pytest.fixture
def results(dtype, way):
    """`results(function, *columns, shared=())`: the function's results in float64, one row for each row of the columns.

    A column holds one argument for each row, class indices where it holds integers; a shared argument is for all rows.
    """

    def results(function, *columns, shared=()):
        columns = [as_array(column) for column in columns]
        count = len(columns[0])
        if way != "eager":
            columns = [np.concatenate([column, column[[-1] * (ROWS[way] - count)]]) for column in columns]
        with jax.enable_x64(dtype == "float64"):
            columns, shared = [list(map(as_argument, args)) for args in (columns, map(as_array, shared))]
            # In float32's batches as users have it; what is odd elsewhere is odd when it is compiled quickly, too.
            jit = jax.jit if (dtype, way) == ("float32", "batch") else quick_jit
            got = transformed(function, way, jit, len(columns), len(shared))(*columns, *shared)
        assert {leaf.dtype for leaf in jax.tree.leaves(got)} == {jnp.dtype(dtype)}
        return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64)[:count], got)

    def as_argument(array):
        return jnp.asarray(array, dtype if array.dtype == float else array.dtype)

    return results


def as_array(numbers):
    array = np.asarray(numbers)
    return array.astype(np.int32) if array.dtype == np.int64 else array


@cache
def transformed(function, way, jit, columns, shared):
    axes = (0,) * columns + (None,) * shared
    return {
        "eager": lambda *args: one_by_one(function, args[:columns], args[columns:]),
        "vmap": jit(jax.vmap(function, axes)),
        "batch": jit(function),
    }[way]


def one_by_one(function, columns, shared):
    rows = [function(*row, *shared) for row in zip(*columns, strict=True)]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows)


@pytest.fixture
def check(results, dtype):
    """`check(function, *columns, name=wanted)`: exact zeros, infinities and NaNs; rounded otherwise."""
    return partial(_check, results, rounding=16 * float(jnp.finfo(dtype).eps))


def _check(results, function, *columns, shared=(), rounding, **wanted):
    got = results(function, *columns, shared=shared)
    for name, want in wanted.items():
        for leaf in jax.tree.leaves(got[name]):
            np.testing.assert_allclose(leaf, np.broadcast_to(want, leaf.shape), rounding, atol=0, err_msg=name)
