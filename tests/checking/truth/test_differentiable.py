"""The way in which a forward can be differentiated."""

import jax
import numpy as np
import pytest

from manual_grads.checking.truth.differentiable import differentiable
from tests.checking.situations.forwards import called_back, cubed_in_a_loop

X = np.array([0.3, 1.2, 2.0], np.float32)


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("forward", "by_differences", "said"),
    [
        (cubed_in_a_loop, False, "judged by forward mode"),
        (lambda x: called_back(np.tanh)(x).sum(), True, "can't differentiate the forward: "),
        (lambda x: np.sum(np.tanh(x)), True, "written in NumPy"),
    ],
)
def test_the_first_that_can_be_had_is_taken(forward, by_differences, said):
    found = differentiable(forward, jax.grad, (X,))
    assert found.by_differences == by_differences
    assert said in found.note
    assert jax.eval_shape(jax.grad(found.forward), X).shape == X.shape


def test_what_nothing_helps_is_as_it_was():
    def broken(x):
        raise KeyError("mine")

    assert differentiable(broken, jax.grad, (X,)) == (broken, False, "")
    assert differentiable((broken, broken), jax.grad, (X,)).note == ""
