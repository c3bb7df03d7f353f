"""The inputs: finite, hard in the ways that are claimed, the same for the same seed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.accuracy import inputs
from manual_grads.rules import FLOATS, RULES, Sizes
from tests.registry import PROMISED_RULES_AND_LABELS


@pytest.mark.parametrize(("classes", "dtype"), [(3, dtype) for dtype in FLOATS] + [(1, "float32"), (200, "float32")])
@pytest.mark.parametrize(("rule", "soft_labels"), PROMISED_RULES_AND_LABELS)
def test_they_are_finite_and_of_the_dtype_and_kind_of_the_example(rule, soft_labels, classes, dtype):
    cases = inputs.cases(rule, jnp.dtype(dtype), classes, "distribution" if soft_labels else "index")
    example = rule.example(jax.random.key(0), jnp.dtype("float32"), Sizes(soft_labels=soft_labels))
    for arg, one in zip(cases.args, example, strict=True):
        assert len(arg) == len(cases.families)
        assert arg.ndim == one.ndim + 1
        assert jnp.issubdtype(arg.dtype, jnp.integer) or arg.dtype == jnp.dtype(dtype)
        assert np.isfinite(arg.astype(np.float64)).all()


@pytest.mark.parametrize(("rule", "soft_labels"), PROMISED_RULES_AND_LABELS)
def test_the_seed_decides(rule, soft_labels):
    kind = "distribution" if soft_labels else "index"
    first, again, other = (inputs.cases(rule, np.dtype("float32"), 10, kind, seed) for seed in (0, 0, 1))
    assert first.families == again.families == other.families
    assert all(map(np.array_equal, first.args, again.args))
    assert not all(map(np.array_equal, first.args, other.args))


@pytest.mark.smoke
def test_every_second_label_is_saturated_where_g_is():
    cases = inputs.cases(RULES["softmax_cross_entropy_grad"], np.dtype("float32"), 10)
    logits, labels = cases.args
    assert np.array_equal(labels[::2], logits[::2].argmax(-1))
    margins = np.sort(logits)[::2, -1] - np.sort(logits)[::2, -2]
    assert (margins > 20).sum() > 5


def test_networks_are_saturated_in_their_hidden_units_and_labels():
    x, A, B, labels = inputs.cases(RULES["two_layer_grads"], np.dtype("float64"), 10).args
    w = np.einsum("nhi,ni->nh", A, x)
    assert (abs(w).min(-1) > 19).any()
    v = np.einsum("nkh,nh->nk", B, 1 / (1 + np.exp(-w)))
    margins = v[:, 0] - v[:, 1:].max(-1)
    assert ((margins > 20) & (labels == 0)).sum() >= 3


@pytest.mark.smoke
def test_exact_arguments_are_those_of_the_dtype():
    cases = inputs.cases(RULES["softmax_cross_entropy_grad"], jnp.dtype("bfloat16"), 3)
    logits, label = cases.exact(5)
    assert logits.dtype == np.float64
    assert np.array_equal(logits.astype(jnp.bfloat16), cases.args[0][5])
    assert label == cases.args[1][5]
