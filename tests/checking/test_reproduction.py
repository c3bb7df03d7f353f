"""How a failure is seen again: names as people know them, numbers without loss, a line that runs."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking.claim import as_claim
from manual_grads.checking.reproduction import MAX_PRINTED_ENTRIES, hexed, name_of, reproduction, title
from manual_grads.rules import batched, vjp
from tests.checking.corpus.functions import sigmoid, sigmoid_grad
from tests.checking.corpus.wrong import VEC

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
    assert text.endswith("check_gradient(sigmoid, manual, (np.array([0.5, 2.0], 'float32'),), by=jax.grad, seed=7)")
    assert "check_gradient(forward, sigmoid_grad, " in line((X,), forward=lambda x: x.sum())
    assert "check_gradient(forward, sigmoid_grad, " in line((X,), forward=VEC[0])  # a module's lambda
    assert "from manual_grads.rules import vjp" in line((X,), by=vjp)
    assert "by=partial(jax.grad, argnums=(0,))" in line((X,), by=partial(jax.grad, argnums=(0,)))


def test_the_arguments_are_source_or_args():
    assert f"(np.array({float(np.float32(0.1))!r}, 'float32'),)" in line((np.float32(0.1),))
    assert "np.array([jnp.nan, jnp.inf, -jnp.inf], 'float32')" in line((np.array([np.nan, np.inf, -np.inf]),))
    assert "(sigmoid, sigmoid_grad, args, by" in line((X,), kept=False)
