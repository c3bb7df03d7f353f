"""Compiled functions of stacked arrays, so many points at a time as fit into memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking.compiling import MAX_BYTES_AT_ONCE, compiled, points_at_once, widest_array

X = np.arange(14.0).reshape(7, 2)


@pytest.mark.smoke
@pytest.mark.parametrize("at_once", [None, 1, 2, 3, 6, 7, 8])
def test_the_results_are_those_of_all_points_at_once(at_once):
    sizes = []

    def f(factor, x):
        sizes.append(len(x))
        return {"a": factor * x, "b": x.sum(1)}

    function = compiled(f, "float64", parameters=1, at_once=at_once)
    found = function(3.0, X)
    np.testing.assert_array_equal(found["a"], 3 * X)
    np.testing.assert_array_equal(found["b"], X.sum(1))
    assert sizes == [min(at_once or 7, 7)]  # one program, whatever the number of points
    assert len(jax.tree.leaves(function.lowered(3.0, X).out_info)[0].shape) == 2


def test_the_widest_array_is_found_at_any_depth():
    def f(x):
        inner = jax.lax.map(lambda y: jnp.outer(y, y).sum(), jnp.stack([x, x]))
        return jax.jit(lambda z: z.sum())(inner)

    assert widest_array(jax.make_jaxpr(f)(jnp.ones(30)).jaxpr) == 900
    assert widest_array(jax.make_jaxpr(lambda x: x)(jnp.ones((4, 5))).jaxpr) == 20


def test_what_is_called_at_once_fits_into_memory():
    assert points_at_once(10, 1) > 1000
    assert points_at_once(10**12, 1) == 1
    for widest, copies in ((1000, 1), (1000, 11), (10**5, 11)):
        assert points_at_once(widest, copies) * widest * copies * 8 <= MAX_BYTES_AT_ONCE
