"""What the README says is what runs: its commands are CI's, its example prints what it shows, its tables are whole."""

import contextlib
import inspect
import io
import re
from pathlib import Path

import numpy as np
import pytest

import manual_grads as mg
from manual_grads.derivations import CHAINS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def test_ci_runs_the_readme_s_own_two_commands():
    main_job, tests = (command for block in blocks("sh") for command in block.splitlines())
    lines = CI.splitlines()
    assert lines.index(main_job) < lines.index(tests)
    assert "python -m manual_grads" in main_job
    assert tests.endswith("pytest")


@pytest.mark.smoke
def test_the_example_prints_what_it_shows():
    example = "\n".join(blocks("python"))
    shown = re.findall(r"# prints (.*)", example)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, "README.md", "exec"), {})
    for line, expected in zip(printed.getvalue().splitlines(), shown, strict=True):
        if expected.startswith("["):
            got, want = (np.array(text.strip("[]").split(), float) for text in (line, expected))
            np.testing.assert_allclose(got, want, rtol=1e-6)  # another processor may round the last digit otherwise
        else:
            assert line == expected
    assert shown


def test_every_public_function_is_in_the_table_with_its_formula():
    rows = dict(re.findall(r"^\| `(\w+)\(.*?\)` \| (.*?) \|", README, flags=re.MULTILINE))
    assert set(rows) == set(mg.__all__)
    for name in mg.__all__:
        assert re.search(rf"`{name}\({', '.join(inspect.signature(getattr(mg, name)).parameters)}\)`", README), name


def test_every_misprint_is_in_the_table():
    for chain in CHAINS:
        for line in chain.lines:
            if line.misprint:
                row = f"| {chain.task} | `{line.misprint.printed}` | `{line.text}` |"
                assert row in README, row
