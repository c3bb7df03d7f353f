"""What the commands' printed output has in common."""

import json
import platform
import sys
from importlib.metadata import version
from typing import Any

import jax
from rich.console import Console
from rich.text import Text

SHORT = {"float16": "f16", "bfloat16": "bf16", "float32": "f32", "float64": "f64"}


def console() -> Console:
    """A terminal as wide as it is; 120 columns where the output is no terminal."""
    return Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 120)


def mark(right: bool) -> Text:
    """A tick or a cross."""
    return Text("✓", style="green") if right else Text("✗", style="red")


def print_json(**results: Any) -> None:
    """The results, with the versions and the device that they were found with."""
    device = jax.devices()[0]
    versions = {package: version(package) for package in ("manual-grads", "jax", "jaxlib", "numpy")}
    versions["python"] = platform.python_version()
    results |= {"versions": versions, "device": f"{device.platform}: {device.device_kind}"}
    print(json.dumps(results, indent=2, ensure_ascii=False))
