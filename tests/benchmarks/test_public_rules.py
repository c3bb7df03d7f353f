"""The comparison of checkers on public rules: what each says of rules that are known to be right or wrong."""

import pytest

from benchmarks import public_rules


@pytest.fixture(scope="module", params=["relu", "logaddexp"])
def found(request):
    return public_rules.survey([request.param])


@pytest.mark.slow
def test_ours_passes_what_is_right_and_rejects_the_rest(found):
    ours = found["`check_rule(thorough=False)`"]
    assert ours["missed"] == ours["false alarms"] == []
    assert len(ours["seconds"]) == 1


@pytest.mark.smoke
def test_what_another_checker_lets_pass_is_told():
    found = {name: {"missed": [], "false alarms": [], "seconds": [1.0]} for name in public_rules.CHECKERS}
    found["`jax.test_util.check_grads`"]["missed"] = ["relu: a term too many"]
    page = public_rules.table(found)
    assert page.count("\n| `") == len(public_rules.CHECKERS)
    assert "**`jax.test_util.check_grads`** lets pass: relu: a term too many. It rejects: none." in page
