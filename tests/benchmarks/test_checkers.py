"""The comparison of checkers: what each says of gradients that it is known to be right or wrong about."""

import pytest

from benchmarks import checkers
from tests.checking.corpus.right import RIGHT
from tests.checking.corpus.wrong import WRONG

NAMES = ["sigmoid: sign", "sigmoid: zero beyond 8", "softmax: sign", "sigmoid, σ(1 − σ)"]


@pytest.fixture(scope="module")
def found():
    return checkers.survey(NAMES)


@pytest.mark.slow
def test_ours_is_right_about_them(found):
    for name in ("`check_gradient`", "`check_gradient(thorough=False)`"):
        assert not found[name]["missed"]
        assert not found[name]["false alarms"]


@pytest.mark.slow
def test_what_looks_at_one_point_misses_the_tails(found):
    for name in ("`jax.test_util.check_grads`", "`numpy.allclose` to `jax.grad`"):
        assert found[name]["missed"] == ["sigmoid: zero beyond 8"]
        assert not found[name]["false alarms"]


@pytest.mark.slow
def test_a_jacobian_is_nothing_to_ask_check_grads(found):
    assert found["`jax.test_util.check_grads`"]["unasked wrong"] == ["softmax: sign"]


@pytest.mark.smoke
def test_the_others_do_use_the_manual_gradient():
    forward, args, by = WRONG["sigmoid: sign"][0]
    for check in (checkers.jax_check_grads, checkers.chex_numerical_grads):
        assert checkers.verdict(check, (forward, WRONG["sigmoid: sign"][1], args, by)) == "rejected"
        assert checkers.verdict(check, RIGHT["sigmoid, σ(1 − σ)"]) == "passed"


@pytest.mark.slow
def test_the_page_has_a_row_for_each(found):
    page = checkers.table(found)
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) == len(checkers.CHECKERS)
    assert "1 of" in next(row for row in rows if "check_grads" in row)
