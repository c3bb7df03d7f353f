"""What is said of how a gradient behaves: by which checks fail and which don't, and by what they complain of."""

from typing import Any

import numpy as np
import pytest

from manual_grads.checking.diagnosis.symptoms import of_behaviour, of_formats, of_shape
from manual_grads.checking.formats import TrialFormat
from manual_grads.checking.judging.judge import Finding
from manual_grads.checking.report import Row
from manual_grads.checking.trials.calls import Complaint, Outcome


def row(check, passed, dtype="float64", kind: Any = "call"):
    return Row(dtype, check, kind, 3, 0.0, 0.0, passed)


def rows(passed=(), failed=(), **fields):
    return [row(c, True, **fields) for c in passed] + [row(c, False, **fields) for c in failed]


ALONE = [row("vmap over args[0]", False, kind="call with one batched")]


@pytest.mark.parametrize(
    ("made", "name", "said"),
    [
        (
            rows(["eager", "jit", "vmap of jit"]) + ALONE,
            "only when batched",
            "one argument alone is batched: vmap over",
        ),
        (rows(["eager", "jit"], ["vmap of jit", "scan"]), "only when batched", "wrong only when batched: scan, vmap"),
        (rows(["eager"], ["jit", "vmap of jit"]), "only when jitted", "right eagerly, wrong under jit, vmap of jit"),
        (rows(["jit"], ["eager"]), "only when eager", "right when compiled, wrong eagerly"),
    ],
)
def test_what_fails_and_what_does_not(made, name, said):
    (cause,) = of_behaviour([], made)
    assert cause.name == name
    assert said in cause.text


@pytest.mark.parametrize(
    "made",
    [
        rows(["eager", "jit", "vmap of jit"]),
        rows([], ["eager", "jit", "vmap of jit"]),
        rows(["eager", "jit", "vmap of jit"], ["scan"]),
        # An oracle alone decides nothing; two formats of which each is wrong somewhere are no explanation.
        rows(["against forward"], kind="oracle") + rows([], ["against forward"], dtype="float32", kind="oracle"),
        rows(["a"], ["b"]) + rows(["b"], ["a"], dtype="float32"),
    ],
)
def test_what_says_nothing(made):
    assert not of_behaviour([], made)
    assert not list(of_formats(made))


def test_one_format():
    (cause,) = of_formats(rows(["jit of vmap"]) + rows([], ["jit of vmap"], dtype="float32"))
    assert cause == ("one dtype", "wrong only in float32; right in float64")


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("expected", "got", "name"),
    [
        ((2, 3), (3, 2), "transposed"),
        ((3,), (4, 3), "not reduced"),
        ((4, 3), (3,), "reduced too far"),
        ((4, 3), (4,), "reduced too far"),
    ],
)
def test_a_wrong_shape(expected, got, name):
    complaint = Complaint("wrong shape", "", expected_shape=expected, shape=got)
    assert [cause.name for cause in of_shape(complaint)] == [name]


def test_a_shape_that_says_nothing():
    for expected, got in (((2, 3), (2, 4)), ((3,), (3, 4)), ((4, 3), (2,))):
        assert not list(of_shape(Complaint("wrong shape", "", expected_shape=expected, shape=got)))


def finding(complaint):
    fmt = TrialFormat("float32", [np.dtype("float32")])
    return Finding("scan, float32", fmt, Outcome("scan", "call", np.arange(0), [], complaint))


def test_each_complaint_is_told_once():
    raises = Complaint("raises", "KeyError: 'mine'\nand more")
    causes = of_behaviour([finding(raises), finding(raises), finding(None)], [])
    assert [(c.name, c.text) for c in causes] == [("raises", "scan, float32: KeyError: 'mine'")]
    (cause,) = of_behaviour([finding(Complaint("wrong dtype", "wrong dtype: expected float32, got float16"))], [])
    assert cause.text == "wrong dtype: expected float32, got float16 (in float32)"
    causes = of_behaviour([finding(Complaint("wrong shape", "it is", expected_shape=(2, 3), shape=(3, 2)))], [])
    assert [c.name for c in causes] == ["transposed", "wrong shape"]
