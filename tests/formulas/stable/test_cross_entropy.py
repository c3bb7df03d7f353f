"""The stable forms of cross-entropy: what they hide not, and that they quote lines that the document has."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads
from manual_grads.derivations import CHAINS
from manual_grads.formulas.stable import cross_entropy

RANDOM = np.random.default_rng(0)
S, T = (jnp.asarray(RANDOM.normal(0, 3, (5, 4)), jnp.float32) for _ in range(2))
LABELS = jnp.array([0, 3, 1, 1, 2])


@pytest.mark.smoke
def test_what_all_logits_change_by_hides_nothing():
    """In distributions, too, whose weights don't sum to one: ∂R/∂s sums to 0, but for the roundings of its entries."""
    t = jnp.round(T * 64) / 64  # so that the sum with 2¹⁶ is exact
    rate = jax.jit(cross_entropy.loss_jvp)
    for y in (abs(T), 100 * abs(T), LABELS):
        size = abs(cross_entropy.loss_gradient(S, y) * t).sum(-1)
        assert (abs(rate(S, y, t + 2.0**16) - rate(S, y, t)) <= 1e-5 * size).all()  # some tens of roundings


def test_every_quoted_line_is_one_of_the_document_s():
    lines = {line.text for chain in CHAINS for line in chain.lines}
    folder = Path(manual_grads.__file__).parent
    sources = [*(folder / "formulas" / "stable").glob("*.py"), *(folder / "nn").rglob("*.py")]
    textbooks = [
        text for file in sources for text in re.findall(r"Textbook: (.*?)(?:\n\n|\"\"\")", file.read_text(), re.S)
    ]
    assert len(textbooks) >= 12
    quoted = {quote for text in textbooks for quote in re.findall(r'"([^"]+)"', text)}
    assert len(quoted) >= 6
    assert not quoted - lines


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_direction_that_is_largest_where_the_gradient_is_smallest(dtype):
    """Nothing is taken off the direction that the gradient's large terms, which cancel, would multiply.

    Logits are equal but for one, of which g is 10⁻⁶; y differs from g by half of that, there and at another class; t is
    10⁶ there and 0 elsewhere. So the sum's terms are about 1.
    """
    s = np.array([0.0, 0, 0, np.log(1e-6)], dtype)
    with jax.enable_x64(dtype == "float64"):
        e = np.exp(s.astype(np.float64))
        g = e / e.sum()
        y = (g + g[3] / 2 * np.array([1, 0, 0, -1])).astype(dtype)
        t = np.array([0, 0, 0, 1e6], dtype)
        got = cross_entropy.loss_jvp(*map(jnp.asarray, (s, y, t)))
        wide = y.astype(np.float64)
        want = (wide.sum() * g[3] - wide[3]) * 1e6
        assert got == pytest.approx(want, rel=0, abs=20 * float(jnp.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_little_weight_far_away_costs_the_loss_no_digits(dtype):
    """The class that has nearly everything has nearly all weight; the weights' mean is another class."""
    classes = 1000
    s, y = np.full(classes, -25, dtype), np.zeros(classes, dtype)
    s[0], y[0], y[-1] = 0, 1 - 1 / 1024, 1 / 1024
    with jax.enable_x64(dtype == "float64"):
        got = cross_entropy.loss(jnp.asarray(s), jnp.asarray(y))
        want = 25 / 1024 + np.log1p((classes - 1) * np.exp(-25.0))
        assert got == pytest.approx(want, rel=4 * float(jnp.finfo(dtype).eps), abs=0)
