"""What runs a jaxpr in JAX's place gives what JAX gives: of loops either way, several that end apart, constants."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from manual_grads.checking.truth.interpreter import Interpreter
from manual_grads.checking.truth.primitives import bind

X = np.array([0.3, -1.2, 2.0], np.float32)
LIMITS = np.array([5.0, 50.0, 500.0], np.float32)


class Plain(Interpreter):
    """Evaluates everything as it is."""

    def operation(self, eqn, kind, values):
        return bind(eqn, values)


def scanned(reverse):
    def f(x):
        last, ys = lax.scan(lambda c, y: (0.5 * c + y, c * y), x[1], x, reverse=reverse)
        return last, ys

    return f


def doubled_to(limit):
    """How often a number is doubled until it reaches the limit, and what it is then."""
    return lax.while_loop(lambda c: c[1] < limit, lambda c: (c[0] + 1, 2 * c[1]), (0, 1.0))


def grown(x):
    """With one constant in the condition and two in the body, of one shape: none can stand for another unseen."""
    limit, factor, more = x[2] * 100, abs(x[1]), x[0]
    return lax.while_loop(lambda c: c < limit, lambda c: c * factor + more, 1.0)


def counted(x):
    """With two constants in the condition and one in the body."""
    low, high, step = x[1], x[2] * 10, x[0]
    return lax.while_loop(lambda c: (c > low) & (c < high), lambda c: c + step, 0.0)


FUNCTIONS = {
    "scan": (scanned(False), X),
    "scan in reverse": (scanned(True), X),
    "while": (doubled_to, LIMITS[1]),
    "several whiles that end apart": (jax.vmap(doubled_to), LIMITS),
    "several of several": (jax.vmap(jax.vmap(doubled_to)), LIMITS[None] * np.array([[1], [3]], np.float32)),
    "constants of condition and body": (grown, X),
    "more constants of the condition": (counted, X),
    "several with constants": (jax.vmap(grown), np.stack([X, 1.1 * X, 1.4 * X])),
    "cond": (lambda x: lax.cond(x[0] > 0, lambda y: y * x[1], lambda y: y, x), X),
    "switch": (lambda x: lax.switch(2, [lambda y: y, lambda y: 2 * y, lambda y: y * x[1]], x), X),
}


@pytest.mark.smoke
@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_gives_what_jax_gives(name):
    f, x = FUNCTIONS[name]
    got, want = jax.jit(Plain().of(f))(x), jax.jit(f)(x)
    assert jax.tree.structure(got) == jax.tree.structure(want)
    for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_loops_of_these_tests_end_in_different_rounds():
    assert jnp.unique(jnp.asarray(jax.vmap(doubled_to)(LIMITS)[0])).size == 3
    assert jnp.unique(jax.vmap(grown)(np.stack([X, 1.1 * X, 1.4 * X]))).size == 3
