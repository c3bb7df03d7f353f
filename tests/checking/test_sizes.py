"""A check of large arrays, in little memory: in a process of its own, which may take no more than 6 GiB."""

import subprocess
import sys

import pytest

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
try:
    check_gradient(deep, lambda p, x: jax.tree.map(lambda g: g.at[5, 7].multiply(1.1), jax.grad(deep)(p, x)), (p, x),
                   thorough=THOROUGH)
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
    [LOGITS, NETWORK.replace("THOROUGH", "False"), NETWORK.replace("THOROUGH", "True"), ATTENTION],
    ids=["8 × 1000 logits", "18,432 parameters, quick", "18,432 parameters", "attention"],
)
def test_it_is_checked_in_little_memory(program):
    found = subprocess.run([sys.executable, "-c", START + program], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr[-2000:]
