"""Rules that aren't linear in the cotangent, of which `jax.grad` shows nothing."""

import jax
import numpy as np
import pytest

from manual_grads.checking.truth.linearity import other_cotangents
from tests.checking.records import claim_of
from tests.checking.situations.rules import drops, flips, keeps, squares_it

X = np.array([0.3, -1.2, 2.0], np.float32)


@pytest.mark.smoke
@pytest.mark.parametrize(("f", "linear"), [(keeps, True), (drops, False), (flips, False), (squares_it, False)])
def test_another_cotangent_shows_it(f, linear):
    complaint = other_cotangents(claim_of(jax.grad(f)), [X])
    assert (complaint is None) == linear
    if complaint is not None:
        assert complaint.kind == "wrong rule"
        assert "isn't linear in its cotangent" in complaint.text
        assert "rules.py:" in complaint.text


@pytest.mark.parametrize(("off", "seen"), [(0.1, True), (1e-4, False)])
def test_what_is_hardly_linear_is_seen_and_rounding_is_not(off, seen):
    f = jax.custom_vjp(lambda x: (x**2).sum())
    f.defvjp(lambda x: ((x**2).sum(), x), lambda x, c: (2 * (c + off * c * abs(c)) * x,))
    assert (other_cotangents(claim_of(jax.grad(f)), [X]) is not None) == seen


def test_what_has_no_rule_or_is_no_transform_is_not_asked():
    assert other_cotangents(claim_of(jax.grad(lambda x: (x**2).sum())), [X]) is None
    assert other_cotangents(claim_of(lambda x: drops(x)), [X]) is None
