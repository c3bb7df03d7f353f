"""`manual-grads accuracy`, in process: what it prints, and its exit status."""

import inspect
import json

import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads as mg
from manual_grads.__main__ import main
from manual_grads.accuracy import inputs, measure, survey
from manual_grads.commands import accuracy as command
from manual_grads.rules import RULES


@pytest.fixture(autouse=True)
def fewer_numbers(monkeypatch):
    monkeypatch.setattr(measure, "SPREAD", 2**16)


def results(capsys):
    return json.loads(capsys.readouterr().out)


@pytest.mark.smoke
def test_a_row_for_each_dtype(capsys):
    assert main(["accuracy", "--only", "sigmoid_grad", "--only", "log_softmax"]) == 0
    printed = capsys.readouterr().out
    for name in ("sigmoid_grad", "log_softmax"):
        assert printed.count(f" {name} ") == 2 * 4  # lines of the log, and rows
    assert printed.rstrip().endswith("every promise is kept")
    assert "✗" not in printed
    assert "\x1b" not in printed
    assert max(map(len, printed.splitlines())) <= 120


def test_json_says_where_the_worst_error_was_found(capsys):
    assert main(["accuracy", "--only", "softmax_cross_entropy_grad", "--json", "--seed", "3"]) == 0
    found = results(capsys)
    assert set(found) == {"command", "passed", "seed", "rows", "unmeasured", "versions", "device"}
    assert found["command"] == "accuracy"
    assert found["passed"] is True
    assert found["seed"] == 3
    assert [row["dtype"] for row in found["rows"]] == ["float16", "bfloat16", "float32", "float64"]
    for row in found["rows"]:
        assert set(row) == {
            "name",
            "dtype",
            "inputs",
            "in_ulp_of_the_value",
            "derived",
            "by_hand",
            "autodiff",
            "passed",
        }
        assert row["inputs"] > 50
        assert 0 < row["by_hand"]["ulp"] <= row["by_hand"]["bound"]
        assert row["by_hand"]["false_zeros"] == 0
        assert set(row["autodiff"]) == {"plain", "jax.nn"}
        assert row["autodiff"]["jax.nn"]["ulp"] > row["by_hand"]["bound"]


def test_the_input_of_the_worst_error_is_in_the_json_to_the_last_bit(capsys):
    main(["accuracy", "--only", "softmax", "--json"])
    row = next(row for row in results(capsys)["rows"] if row["dtype"] == "float32")
    logits = [float.fromhex(text) for text in row["by_hand"]["args"][0]]
    cases = inputs.cases(RULES["softmax"], np.dtype("float32"), *measure.CLASSES)
    (at,) = np.flatnonzero((cases.args[0] == logits).all(-1))
    assert cases.families[at] == row["by_hand"]["family"]


def test_false_zeros_and_nan_of_autodiff_are_shown(capsys):
    assert main(["accuracy", "--only", "sigmoid_grad", "--json"]) == 0
    row = next(row for row in results(capsys)["rows"] if row["dtype"] == "float32")
    assert row["autodiff"]["plain"]["ulp"] == "NaN"
    assert row["autodiff"]["jax.nn"]["false_zeros"] > 100
    assert row["by_hand"]["false_zeros"] == 0


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        (
            "softmax",
            lambda s: jnp.exp(s - s.max(-1, keepdims=True)) / jnp.exp(s - s.max(-1, keepdims=True)).sum(-1)[..., None],
        ),
        pytest.param("sigmoid_grad", lambda z: mg.sigmoid(z) * (1 - mg.sigmoid(z)), marks=pytest.mark.slow),
        ("softmax_vjp", lambda s, c: mg.softmax(s) * (c - (mg.softmax(s) * c).sum(-1, keepdims=True))),
    ],
    ids=["the usual softmax", "the document's last line", "a product that cancels"],
)
def test_a_promise_that_is_broken_fails(name, wrong, monkeypatch, capsys):
    monkeypatch.setitem(RULES, name, RULES[name]._replace(manual=wrong_like(RULES[name].manual, wrong)))
    assert main(["accuracy", "--only", name]) == 1
    printed = capsys.readouterr().out
    assert "✗" in printed
    assert printed.rstrip().endswith("NOT every promise is kept")


def wrong_like(right, wrong):
    """A wrong function with the right one's parameters, by whose names its inputs are drawn."""
    wrong.__signature__ = inspect.signature(right)
    return wrong


def test_errors_in_few_characters():
    assert [command.number(x) for x in (0.5, 2.196, 99.0, 1.7e7, np.inf)] == ["0.50", "2.20", "99.00", "2e7", "∞"]


def test_a_number_is_shown_as_a_hexadecimal_float():
    assert command.place(survey.Worst(2.0, 3.0, 0, "every number", 0, (np.float32(-16.5),))) == "-0x1.08p+4"
    assert command.place(survey.Worst(2.0, 3.0, 0, "spread 80", 7, (np.zeros(3),))) == "spread 80 [7]"
    assert command.place(survey.Worst(0.5, 3.0, 0)) == "rounded right"


@pytest.mark.parametrize("arguments", [["--only", "no_such_rule"], ["--seed", "x"], ["--no-such-option"]], ids=str)
def test_bad_usage(arguments, capsys):
    with pytest.raises(SystemExit) as error:
        main(["accuracy", *arguments])
    assert error.value.code == 2
    assert "usage: manual-grads" in capsys.readouterr().err


@pytest.fixture
def rule_of_somebody(monkeypatch):
    monkeypatch.setitem(RULES, "preds", RULES["sigmoid_grad"]._replace(name="preds"))


def test_a_rule_whose_truth_isn_t_known_is_refused(rule_of_somebody, capsys):
    assert main(["accuracy", "--only", "preds"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("manual-grads: --only preds: its true value isn't known to balls, and so its error can't be")
    assert "expected one of sigmoid, sigmoid_grad" in said


def test_a_rule_whose_truth_isn_t_known_is_left_out_and_named(rule_of_somebody, monkeypatch, capsys):
    monkeypatch.setattr(command, "RULES", {name: RULES[name] for name in ("preds", "sigmoid")})
    assert main(["accuracy"]) == 0
    printed = capsys.readouterr().out
    assert "not measured, for balls don't know the true value: preds" in printed
    assert printed.count("✓ sigmoid ") == 4  # a line each in the log
    assert main(["accuracy", "--json"]) == 0
    found = results(capsys)
    assert found["unmeasured"] == ["preds"]
    assert {row["name"] for row in found["rows"]} == {"sigmoid"}


def test_the_pictures_as_json(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("manual_grads.accuracy.plots.draw_all", lambda folder: iter([folder / "a.png"]))
    assert main(["accuracy", "--plot", str(tmp_path), "--json"]) == 0
    assert results(capsys)["pictures"] == [str(tmp_path / "a.png")]
