"""Do the tests catch errors? Plants one at a time, a single edit each, and runs the test that is to fail for it.

    python -m tests.mutants [--only TEXT] [--jobs N]

The edits are in `tests/edits`, a file for each folder of the package. Each is made in a copy of the tree. The exit
status is 0 if all are caught, 1 if one survives, 2 if one no longer applies or the tests fail without any. This is no
test and takes minutes: run it after changing tests, and add an edit with each test that is to catch one.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
FOLDERS = ("formulas", "nn", "derivations", "accuracy", "checking", "commands")
NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "images", "results")
CAUGHT, SURVIVED = "caught", "SURVIVED"


class Edit(NamedTuple):
    """A single edit, and what is to fail for it."""

    file: str  # from the tree's root
    replaced: str  # stands exactly once in the file
    by: str
    test: str  # a test that is to fail, or the file of several

    def __str__(self) -> str:
        """The edit in a line."""
        return f"{self.file}: {' '.join(self.replaced.split())} → {' '.join(self.by.split()) or 'nothing'}"


def edits() -> list[Edit]:
    """All of them."""
    return [
        Edit(f"manual_grads/{folder}/{file}", *edit)
        for folder in FOLDERS
        for file, its_edits in import_module(f"tests.edits.{folder}").EDITS.items()
        for edit in its_edits
    ]


def outcome(edit: Edit) -> str:
    """What becomes of an edit."""
    text = (ROOT / edit.file).read_text(encoding="utf-8") if (ROOT / edit.file).is_file() else ""
    if text.count(edit.replaced) != 1:
        return f"no longer applies: what it replaces stands in the file {text.count(edit.replaced)} times, not once"
    status, printed = tested([edit.test], {edit.file: text.replace(edit.replaced, edit.by)})
    if status in (0, 1):
        return CAUGHT if status else SURVIVED
    return f"says nothing: pytest ended with {status}: {printed.strip().splitlines()[-1]}"


def tested(tests: Sequence[str], edited: dict[str, str]) -> tuple[int, str]:
    """The exit status of pytest in a copy of the tree with some files edited (1: a test fails), and what it prints."""
    with TemporaryDirectory() as directory:
        copy = Path(directory) / "tree"
        shutil.copytree(ROOT, copy, ignore=NOT_COPIED)
        for file, text in edited.items():
            (copy / file).write_text(text, encoding="utf-8")
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-n", "0", "-q", "-p", "no:cacheprovider", "-m", "", *tests],
            cwd=copy,
            env=os.environ | {"PYTHONPATH": str(copy)},
            capture_output=True,
            text=True,
            check=False,
        )
        return run.returncode, run.stdout + run.stderr


def main(arguments: Sequence[str] | None = None, every: Sequence[Edit] | None = None) -> int:
    """Prints a line for each edit; see the module for the exit status."""
    parser = argparse.ArgumentParser(
        description="Plants errors one at a time, and runs the test that is to fail for each."
    )
    parser.add_argument("--only", metavar="TEXT", default="", help="the edits whose line has this text")
    parser.add_argument("--jobs", metavar="N", type=int, default=os.cpu_count() or 1, help="how many at a time")
    options = parser.parse_args(arguments)
    chosen = [edit for edit in (edits() if every is None else every) if options.only in str(edit)]
    if not chosen:
        parser.error(f"--only {options.only}: no such edit")
    status, printed = tested(sorted({edit.test for edit in chosen}), {})
    if status:
        print(f"the tests fail without any edit already (pytest ended with {status}):\n{printed}")
        return 2
    found = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for edit, result in zip(chosen, pool.map(outcome, chosen), strict=True):
            found.append(result)
            print(f"{result:<10}{edit}", flush=True)
    print(f"{found.count(CAUGHT)} of {len(found)} caught")
    if SURVIVED in found:
        return 1
    return 2 if set(found) - {CAUGHT} else 0


if __name__ == "__main__":
    sys.exit(main())
