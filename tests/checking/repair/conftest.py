"""Repairs are what is tested here."""

import pytest


@pytest.fixture(autouse=True)
def unmended():
    """They are looked for, as nowhere else in these tests."""
