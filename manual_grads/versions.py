"""The versions that are needed, looked at before anything is imported that older ones lack; and the package's own."""

import importlib.metadata
import re
import sys

MIN_PYTHON = (3, 11)  # pyproject.toml has both, for pip
MIN_JAX = (
    0,
    8,
    1,
)  # in 0.8.0, on a CPU, a product of three-dimensional bfloat16 added up in float32 ends in an error of XLA


def too_old(what: str, found: str, least: tuple) -> str:
    """What an error says of a version."""
    return f"manual_grads needs {what} {dotted(least)} or newer, and this is {what} {found}"


def dotted(version: tuple) -> str:
    """A version as it is written."""
    return ".".join(map(str, version))


if sys.version_info[:2] < MIN_PYTHON:  # the lines above are ones that Python 3.8 can read
    raise ImportError(too_old("Python", dotted(sys.version_info[:3]), MIN_PYTHON))

import jax  # noqa: E402 - on an older Python, it would be an older one, or fail in its own way

if tuple(map(int, re.findall(r"\d+", jax.__version__)[:3])) < MIN_JAX:
    raise ImportError(f"{too_old('JAX', jax.__version__, MIN_JAX)}: pip install 'jax>={dotted(MIN_JAX)}'")


def own() -> str:
    """This package's version, as it was installed; one that says so where it wasn't."""
    try:
        return importlib.metadata.version("manual-grads")
    except importlib.metadata.PackageNotFoundError:
        return "0+not.installed"
