"""`manual-grads train`: what is learned, that the ways agree, and what a wrong gradient does."""

import json
from functools import cache
from typing import Any

import jax.numpy as jnp
import pytest

from manual_grads import nn
from manual_grads.__main__ import main, parser
from manual_grads.training import comparison, digits, large, words

SLOW = pytest.mark.slow


@pytest.fixture
def few_classes(monkeypatch):
    """The second demonstration, on less; and the third, in too few steps for anything to be learned."""
    monkeypatch.setattr(large, "CLASSES", 3001)
    monkeypatch.setattr(large, "EXAMPLES", 128)
    monkeypatch.setattr(words, "STEPS", 3)
    monkeypatch.setattr(words, "BATCH", 4)
    monkeypatch.setattr(words, "HELD_OUT", 200)
    monkeypatch.setattr(words, "GAIN", -100)


# What the demonstrations come to where a test looks at another one: each is computed once.
TRAIN_DIGITS, TRAIN_MANY, TRAIN_WORDS = digits.train, large.train, words.train


@cache
def of_digits(epochs, seed):
    return TRAIN_DIGITS(digits.digits(), epochs, seed, lambda: None)


@cache
def of_many(steps, seed):
    return TRAIN_MANY(steps, seed, lambda: None)


@cache
def of_words(seed):
    return TRAIN_WORDS(seed, lambda: None)


@pytest.fixture
def only_digits(few_classes, monkeypatch):
    monkeypatch.setattr(large, "train", lambda steps, seed, advance: of_many(steps, seed))
    monkeypatch.setattr(words, "train", lambda seed, advance: of_words(seed))


@pytest.fixture
def only_words(few_classes, monkeypatch):
    monkeypatch.setattr(digits, "train", lambda data, epochs, seed, advance: of_digits(epochs, seed))
    monkeypatch.setattr(large, "train", lambda steps, seed, advance: of_many(steps, seed))


@SLOW
def test_it_learns_and_the_three_curves_coincide(capsys, tmp_path):
    assert main(["train", "--json", "--plot", str(tmp_path / "curves.png")]) == 0
    results = json.loads(capsys.readouterr().out)
    assert results["command"] == "train"
    assert results["passed"] is True
    assert results["goal"] == comparison.GOAL == 0.96
    assert len(results["digits"]) == 3
    for run in results["digits"].values():
        assert run["accuracy"] >= 0.96
        assert run["losses"][-1] < 0.1 < 2 < run["losses"][0]
        assert run["step_seconds"] > 0
    assert len(results["differences"]) == 660
    assert results["largest_difference"] <= comparison.CLOSE
    many = results["many_classes"]
    assert many["largest_difference"] <= comparison.CLOSE
    lean, dense = many["temporary_bytes"].values()
    assert lean < dense / 16
    assert all(losses[-1] < losses[0] for losses in many["losses"].values())
    text = results["words"]
    assert text["classes"] > 1000 and 0.1 < text["padding"] < 0.9
    assert text["largest_difference"] <= text["allowed_difference"]
    lean, dense = text["runs"].values()
    assert lean["temporary_bytes"] < dense["temporary_bytes"] / 8
    for run in text["runs"].values():
        assert run["held_out_loss"] <= text["frequencies_loss"] - words.GAIN
        assert run["accuracy"] > 0.1
        assert len(run["losses"]) == words.STEPS
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


@SLOW
@pytest.mark.smoke
def test_the_table(few_classes, capsys):
    assert main(["train", "--epochs", "1", "--seed", "3"]) == 0
    printed = capsys.readouterr().out
    for text in (
        "by hand",
        "jax.grad through nn",
        "held out",
        "temporaries",
        "largest difference",
        "everything holds",
    ):
        assert text in printed
    assert "no goal in 1 epochs: 96% of the digits held out is the one for 30" in printed
    assert "✗" not in printed
    assert "digits: epoch 1 of 1\nmany classes: nn.linear_softmax_cross_entropy\n" in printed
    assert "words: nn.linear_softmax_cross_entropy\nwords: optax, dense\n" in printed
    assert "by the words' frequencies alone" in printed
    assert "\x1b" not in printed


def test_a_wrong_gradient_is_seen(only_digits, monkeypatch, capsys):
    def wrong(weights, x, labels):
        loss, gradients = digits.by_hand(weights, x, labels)
        return loss, {**gradients, "A": 1.001 * gradients["A"] + 1e-4}

    monkeypatch.setitem(digits.WAYS, "by hand", wrong)
    assert main(["train", "--epochs", "1", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["largest_difference"] > 100 * comparison.CLOSE


@pytest.mark.parametrize(
    "wrong",
    ["no bias", *(pytest.param(x, marks=SLOW) for x in ("nothing learned", "no smoothing", "padding counts"))],
)
def test_a_loss_without_one_of_its_options_is_seen(only_words, monkeypatch, capsys, wrong):
    def without(hidden, B, bias, labels):
        bias = jnp.zeros_like(bias) if wrong == "no bias" else bias
        smoothing = 0.0 if wrong == "no smoothing" else words.SMOOTHING
        if wrong == "padding counts":
            labels = jnp.where(labels == words.IGNORED, words.NONE, labels)
        options: dict[str, Any] = {"label_smoothing": smoothing, "ignore_index": words.IGNORED}
        return nn.linear_softmax_cross_entropy(hidden, B, labels, bias=bias, **options)

    name = "nn.linear_softmax_cross_entropy"
    if wrong == "nothing learned":
        monkeypatch.setattr(words, "GAIN", 1)
    else:
        monkeypatch.setitem(words.WAYS, name, without)
    assert main(["train", "--epochs", "1", "--json"]) == 1
    text = json.loads(capsys.readouterr().out)["words"]
    assert (text["largest_difference"] > text["allowed_difference"]) == (wrong != "nothing learned")


def test_bad_usage(capsys):
    with pytest.raises(SystemExit) as error:
        main(["train", "--epochs", "0"])
    assert error.value.code == 2
    assert "0 is not positive" in capsys.readouterr().err


def test_the_goal_is_for_the_default_epochs(monkeypatch, only_digits, capsys):
    assert parser().parse_args(["train"]).epochs == comparison.EPOCHS
    monkeypatch.setattr(comparison, "EPOCHS", 1)
    assert main(["train", "--epochs", "1", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["goal"] == 0.96
    assert main(["train", "--epochs", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["goal"] is None


def test_a_gradient_that_is_nan_fails_and_its_json_is_json(only_digits, monkeypatch, capsys):
    monkeypatch.setitem(digits.WAYS, "by hand", lambda weights, x, labels: (jnp.nan, weights))
    assert main(["train", "--epochs", "1", "--json"]) == 1

    def refuse(constant):
        raise AssertionError(constant)

    found = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert found["largest_difference"] is None
