"""`manual-grads check`: the rules of somebody's own file, its table and its exit statuses."""

import ast
import json
import textwrap
from pathlib import Path

import pytest

from manual_grads.__main__ import main
from manual_grads.checking import GradientMismatch
from manual_grads.rules import RULES

RIGHT = """
    import jax, jax.numpy as jnp
    from manual_grads.rules import derivative_of

    def example(key, dtype, sizes):
        return (jax.random.normal(key, (*sizes.batch, 3), dtype),)

    def energy(x):
        return (x**4).sum(-1)

    @derivative_of(energy, by=jax.grad, example=example)
    def sigmoid_grad(x):  # a name that this package has too
        return 4 * x**3
"""


@pytest.fixture
def file(tmp_path):
    def written(text):
        path = tmp_path / "mine.py"
        path.write_text(textwrap.dedent(text))
        return str(path)

    return written


@pytest.mark.smoke
def test_a_right_rule_passes(file, capsys):
    before = dict(RULES)
    assert main(["check", file(RIGHT), "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert results["command"] == "check"
    (rule,) = results["rules"]
    assert (rule["name"], rule["claim"], rule["passed"]) == ("sigmoid_grad", "grad(energy)", True)
    assert RULES == before


def test_a_wrong_rule_fails_and_is_explained(file, capsys):
    assert main(["check", file(RIGHT.replace("4 * x**3", "2 * x**3"))]) == 1
    printed = capsys.readouterr().out
    assert "a constant factor 0.5, perhaps 1/2" in printed
    assert printed.rstrip().endswith("NOT everything holds")
    assert max(len(line) for line in printed.splitlines() if "import" not in line) <= 120


@pytest.mark.parametrize("columns", [*(pytest.param(x, marks=pytest.mark.slow) for x in ("80", "120", None)), "60"])
def test_what_is_to_be_pasted_runs_when_it_is(columns, file, monkeypatch, capsys):
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    path = file(RIGHT.replace("4 * x**3", "2 * x**3"))
    assert main(["check", path]) == 1
    printed = capsys.readouterr().out
    codes = [line.strip() for line in printed.splitlines() if line.lstrip().startswith("import ")]
    assert len(codes) == 2  # for one example, and for a batch
    monkeypatch.syspath_prepend(str(Path(path).parent))
    for code in codes:
        assert isinstance(ast.parse(code).body[-1], ast.Expr)
        with pytest.raises(GradientMismatch, match=r"a constant factor 0\.5, perhaps 1/2"):
            exec(code, {})


@pytest.mark.slow
def test_a_module_s_rules_are_checked_by_its_name(capsys):
    assert main(["check", "manual_grads.formulas.sigmoid", "--json"]) == 0
    names = [rule["name"] for rule in json.loads(capsys.readouterr().out)["rules"]]
    assert names == ["sigmoid", "sigmoid_grad", "sigmoid_jacobian"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "registers no rule: decorate a gradient with @derivative_of"),
        ("1 / 0", "can't be imported: ZeroDivisionError"),
        ("import no_such_module", "can't be imported: ModuleNotFoundError"),
    ],
)
def test_a_file_without_rules_is_bad_usage(text, said, file, capsys):
    assert main(["check", file(text)]) == 2
    assert said in capsys.readouterr().err


def test_no_such_file_or_module(capsys):
    assert main(["check", "no_such_file.py"]) == 2
    assert "no_such_file.py: no such file" in capsys.readouterr().err
    assert main(["check", "no_such_module"]) == 2
    assert "no_such_module: no such file or module" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("part", "by"),
    [
        ("return 4 * x**3", "sys.exit(0)"),
        ("return (x**4).sum(-1)", "sys.exit(0)"),
        ("return (jax.random", "sys.exit(0)#"),
    ],
    ids=["manual", "forward", "example"],
)
def test_a_rule_that_leaves_fails_at_its_line(part, by, file, capsys):
    path = file(f"import sys\n{textwrap.dedent(RIGHT)}".replace(part, by))
    assert main(["check", path]) == 1
    printed = capsys.readouterr().out
    assert "sigmoid_grad, " in printed and "SystemExit: 0" in printed
    assert f"{path}, line " in printed and "sys.exit(0)" in printed
    assert printed.rstrip().endswith("NOT everything holds")


def test_a_rule_that_returns_text(file, capsys):
    assert main(["check", file(RIGHT.replace("return 4 * x**3", "return '4 x³'"))]) == 1
    assert "the manual gradient returns a str where an array is expected: '4 x³'" in capsys.readouterr().out
