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
