"""`manual-grads verify`, in process: what it prints, and its exit status."""

import json
from functools import partial

import pytest

import manual_grads as mg
from manual_grads.__main__ import main
from manual_grads.commands import verify as commands
from manual_grads.rules import RULES


@pytest.fixture
def few_rules_and_lines(monkeypatch):
    """The whole of `verify`, on less."""
    monkeypatch.setattr(commands, "RULES", {name: RULES[name] for name in ("two_layer_grads", "logloss_grad")})
    monkeypatch.setattr(commands, "CHAINS", commands.CHAINS[:2] + commands.CHAINS[-1:])
    monkeypatch.setattr(commands, "verify_rule", partial(commands.verify_rule, thorough=False))


def test_verify_is_what_runs_when_nothing_is_named(few_rules_and_lines, capsys):
    assert main([]) == 0
    printed = capsys.readouterr().out
    for text in ("logloss_grad", "two_layer_grads", "1797 handwritten digits", "Task 18: 10 of 10", "(g − y) · σ(Ax)"):
        assert text in printed
    assert printed.rstrip().endswith("everything holds")
    assert "✗" not in printed
    assert "\x1b" not in printed  # no colours and no progress bar where the output is no terminal
    assert max(map(len, printed.splitlines())) <= 120


def test_json_has_stable_keys(few_rules_and_lines, capsys):
    assert main(["--json", "--seed", "3"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert set(results) == {"command", "passed", "seed", "rules", "lines", "digits", "versions", "device"}
    assert results["command"] == "verify"
    assert results["passed"] is True
    assert results["seed"] == 3
    assert {"jax", "jaxlib", "manual-grads", "python"} <= set(results["versions"])
    for rule in results["rules"]:
        assert set(rule) == {"name", "equation", "claim", "worst", "checks", "failures", "passed"}
        assert set(rule["worst"]) == {"float16", "bfloat16", "float32", "float64"}
        assert all(0 <= worst <= 1 for worst in rule["worst"].values())
        assert {"jit of vmap", "against reverse"} <= {check["check"] for check in rule["checks"]}
        for check in rule["checks"]:
            assert set(check) == {"dtype", "check", "points", "ulp", "part", "passed"}
            assert check["passed"]
    for line in results["lines"]:
        keys = {"task", "line", "proved", "confirmed_by_balls", "float64_error", "misprint", "passed"}
        assert set(line) == keys
    assert results["digits"]["examples"] == 1797
    assert results["digits"]["passed"]


def test_only_one_rule(capsys):
    assert main(["--only", "sigmoid_grad", "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert [rule["name"] for rule in results["rules"]] == ["sigmoid_grad"]
    assert results["lines"] == []
    assert results["digits"] is None


@pytest.mark.parametrize(
    "wrong",
    [lambda z: 2 * mg.sigmoid_grad(z), lambda z: z[0], lambda z: 1 / 0],
    ids=["wrong factor", "wrong shape", "raises"],
)
def test_a_wrong_rule_fails(wrong, monkeypatch, capsys):
    monkeypatch.setitem(RULES, "sigmoid_grad", RULES["sigmoid_grad"]._replace(manual=wrong))
    assert main(["verify", "--only", "sigmoid_grad"]) == 1
    printed = capsys.readouterr().out
    assert "✗" in printed
    assert "sigmoid_grad, one example" in printed
    assert "NOT everything holds" in printed


def test_wrong_gradients_on_the_digits_fail(monkeypatch, few_rules_and_lines, capsys):
    rule = RULES["two_layer_grads"]

    def averaged(x, A, B, labels):
        dx, dA, dB = mg.two_layer_grads(x, A, B, labels)
        return dx, dA / max(1, x.size // x.shape[-1]), dB

    monkeypatch.setitem(commands.RULES, "two_layer_grads", rule._replace(manual=averaged))
    assert main(["--json"]) == 1
    results = json.loads(capsys.readouterr().out)
    assert not results["digits"]["passed"]
    assert results["rules"][0]["passed"]
    assert not results["rules"][1]["passed"]
