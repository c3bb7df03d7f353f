"""Files and modules that can't be checked: where the trouble is, in the words of whoever wrote it."""

import os
import sys
from pathlib import Path

import pytest

from manual_grads.commands.loading import rules_of
from manual_grads.commands.process import BadInput
from manual_grads.rules import RULES

RULE = """
import jax, jax.numpy as jnp
from manual_grads.rules import derivative_of

def energy(x):
    return (x**4).sum(-1)

@derivative_of(energy, by=jax.grad, example=lambda key, dtype, sizes: (jnp.ones(3, dtype),))
def energy_grad(x):
    return 4 * x**3
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before, path, modules = dict(RULES), list(sys.path), set(sys.modules)
    yield
    assert (RULES, sys.path) == (before, path)
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def refused(target):
    with pytest.raises(BadInput) as error:
        rules_of(target)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "said", "place"),
    [
        ("x = 1\n\n1 / 0\n", "ZeroDivisionError: division by zero", "line 3, in <module>: 1 / 0"),
        ("def f():\n    raise OSError('mine')\nf()\n", "OSError: mine", "line 2, in f: raise OSError('mine')"),
        ("import json\njson.loads('')\n", "JSONDecodeError: Expecting value", "line 2, in <module>: json.loads('')"),
        ("x = = 3\n", "SyntaxError: invalid syntax", "line 1: x = = 3"),
        ("import no_such\n", "ModuleNotFoundError: No module named 'no_such'", "line 1, in <module>: import no_such"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3", "line 2, in <module>: sys.exit(3)"),
        ("x = 1\nraise GeneratorExit\n", "GeneratorExit: ", "line 2, in <module>: raise GeneratorExit"),
        (
            "import pytest\npytest.importorskip('no_such')\n",
            "Skipped: could not import 'no_such'",
            "line 2, in <module>: pytest.importorskip('no_such')",
        ),
        (
            "raise BaseExceptionGroup('b', [SystemExit()])",
            "BaseExceptionGroup: b (1 sub-exception)",
            "line 1, in <module>: ",
        ),
        ("x = 1\nexec('1/0')\n", "ZeroDivisionError: division by zero", "line 2, in <module>: exec('1/0')"),
    ],
)
def test_an_exception_of_a_file(text, said, place, tmp_path):
    (tmp_path / "mine.py").write_text(text)
    message = refused("mine.py")
    assert message.startswith(f"mine.py can't be imported: {said}")
    assert f"\n  {tmp_path / 'mine.py'}, {place}" in message


def test_a_file_with_bytes_that_no_source_has(tmp_path):
    (tmp_path / "mine.py").write_bytes(b"x = 1\n\0")
    message = refused("mine.py")
    assert "null bytes" in message
    assert message.partition("\n  ")[2].startswith(("mine.py", f"{tmp_path / 'mine.py'}, line "))


def test_ctrl_c_while_a_file_is_imported_is_ctrl_c(tmp_path):
    (tmp_path / "mine.py").write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        rules_of("mine.py")


def test_an_exception_of_a_module_that_a_file_imports(tmp_path):
    (tmp_path / "other.py").write_text("x = []\nx[1]\n")
    (tmp_path / "mine.py").write_text("import other\n")
    assert refused("mine.py").endswith(f"\n  {tmp_path / 'other.py'}, line 2, in <module>: x[1]")


def test_a_folder_names_its_files(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "rules.py").write_text(RULE)
    (tmp_path / "mine" / "other.py").write_text("x = 1")
    said = f"mine is a folder; expected a Python file such as mine{os.sep}rules.py, or the name of a module"
    assert refused("mine") == said
    assert refused(".").startswith(". is a folder; expected a Python file such as mine")


@pytest.mark.parametrize("target", ["pack", "below/pack", "below/pack/"])
def test_a_folder_that_is_a_package_is_a_module(target, tmp_path):
    (tmp_path / "below" / "pack").mkdir(parents=True)
    (tmp_path / "below" / "pack" / "__init__.py").write_text("from . import rules")
    (tmp_path / "below" / "pack" / "rules.py").write_text(RULE)
    if target == "pack":
        os.chdir(tmp_path / "below")
    assert [rule.name for rule in rules_of(target)] == ["energy_grad"]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("missing.py", "missing.py: no such file; expected a Python file, or the name of a module"),
        ("missing", "missing: no such file or module; expected"),
        ("json.missing", "json.missing: no such file or module; expected"),
        ("page.txt", "page.txt isn't a Python file: its name doesn't end in .py"),
        ("", "'' names nothing; expected a Python file, or the name of a module"),
        (" ", "' ' names nothing; expected a Python file, or the name of a module"),
        (f"{'a' * 300}.py", f"{'a' * 300}.py: no such file; expected"),
        ("a" * 300, f"{'a' * 300}: no such file or module; expected"),
        ("json", "json registers no rule: decorate a gradient with @derivative_of"),
    ],
)
def test_what_is_no_file_of_rules(target, said, tmp_path):
    (tmp_path / "page.txt").touch()
    assert refused(target).startswith(said)


@pytest.mark.smoke
def test_a_file_of_rules():
    Path("mine.py").write_text(RULE)
    assert [rule.name for rule in rules_of("mine.py")] == ["energy_grad"]
