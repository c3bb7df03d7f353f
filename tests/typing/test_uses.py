"""What type checkers accept runs, and what they refuse raises."""

import pytest

from tests.typing.uses import RIGHT, WRONG


@pytest.mark.smoke
@pytest.mark.parametrize("use", RIGHT, ids=lambda use: use.__name__)
def test_a_use_runs(use):
    use()


@pytest.mark.parametrize("use", WRONG, ids=range(len(WRONG)))
def test_a_misuse_raises(use):
    with pytest.raises((TypeError, ValueError)):
        use()
