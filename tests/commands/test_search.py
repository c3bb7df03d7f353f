"""`manual-grads accuracy --search`, in process: what it finds and keeps, and its exit status."""

import json

import jax.numpy as jnp
import pytest

import manual_grads as mg
from manual_grads.__main__ import main
from manual_grads.accuracy import search, worst
from manual_grads.accuracy.search import Shape
from manual_grads.rules import RULES


@pytest.fixture(autouse=True)
def one_small_shape(monkeypatch):
    monkeypatch.setattr(search, "shapes", lambda rule: [Shape(rows=8, classes=10, above=False)])


def searched(*arguments):
    return main(["accuracy", "--search", "1", "--only", "logloss_grad", *arguments])


@pytest.mark.smoke
def test_the_worst_of_each_format_is_printed(capsys):
    assert searched() == 0
    printed = capsys.readouterr().out
    assert printed.count(" logloss_grad ") >= 4 * 2  # a line of the log for each climb, and a row of the table
    assert printed.rstrip().endswith("no bound is exceeded")


def test_what_is_kept_is_gone_on_from(tmp_path, capsys):
    file = tmp_path / "worst.json"
    assert searched("--keep", str(file)) == 0
    first = {one.dtype: one for one in worst.read(file)}
    assert set(first) == {"float16", "bfloat16", "float32", "float64"}
    assert searched("--seed", "5", "--keep", str(file), "--json") == 0
    found = json.loads(capsys.readouterr().out.partition("bound is exceeded\n")[2])
    assert found["seconds"] == 1
    assert found["climbs"] >= 4
    for one in worst.read(file):
        assert one.ulp >= first[one.dtype].ulp


def test_an_error_beyond_the_bound_fails(monkeypatch, capsys):
    def wrong(probs, labels):
        return mg.logloss_grad(probs, labels) * jnp.asarray(1 + 2.0**-21, probs.dtype)

    monkeypatch.setitem(RULES, "logloss_grad", RULES["logloss_grad"]._replace(manual=wrong))
    assert searched() == 1
    printed = capsys.readouterr().out
    assert "✗" in printed
    assert printed.rstrip().endswith("a bound IS exceeded")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--search", "0"], "0 is not positive"),
        (["--search", "x"], "invalid positive value: 'x'"),
        (["--search", "1", "--exhaustive"], "it goes without --exhaustive"),
        (["--keep", "file"], "expected --search SECONDS, too"),
        (["--search", "1", "--plot", "folder"], "it goes without --search"),
    ],
    ids=str,
)
def test_bad_usage(arguments, said, capsys):
    with pytest.raises(SystemExit) as error:
        main(["accuracy", *arguments])
    assert error.value.code == 2
    assert said in capsys.readouterr().err


def test_a_file_of_something_else_is_refused(tmp_path, capsys):
    file = tmp_path / "other.json"
    file.write_text('{"found": [{"name": "softmax"}]}')
    assert searched("--keep", str(file)) == 2
    assert "not a file that a search has written" in capsys.readouterr().err
    assert file.read_text() == '{"found": [{"name": "softmax"}]}'


def test_a_rule_whose_accuracy_isn_t_promised_is_refused(monkeypatch, capsys):
    monkeypatch.setitem(RULES, "preds", RULES["sigmoid_grad"]._replace(name="preds"))
    assert main(["accuracy", "--search", "1", "--only", "preds"]) == 2
    assert "--only preds: no accuracy is promised" in capsys.readouterr().err
