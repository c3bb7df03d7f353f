"""Compiled functions of stacked arrays, so many points at a time as fit into memory; and what a check takes of it."""

import subprocess
import sys

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


# Large arrays, checked in a process of its own that may take no more than 6 GiB.
LIMIT = 6 * 2**30  # of addresses, of which JAX and XLA reserve two before anything is done
LOGITS = """
def mean_loss(s, y):
    return -jnp.take_along_axis(jax.nn.log_softmax(s), y[:, None], 1).mean()
s, y = random.normal(size=(8, 1000)).astype("f"), random.integers(0, 1000, 8)
check_gradient(mean_loss, jax.grad(mean_loss), (s, y))
"""
NETWORK = """
def deep(p, x):
    return (jnp.tanh(x @ p["a"]) @ p["b"]).var()
p = {name: (random.normal(size=(96, 96)) / 10).astype("f") for name in "ab"}
x = random.normal(size=(16, 96)).astype("f")
check_gradient(deep, jax.grad(deep), (p, x), thorough=THOROUGH)
"""
ONE_WRONG = """
try:
    check_gradient(deep, lambda p, x: jax.tree.map(lambda g: g.at[5, 7].multiply(1.1), jax.grad(deep)(p, x)), (p, x),
                   thorough=False)
except GradientMismatch:
    pass
else:
    raise SystemExit("one wrong entry of 18,432 passes")
"""
ATTENTION = """
def attention(q, k, v):
    return (jax.nn.softmax(q @ k.T) @ v).var()
q, k, v = (random.normal(size=(300, 8)).astype("f") for _ in "qkv")
check_gradient(attention, jax.grad(attention), (q, k, v), dtypes="float32")
"""
START = f"""
import resource
resource.setrlimit(resource.RLIMIT_AS, ({LIMIT}, {LIMIT}))
import jax, jax.numpy as jnp, numpy as np
from manual_grads.checking import GradientMismatch, check_gradient
random = np.random.default_rng(0)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "program",
    [LOGITS, NETWORK.replace("THOROUGH", "False") + ONE_WRONG, NETWORK.replace("THOROUGH", "True"), ATTENTION],
    ids=["8 × 1000 logits", "18,432 parameters, quick", "18,432 parameters", "attention"],
)
def test_it_is_checked_in_little_memory(program):
    found = subprocess.run([sys.executable, "-c", START + program], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr[-2000:]
