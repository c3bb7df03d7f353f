"""Versions: an unsupported one is told at import, in one line, with what was found and what is needed."""

import runpy
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import jax
import pytest

import manual_grads as mg
from manual_grads import versions

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LEAST = versions.dotted(versions.MIN_JAX)


def import_again():
    runpy.run_path(str(versions.__file__))


@pytest.mark.parametrize("found", ["0.4.38", "0.5", "0.0.0.dev20260101+abc"])
def test_an_older_jax_is_told(found, monkeypatch):
    monkeypatch.setattr(jax, "__version__", found)
    with pytest.raises(ImportError) as error:
        import_again()
    told = f"manual_grads needs JAX {LEAST} or newer, and this is JAX {found}: pip install 'jax>={LEAST}'"
    assert str(error.value) == told


@pytest.mark.smoke
@pytest.mark.parametrize("found", [LEAST, f"{LEAST}.dev1+abc", "0.100.0", "1.0", "2.0rc1"])
def test_a_jax_that_will_do(found, monkeypatch):
    monkeypatch.setattr(jax, "__version__", found)
    import_again()


def test_an_older_python_is_told(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 13, "final", 0))
    with pytest.raises(ImportError) as error:
        import_again()
    assert str(error.value) == "manual_grads needs Python 3.11 or newer, and this is Python 3.10.13"


@pytest.mark.smoke
def test_pip_is_told_the_same():
    assert PROJECT["requires-python"] == f">={versions.dotted(versions.MIN_PYTHON)}"
    assert {f"jax>={LEAST}", f"jaxlib>={LEAST}"} <= set(PROJECT["dependencies"])


def test_its_own_version(monkeypatch):
    assert mg.__version__ == metadata.version("manual-grads")

    def not_installed(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", not_installed)
    assert mg.__version__ == "0+not.installed"
