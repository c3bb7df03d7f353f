"""The stable forms of cross-entropy: equal by either exponential, and quoting lines that the document has."""

import re
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads
from manual_grads.derivations import CHAINS
from manual_grads.formulas.stable import cross_entropy, softmax
from manual_grads.formulas.stable.exponentials import SCALED, SHIFTED

RANDOM = np.random.default_rng(0)
S, T = (jnp.asarray(RANDOM.normal(0, 3, (5, 4)), jnp.float32) for _ in range(2))
LABELS, C = jnp.array([0, 3, 1, 1, 2]), jnp.ones(5)
FORMS = {
    "index loss": (cross_entropy.index_loss_by, LABELS),
    "index vjp": (cross_entropy.index_vjp_by, LABELS, C),
    "index jvp": (cross_entropy.index_jvp_by, LABELS, T),
    "distribution loss": (cross_entropy.distribution_loss_by, abs(T)),
    "distribution vjp": (cross_entropy.distribution_vjp_by, abs(T), C),
    "probabilities": (softmax.probabilities_by,),
    "log probabilities": (softmax.log_probabilities_by,),
    "jacobian product": (softmax.jacobian_product_by, T),
}


@partial(jax.jit, static_argnums=0)
def every_form(exp, s):
    return {name: form(exp, s, s.max(-1), *rest) for name, (form, *rest) in FORMS.items()}


@pytest.mark.smoke
def test_the_exponential_s_factor_cancels():
    """Logits of all rows below 0, and above; the two exponentials differ by a factor of each row."""
    for s in (S, S - 20, S + 20):
        scaled, shifted = every_form(SCALED, s), every_form(SHIFTED, s)
        for name in FORMS:  # sums of a few terms that cancel
            np.testing.assert_allclose(scaled[name], shifted[name], rtol=2e-5, atol=1e-6, err_msg=name)


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
