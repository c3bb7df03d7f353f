"""Which functions are written in NumPy, and how they are called."""

import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking.numpy_functions import is_of_numpy, on_arrays, refuses_tracers

X = np.array([1.0, 2.0])


@pytest.mark.smoke
def test_which_refuse_tracers():
    assert refuses_tracers(lambda x: np.tanh(x), (X,))
    assert not refuses_tracers(lambda x: jnp.tanh(x), (X,))
    assert not refuses_tracers(lambda x: x if x[0] > 0 else -x, (X,))  # which is another matter


def test_whose_results_are_numpys():
    assert is_of_numpy({"a": X, "b": 1.0, "c": np.float32(2)})
    assert not is_of_numpy({"a": X, "b": jnp.ones(2)})


def test_what_they_are_given_is_theirs():
    def in_place(x):
        x[0] = 7
        return x

    given = jnp.asarray(X)
    assert on_arrays(in_place)(given)[0] == 7
    assert given[0] == 1
