"""What is missing is told before anything is done: all of it, and how to install it."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from benchmarks.__main__ import NEEDED as NEEDED_BY_BENCHMARKS
from benchmarks.__main__ import parser as parser_of_benchmarks
from manual_grads.__main__ import parser
from manual_grads.commands import extras
from manual_grads.commands.process import BadInput

ROOT = Path(__file__).parents[2]
EVERY = sorted(module for packages in extras.PACKAGES.values() for module in packages)

# As on a machine where only JAX is: `import chex` and all below it fails, as an import of what isn't there does.
BLOCK = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocked())
"""
TRY = """
import contextlib, io, json
from manual_grads.__main__ import main
from benchmarks.__main__ import main as benchmarks

found = []
for program, arguments in {commands}:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = (benchmarks if program == "benchmarks" else main)(arguments)
        except SystemExit as stopped:
            status = stopped.code
    found.append((status, out.getvalue(), err.getvalue()))
print(json.dumps(found))
"""


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)


def arguments_of(action):
    """An option as somebody types it, or a positional argument's value."""
    name = action.option_strings[:1]
    if action.nargs == 0:
        return name
    value = "19" if "19" in (action.choices or ()) else "x" if action.type is None else "2"
    value = {"only": "sigmoid", "platform": "cpu", "dtype": "float32"}.get(action.dest, value)
    return [*name, value]


def uses(top):
    """Every command of a parser: alone, with each of its options alone, and with all of them that go together."""
    commands = next((a for a in top._actions if isinstance(a.choices, dict)), None)
    for name, command in ({} if commands is None else commands.choices).items():
        given = [arguments_of(a) for a in command._actions if not a.option_strings and a.nargs != "?"]
        options = [arguments_of(a) for a in command._actions if (a.option_strings or a.nargs == "?")]
        base = [name, *(word for words in given for word in words)]
        yield base
        yield from ([*base, *option] for option in options)
        apart = ("-h", "--help", *(["--plot"] if name == "accuracy" else []))
        yield [*base, *(word for option in options if option[0] not in apart for word in option)]
    alone = [a for a in top._actions if not isinstance(a.choices, dict)]
    yield []
    yield from (arguments_of(action) for action in alone)


def test_every_command_with_every_option_on_a_machine_without_extras():
    commands = [("manual-grads", words) for words in uses(parser())]
    commands += [("benchmarks", words) for words in uses(parser_of_benchmarks())]
    assert len(commands) > 45
    done = run(BLOCK.format(names=EVERY) + TRY.format(commands=commands))
    assert done.returncode == 0, done.stderr
    for (program, words), (status, out, err) in zip(commands, json.loads(done.stdout), strict=True):
        if {"-h", "--help", "--version"} & set(words):
            assert (status, err) == (0, ""), words
            assert out.startswith(("usage: ", "manual-grads ")), words
            continue
        assert (status, out) == (2, ""), words
        assert err.count("\n") == 1, words
        command = next((word for word in words if not word.startswith("-")), "verify")
        if program == "benchmarks":
            needed = NEEDED_BY_BENCHMARKS.get(command, NEEDED_BY_BENCHMARKS["run"])
        else:
            needed = extras.NEEDED[f"{command} --plot" if "--plot" in words else command]
        for module in needed:
            assert {"flint": "python-flint", "sklearn": "scikit-learn"}.get(module, module) in err, (words, module)
        extra = "bench" if program == "benchmarks" else "plot" if "--plot" in words else "verify"
        assert f"pip install '.[{extra}]'" in err, words


IMPORTED = {
    "verify": ("manual_grads.commands.verify", "sklearn.datasets"),
    "check": ("manual_grads.commands.check",),
    "lines": ("manual_grads.commands.lines",),
    "accuracy": ("manual_grads.commands.accuracy",),
    "accuracy --plot": ("manual_grads.commands.accuracy", "manual_grads.accuracy.plots"),
    "train": ("manual_grads.commands.train", "sklearn.datasets"),
    "train --plot": ("manual_grads.commands.train", "manual_grads.training.plots", "sklearn.datasets"),
}


# Each command's imports in a process of its own, which begins where JAX has been imported: that takes seconds.
IMPORT = """
import importlib, json, os
import manual_grads

for command, modules in {imported}.items():
    if os.fork():
        status = os.wait()[1]
        assert status == 0, command
        continue
    blocked = set({every}) - set({needed}[command])
    names[:] = blocked
    for module in modules:
        importlib.import_module(module)
    print(json.dumps([command, [name for name in {every} if name in sys.modules]]), flush=True)
    os._exit(0)
"""


@pytest.mark.slow
def test_a_command_needs_what_it_is_said_to_need():
    code = "names = []\n" + BLOCK.format(names="names")
    done = run(code + IMPORT.format(imported=IMPORTED, every=EVERY, needed=extras.NEEDED))
    assert done.returncode == 0, done.stderr
    found = dict(json.loads(line) for line in done.stdout.splitlines())
    assert found == {command: sorted(needed) for command, needed in extras.NEEDED.items()}


@pytest.mark.smoke
def test_the_extras_are_those_of_pip():
    optional = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for extra, packages in extras.PACKAGES.items():
        names = {requirement.partition(">=")[0] for requirement in optional[extra]}
        assert {name for name in names if "[" not in name} == set(packages.values())


def test_one_that_is_missing_is_told_alone(monkeypatch):
    monkeypatch.setattr(extras, "is_there", lambda module: module != "matplotlib")
    with pytest.raises(BadInput) as error:
        extras.require("train --plot", extras.NEEDED["train --plot"])
    assert str(error.value) == (
        "train --plot needs matplotlib, which isn't installed here. In a clone of this repository: "
        "pip install '.[plot]'; elsewhere: pip install matplotlib"
    )
    extras.require("train", extras.NEEDED["train"])
