"""The textbook's forms: one for each function that the document derives, short, and equal to what is claimed of it."""

import chex
import jax
import jax.numpy as jnp
import pytest

from manual_grads.derivations.source import source
from manual_grads.formulas import textbook
from manual_grads.formulas.inputs import as_distribution
from manual_grads.rules import RULES, Sizes
from tests.quick import quick_jit
from tests.registry import with_labels

DERIVED = [rule for rule in RULES.values() if rule.equation and rule.equation != "beyond"]


@pytest.mark.smoke
def test_every_rule_that_the_document_derives_has_one():
    assert [rule.name for rule in DERIVED if not textbook.textbook_form(rule)] == []
    names = {name for name, of in vars(textbook).items() if getattr(of, "__module__", "") == textbook.__name__}
    assert names - {"textbook_form"} <= {rule.name for rule in DERIVED}  # and nothing else is there


@pytest.mark.smoke
@pytest.mark.parametrize("rule", DERIVED, ids=lambda rule: rule.name)
def test_it_is_a_few_lines(rule):
    form = textbook.textbook_form(rule)
    assert form
    _, *body = source(form).splitlines()
    assert 1 <= len(body) <= 4


@pytest.mark.parametrize(("rule", "soft_labels"), with_labels(DERIVED))
def test_it_equals_what_the_rule_claims(rule, soft_labels):
    form = textbook.textbook_form(rule)
    assert form
    with jax.enable_x64(True):
        args = rule.example(jax.random.key(0), jnp.dtype("float64"), Sizes(soft_labels=soft_labels))
        classes = jnp.zeros(Sizes().classes)
        typed = [as_distribution(a, classes) if jnp.issubdtype(a.dtype, jnp.integer) else a for a in args]
        got, expected = quick_jit(lambda typed, args: (form(*typed), rule.by(rule.forward)(*args)))(typed, args)
        # Numbers of a few units, of which some ten roundings are taken; 64 are allowed.
        chex.assert_trees_all_close(got, expected, rtol=0, atol=64 * 2.0**-53)
