"""What is said to equal what: which leaves are arrays, which are held, and which are differentiated."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking.claim import as_arguments, as_claim
from manual_grads.rules import jvp, vjp

X = np.array([1.0, 2.0], np.float32)


def energy(x):
    return (x**2).sum()


def test_a_claim_of_one_argument():
    claim, arrays = as_claim(energy, lambda x: 2 * x, X, jax.grad)
    np.testing.assert_array_equal(arrays[0], X)
    np.testing.assert_array_equal(claim.manual_of(X), 2 * X)
    np.testing.assert_array_equal(claim.claimed(X), 2 * X)
    assert claim.value(X) == 5
    assert (claim.names, claim.owners, claim.arity, claim.differentiated) == (("[0]",), (0,), 1, (True,))


def test_a_tree_s_arrays_have_their_places_and_owners():
    tree = {"w": X, "bias": None, "name": "sum"}
    by = partial(jax.grad, argnums=1)
    claim, arrays = as_claim(lambda t, y: energy(t["w"]) * y, lambda t, y: energy(t["w"]), (tree, np.float32(3)), by)
    assert claim.names == ("[0]['w']", "[1]")
    assert claim.owners == (0, 1)
    assert claim.differentiated == (False, True)
    (again, three) = claim.tree(arrays)
    assert (again["w"].tolist(), again["bias"], again["name"], three) == ([1, 2], None, "sum", 3)


@pytest.mark.smoke
def test_only_what_is_differentiated_is_so_and_a_cotangent_is_no_argument_of_the_forward():
    claim, _ = as_claim(lambda x, y: (x * y).sum(), lambda x, y: y, (X, X), jax.grad)
    assert (claim.arity, claim.differentiated) == (2, (True, False))
    claim, _ = as_claim(lambda x, y: (x * y).sum(), lambda x, y: x, (X, X), partial(jax.grad, argnums=1))
    assert claim.differentiated == (False, True)
    claim, arrays = as_claim(jnp.sin, lambda x, c: c * jnp.cos(x), (X, X), vjp)
    assert (claim.arity, claim.differentiated) == (1, (True, False))
    claim, _ = as_claim(jnp.sin, lambda x, t: t * jnp.cos(x), (X, X), jvp)
    assert (claim.arity, claim.differentiated) == (1, (True, False))
    np.testing.assert_allclose(claim.value(*arrays), np.sin(X), rtol=1e-6)


def test_of_several_functions_every_float_is_taken_to_be_differentiated():
    def by(functions):
        return lambda x, y, i: [jax.grad(f)(z) for f, z in zip(functions, (x, y), strict=True)]

    claim, arrays = as_claim((energy, energy), lambda x, y, i: [2 * x, 2 * y], (X, X, np.int32(1)), by)
    assert claim.differentiated == (True, True, False)
    assert claim.value(*arrays) == ()


@pytest.mark.parametrize(
    ("example", "held"),
    [
        ((X, 2), [False, False]),  # a number that can be traced is an argument
        ((X, 1.5), [False, True]),  # but not one that isn't differentiated: it is a parameter
        ((X, "sum"), [False, True]),
        ((X, jax.random.key(0)), [False, True]),
    ],
)
def test_what_is_no_array_is_held(example, held):
    claim, _ = as_claim(lambda x, n: energy(x), lambda x, n: 2 * x, example, jax.grad)
    assert [h is not None for h in claim.held] == held
    assert len(claim.differentiated) == held.count(False)


@pytest.mark.smoke
def test_a_number_that_the_forward_or_the_gradient_needs_is_held():
    claim, _ = as_claim(lambda x, n: energy(x) * len(range(n)), lambda x, n: n * x, (X, 3), jax.grad)
    assert claim.held[1] is not None
    claim, _ = as_claim(lambda x, n: energy(x) * n, lambda x, n: 2 * x * len(range(n)), (X, 3), jax.grad)
    assert claim.held[1] is not None
    # A float is held only if holding integers doesn't do.
    claim, _ = as_claim(lambda x, n: energy(x) * len(range(n)), lambda x, n: n * x, (1.5, 3), jax.grad)
    assert [h is not None for h in claim.held] == [False, True]
    claim, _ = as_claim(lambda x, r: energy(x) * float(str(r)), lambda x, r: x, (X, 2.0), jax.grad)
    assert claim.held[1] is not None


def test_a_python_number_that_is_differentiated_is_an_argument():
    claim, arrays = as_claim(lambda x: x**2, lambda x: 2 * x, 1.5, jax.grad)
    assert claim.held == (None,)
    assert arrays[0] == 1.5


@pytest.mark.parametrize(
    ("forward", "args", "by", "error", "said"),
    [
        (energy, np.ones(2, complex), jax.grad, TypeError, r"complex arguments are not supported \(args\[0\]: complex"),
        (energy, np.ones(2, int), jax.grad, TypeError, r"nothing to differentiate.*args\[0\]: int64\[2\].*make one so"),
        (energy, (), jax.grad, TypeError, "no arrays"),
        (lambda x, y: energy(x), (X, np.zeros((2, 0))), jax.grad, ValueError, r"args\[1\] is empty, of shape \(2, 0\)"),
        (lambda x: x, X, jax.grad, TypeError, r"this one's has shape \(2,\): give by=jax.jacobian"),
    ],
)
def test_a_claim_that_can_not_be(forward, args, by, error, said):
    with pytest.raises(error, match=said):
        as_claim(forward, lambda *xs: xs[0], args, by)


@pytest.mark.parametrize("error", [TypeError("mine"), KeyError("mine")])
def test_what_the_forward_raises_has_a_note(error):
    def broken(x):
        raise error

    with pytest.raises(type(error)) as caught:
        as_claim(broken, lambda x: x, X, jax.grad)
    assert "raised by by(forward)(*args), before any check of the manual gradient" in caught.value.__notes__


def test_a_plain_tuple_or_list_holds_the_arguments_and_anything_else_is_one():
    class Pair(NamedTuple):
        first: int
        second: int

    assert as_arguments([1, 2]) == as_arguments((1, 2)) == (1, 2)
    assert as_arguments(Pair(1, 2)) == (Pair(1, 2),)
    assert as_arguments({"w": 1}) == ({"w": 1},)
