"""What type checkers accept runs, and what they refuse raises."""

import pytest

from tests.typing.uses import RIGHT, WRONG, drop_ins, lists


@pytest.mark.smoke
@pytest.mark.parametrize(
    "use",
    [pytest.param(use, id=use.__name__, marks=pytest.mark.slow if use in (lists, drop_ins) else ()) for use in RIGHT],
)
def test_a_use_runs(use):
    use()


@pytest.mark.parametrize("use", WRONG, ids=range(len(WRONG)))
def test_a_misuse_raises(use):
    with pytest.raises((TypeError, ValueError)):
        use()
