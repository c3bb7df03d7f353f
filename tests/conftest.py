"""What every test starts from."""

import gc
import os

import pytest


def pytest_configure(config):
    """XLA's results are kept beside pytest's own, for several tests and for the next run; see `--cache-clear`."""
    if cache := getattr(config, "cache", None):
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache.mkdir("compiled")))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


def pytest_collection_finish():
    """What is there by now stays to the end: the collector of garbage, whom some tests call, need not look at it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_columns(monkeypatch):
    """No width is asked for: where pytest loads readline, as on Python 3.12, that tells its workers one of 80."""
    monkeypatch.delenv("COLUMNS", raising=False)
