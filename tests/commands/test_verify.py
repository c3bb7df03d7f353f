"""`manual-grads verify`, in process: what it prints, and its exit status."""

import json
from functools import cache

import pytest

import manual_grads as mg
from manual_grads.__main__ import main
from manual_grads.checking.verify import RuleVerdict, verify_rule
from manual_grads.commands import verify as commands
from manual_grads.derivations.verdicts import LineVerdict
from manual_grads.rules import RULES
from manual_grads.training.full_batch import DigitsReport


@cache
def verified(rule):
    """What `verify` finds of a rule, briefly."""
    return verify_rule(rule, thorough=False)


class SomeByDefault(dict):
    """All rules, of which two are verified where none is named."""

    def __iter__(self):
        return iter(("logloss_grad", "sigmoid_grad"))


@pytest.fixture
def few_rules_and_lines(monkeypatch):
    """The whole of `verify`, on less; the rules are verified once for all tests."""
    monkeypatch.setattr(commands, "RULES", SomeByDefault(RULES))
    last = [chain for chain in commands.CHAINS if chain.task == "21"][-1:]
    monkeypatch.setattr(commands, "CHAINS", (*commands.CHAINS[:2], *last))
    monkeypatch.setattr(commands, "verify_rule", lambda rule, seed: verified(rule))


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
        keys = {"task", "line", "reason", "code", "proved", "confirmed_by_balls", "float64_error", "misprint", "passed"}
        assert set(line) == keys | {"proved_for", "proved_by"}
        assert line["proved_for"] in ("all numbers", "every K", "every size")
    assert results["digits"]["examples"] == 1797
    assert results["digits"]["passed"]


@pytest.mark.smoke
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
    monkeypatch.setattr(commands, "CHAINS", ())
    monkeypatch.setattr(commands, "verify_rule", lambda rule, seed: RuleVerdict(rule, [], []))
    assert main(["--json"]) == 1
    results = json.loads(capsys.readouterr().out)
    assert not results["digits"]["passed"]
    assert all(each["passed"] for each in results["rules"])


NAMES = "two_layer_grads", "sigmoid", "logloss"
FAILS = ["Something is wrong here"]


@pytest.fixture
def faked(monkeypatch):
    """`verify` with verdicts that are said, not found: which rules, which lines and which format of the digits hold."""

    def verdicts_are(rules=(True, True, True), lines=((True, True), (True,)), digits=(True, True)):
        names = NAMES[: len(rules)]
        right = dict(zip(names, rules, strict=True))
        monkeypatch.setattr(commands, "RULES", {name: RULES[name] for name in names})
        monkeypatch.setattr(
            commands, "verify_rule", lambda rule, seed: RuleVerdict(rule, [], [] if right[rule.name] else FAILS)
        )
        chains = commands.CHAINS[: len(lines)]
        holding = dict(zip(map(id, chains), lines, strict=True))
        monkeypatch.setattr(commands, "CHAINS", chains)
        monkeypatch.setattr(
            commands,
            "judged",
            lambda chain, seed: [
                LineVerdict(chain.task, line, holds, True, 0.0, None)
                for line, holds in zip(chain.lines, holding[id(chain)], strict=False)
            ],
        )
        failures = [f"float{bits}: too far" for bits, holds in zip((32, 64), digits, strict=True) if not holds]
        report = DigitsReport(1797, dict.fromkeys(["float32", "float64"], 0.0), {"float32": 1, "float64": 1}, failures)
        monkeypatch.setattr(commands, "verify_on_digits", lambda rule, seed: report)
        return [*(["--only", name] for name in names)]

    return verdicts_are


def status(capsys, *arguments):
    """The exit status, and that what is printed says the same."""
    found = main(["verify", *arguments])
    assert (capsys.readouterr().out.rstrip().splitlines()[-1] == "everything holds") == (found == 0)
    assert json_passes(capsys, *arguments) == (found == 0)
    return found


def json_passes(capsys, *arguments):
    main(["verify", "--json", *arguments])
    return json.loads(capsys.readouterr().out)["passed"]


def test_all_that_holds(faked, capsys):
    faked()
    assert status(capsys) == 0


@pytest.mark.parametrize("rules", [(False, True, True), (True, False, True), (True, True, False)])
def test_a_rule_that_fails_alone(rules, faked, capsys):
    faked(rules=rules)
    assert status(capsys) == 1


@pytest.mark.parametrize("lines", [((False, True), (True,)), ((True, False), (True,)), ((True, True), (False,))])
def test_a_line_that_fails_alone(lines, faked, capsys):
    faked(lines=lines)
    assert status(capsys) == 1


@pytest.mark.parametrize("digits", [(False, True), (True, False)])
def test_the_digits_that_fail_alone(digits, faked, capsys):
    faked(digits=digits)
    assert status(capsys) == 1


def test_only_some_rules_are_judged_by_themselves(faked, capsys):
    """The lines and the digits aren't looked at: whatever they would come to, the verdict is the rules'."""
    only = faked(rules=(True, False), lines=((False, False),), digits=(False, False))
    assert status(capsys, *only[0]) == 0
    assert status(capsys, *only[1]) == 1
    assert status(capsys, *only[0], *only[1]) == 1


def test_what_is_raised_in_a_thread_is_raised(faked, monkeypatch):
    faked()

    def broken(rule, seed):
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(commands, "verify_rule", broken)
    with pytest.raises(RuntimeError, match="a bug of ours"):
        main(["verify"])


def test_a_log_has_a_line_for_each_rule_and_chain_and_the_digits(faked, capsys):
    faked(rules=(True, False))
    main(["verify"])
    log = capsys.readouterr().out.split("\n\n")[0].splitlines()
    assert log[0] == "verifying: a line as each part is done"
    first, second = NAMES[:2]
    assert sorted(log[1:]) == sorted(
        [
            f"✓ {first} = {RULES[first].claim}: an error",
            f"✗ {second} = {RULES[second].claim}: an error",
            "✓ Task 18: 2 of 2 lines proved, 0 of them misprinted",
            "✓ Task 18: 1 of 1 lines proved, 0 of them misprinted",
            "✓ two_layer_grads on 1797 handwritten digits",
        ]
    )
