"""How a failure is seen again: names as people know them, numbers without loss, a line that runs."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking.claim import as_claim
from manual_grads.checking.names import name_of
from manual_grads.checking.reproduction import MAX_PRINTED_ENTRIES, hexed, reproduction, title
from manual_grads.rules import batched, vjp
from tests.checking.corpus.functions import sigmoid, sigmoid_grad
from tests.checking.corpus.wrong import VEC

named_lambda = lambda x: (x * x).sum()  # noqa: E731 - what is found by the name that it has in its module


@jax.custom_jvp
def with_a_rule(x):
    return (x**3).sum()


class Scaled:
    """An object whose method is checked."""

    def value(self, x):
        return 2 * x.sum()


class Pair(NamedTuple):
    """A node of a tree."""

    a: Any
    b: Any


X = np.array([0.5, 2.0], np.float32)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (jax.grad, "grad"),
        (partial(jax.grad, argnums=(0, 1)), "partial(grad, argnums=(0, 1))"),
        (partial(partial, vjp, partial(max, 1)), "partial(partial, vjp, partial(max, 1))"),
        ("text", "'text'"),
    ],
)
def test_a_function_s_name(function, name):
    assert name_of(function) == name


@pytest.mark.smoke
def test_a_claim_in_a_line():
    claim = as_claim(lambda x: sigmoid(x).sum(), sigmoid_grad, X, jax.grad)[0]._replace(forward=sigmoid)
    assert title(claim) == "sigmoid_grad == grad(sigmoid)"
    assert title(claim._replace(forward=(sigmoid, jnp.sin))) == "sigmoid_grad == grad(LINKS)"
    by = partial(batched, by=jax.grad, batch_axes=(1,), summed=())
    assert title(claim._replace(by=by)) == "sigmoid_grad == grad(sigmoid) of a batch"


def test_floats_are_hexadecimal_and_integers_are_not():
    assert hexed(np.array([[0.1, -2.0]], np.float32)) == f"[[{float(np.float32(0.1)).hex()}, -0x1.0000000000000p+1]]"
    assert hexed(np.array([1, 2])) == "[1, 2]"
    assert hexed(np.zeros(MAX_PRINTED_ENTRIES)).count("0x") == MAX_PRINTED_ENTRIES
    assert hexed(np.zeros((5, 5))) == "float64[5, 5], too many to print: see the reproduction"


def line(args, forward=sigmoid, manual=sigmoid_grad, by=jax.grad, kept=True, dtypes=("float32",)):
    example = [np.nan_to_num(x) for x in args]
    claim, _ = as_claim(lambda *xs: 1.0 * jax.tree.leaves(xs)[0].sum(), manual, example, jax.grad)
    return reproduction(claim._replace(forward=forward, by=by), [args[0]], list(dtypes), 7, kept)


def test_what_can_be_imported_is_and_other_functions_are_in_scope():
    text = line((X,), manual=lambda x: x)
    assert "from tests.checking.corpus.functions import sigmoid;" in text
    call = "check_gradient(sigmoid, manual, (np.array([0.5, 2.0], 'float32'),), by=jax.grad, seed=7)"
    assert f"{call}  # manual is your lambda at test_reproduction.py:" in text
    assert "check_gradient(forward, sigmoid_grad, " in line((X,), forward=lambda x: x.sum())
    assert "check_gradient(forward, sigmoid_grad, " in line((X,), forward=VEC[0])  # a lambda within a tuple
    assert "from manual_grads.rules import vjp" in line((X,), by=vjp)
    assert "by=partial(jax.grad, argnums=(0,))" in line((X,), by=partial(jax.grad, argnums=(0,)))


def test_the_arguments_are_source_or_args():
    assert f"(np.array({float(np.float32(0.1))!r}, 'float32'),)" in line((np.float32(0.1),))
    assert "np.array([jnp.nan, jnp.inf, -jnp.inf], 'float32')" in line((np.array([np.nan, np.inf, -np.inf]),))
    assert "(sigmoid, sigmoid_grad, args, by" in line((X,), kept=False)


def scope_of(text, **yours):
    """What the line calls the check with, as it is pasted where these names are the caller's own."""
    called = []
    namespace = {"recorded": lambda *args, **options: called.append((args, options)), **yours}
    exec(text.replace("; check_gradient(", "; recorded("), namespace)
    return called[0]


@pytest.mark.parametrize(
    "function",
    [
        jax.nn.softplus,
        jnp.tanh,
        jax.scipy.special.logsumexp,
        jax.lax.dynamic_update_slice,
        sigmoid,
        named_lambda,
        with_a_rule,
        Scaled.value,
    ],
)
def test_a_function_is_called_by_a_name_that_it_has(function):
    args, options = scope_of(line((X,), forward=function))
    assert args[:2] == (function, sigmoid_grad)
    assert options == {"by": jax.grad, "seed": 7}
    assert np.array_equal(args[2][0], X)


