"""This package as the program that was started: what is done before JAX is imported, which its `__init__` does."""

import os
import sys

NAMES = ("manual_grads", "-mmanual_grads", "manual-grads", "manual-grads.exe")  # the package's, and pip's script's


def is_started():
    """Whether Python was started to run this package, by `-m` or by the script: elsewhere, it is somebody's library."""
    started = getattr(sys, "orig_argv", [])[-len(sys.argv) :]  # from the module or the script on; Python 3.8 has none
    return bool(started) and os.path.basename(started[0]) in NAMES


if is_started():
    from manual_grads.commands import starting

    starting.begin("manual-grads")
