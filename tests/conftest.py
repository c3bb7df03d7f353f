"""What every test starts from."""

import pytest


@pytest.fixture(autouse=True)
def no_columns(monkeypatch):
    """No width is asked for: where pytest loads readline, as on Python 3.12, that tells its workers one of 80."""
    monkeypatch.delenv("COLUMNS", raising=False)