def test_what_has_no_name_is_said_to_be_yours():
    local = Scaled().value
    text = line((X,), forward=local, manual=lambda x: x)
    assert "# forward is your method value at test_reproduction.py:" in text
    assert ", manual is your lambda at test_reproduction.py:" in text
    assert scope_of(text, forward=1, manual=2)[0][:2] == (1, 2)


@pytest.mark.parametrize(("by", "inner"), [(jax.grad, sigmoid), (vjp, jnp.tanh), (vjp, named_lambda)])
def test_a_derivative_by_the_transform_is_spelled_so(by, inner):
    text = line((X,), manual=by(inner), by=by)
    assert scope_of(text)[0][1].__wrapped__ is inner
    assert "yours" not in text


def test_one_of_the_forward_that_has_no_name():
    local = lambda x: x.sum()  # noqa: E731
    text = line((X,), forward=local, manual=jax.grad(local))
    assert "check_gradient(forward, jax.grad(forward), " in text
    other = lambda x: 2 * x.sum()  # noqa: E731
    assert "check_gradient(forward, manual, " in line((X,), forward=local, manual=jax.grad(other))
    assert "check_gradient(forward, manual, " in line((X,), forward=local, manual=jax.grad(local, argnums=(0,)))


def test_a_partial_function_of_what_has_names():
    args, _ = scope_of(line((X,), forward=partial(jnp.power, np.float32(2.0))))
    assert (args[0].func, args[0].args) == (jnp.power, (2.0,))
    args, _ = scope_of(line((X,), forward=partial(jnp.sum, axis=(0, 1))))
    assert (args[0].func, args[0].keywords) == (jnp.sum, {"axis": (0, 1)})
    assert "check_gradient(forward, " in line((X,), forward=partial(lambda a, x: x, 2))


def tree_line(args, asked=None):
    claim, example = as_claim(lambda *xs: xs[0].a.sum(), lambda *xs: xs[0], args, jax.grad)
    claim = claim._replace(forward=sigmoid, manual=sigmoid_grad)
    return reproduction(claim, example, [x.dtype for x in example], 7, True, asked)


def test_trees_keys_and_names_among_the_arguments():
    key = jax.random.key(3)
    args, _ = scope_of(tree_line((Pair(X, {"w": X}), key, "mean", 3.0)))
    pair, same, *rest = args[2]
    assert type(pair) is Pair
    assert np.array_equal(pair.b["w"], X)
    assert np.array_equal(jax.random.key_data(same), jax.random.key_data(key))
    assert rest[0] == "mean"


def test_what_has_no_source_is_said_to_be_yours():
    class Local(NamedTuple):
        a: object

    text = tree_line((Local(X),))
    assert "check_gradient(sigmoid, sigmoid_grad, args, by=jax.grad, seed=7)  # args is your example" in text


def draws(key):
    return (jax.random.normal(key, (2,)),)


def test_the_options_are_repeated():
    asked = {"domain": {"[0].a": "positive", "[1]": (0.0, 1.0)}, "trust_rules": True, "dtypes": ["float32"]}
    args, options = scope_of(tree_line((Pair(X, X),), {**asked, "args": draws}))
    assert args[2] is draws
    assert options == {**asked, "dtypes": ("float32",), "by": jax.grad, "seed": 7}
    text = tree_line((Pair(X, X),), {"domain": {"[0].a": lambda key: X}})
    assert "domain=domain, seed=7)  # domain is what you gave" in text
    assert "args, by=jax.grad, seed=7)  # args is your" in tree_line((Pair(X, X),), {"args": lambda key: X})


def test_a_title_tells_two_functions_apart():
    def claim(forward, manual):
        return as_claim(lambda x: x.sum(), sigmoid_grad, X, jax.grad)[0]._replace(forward=forward, manual=manual)

    def square(x):
        return (x**2).sum()

    def cube():
        def square(x):
            return (x**3).sum()

        return square

    lambdas = [lambda x: x, lambda x: 2 * x]
    first, second = title(claim(lambdas[0], lambdas[1])).split(" == ")
    assert first.startswith("manual <lambda> at test_reproduction.py:")
    assert second.startswith("grad(forward <lambda> at test_reproduction.py:")
    first, second = title(claim(square, cube())).split(" == grad(")
    assert first.startswith("square at test_reproduction.py:")
    assert first + ")" != second
    assert title(claim(square, jax.grad(square))) == "grad(square) == grad(square)"
    assert title(claim(sigmoid, jax.grad(square))) == "grad(square) == grad(sigmoid)"
