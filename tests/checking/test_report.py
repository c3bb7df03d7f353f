"""What a check found: the table, and the text of a rejection."""

import numpy as np
import pytest

from manual_grads.checking.judging.judge import Finding
from manual_grads.checking.judging.measure import WorstEntry
from manual_grads.checking.mismatch import mismatch
from manual_grads.checking.report import WIDTH, Report, Row, wrapped
from manual_grads.checking.trials.calls import Complaint, Outcome
from manual_grads.checking.truth.expected import ExpectedSum
from tests.checking.records import claim_of, expected_of, leaf_of, trial_of

SCAN = Row(dtype="float64", check="scan", kind="call", points=3, ulp=1.5, part=0.25, passed=True)
LEAK = Row(dtype="float64", check="leaked tracers", kind="behaviour", points=0, ulp=np.inf, part=np.inf, passed=False)


def report(*rows, notes=()):
    return Report("f == grad(g)", list(rows), points=7, skipped=2, judged=0.5, notes=list(notes), seed=3)


@pytest.mark.smoke
def test_a_table_has_a_line_for_each_check():
    lines = str(report(SCAN, LEAK, notes=["something " * 30])).splitlines()
    assert lines[0] == "f == grad(g): FAILED"
    assert lines[2].split() == ["float64", "scan", "3", "1.5", "0.25"]
    assert lines[3].split()[-1] == "FAILED"
    assert lines[4].strip() == "7 points (seed 3); 2 skipped, where the forward isn't finite"
    assert lines[5].strip() == "50.0% of the entries judged"
    assert lines[6].startswith("  note: something")
    assert max(map(len, lines)) <= WIDTH


def test_all_has_to_hold():
    assert report(SCAN).passed
    assert not report(SCAN, LEAK).passed


def test_long_lines_are_broken_at_words():
    lines = wrapped("word " * 50 + "end", "    ")
    assert " ".join(line.strip() for line in lines).split() == ["word"] * 50 + ["end"]
    assert {len(line) <= WIDTH and line.startswith("    ") for line in lines} == {True}
    assert len(lines) == 3


def finding(check, name="float64", ratio=None, size=2):
    trial = trial_of([np.ones((3, size))], name=name)
    right = expected_of(leaf_of(np.ones((3, size))), leaf_of(np.ones((3, size))))
    outcome = Outcome(check, "call", np.arange(3), [np.ones((3, size)), 2 * np.ones((3, size))])
    if ratio is None:
        return Finding(
            f"{check}, {name}", trial.format, outcome._replace(leaves=[], complaint=Complaint("raises", "it"))
        )
    worst = WorstEntry(ratio=ratio, ulp=1.0, leaf=1, point=2, place=(1,), got=2.0, want=1.0)
    return Finding(f"{check}, {name}", trial.format, outcome, worst, right, trial)


@pytest.mark.parametrize(
    ("found", "clearest"),
    [
        ([finding("scan"), finding("jit", ratio=2.0)], "jit, float64"),
        ([finding("jit of vmap", "float32", 9.0), finding("jit of vmap", ratio=2.0)], "jit of vmap, float64"),
        ([finding("scan", ratio=9.0), finding("jit of vmap", "float32", 2.0)], "jit of vmap, float32"),
        ([finding("scan"), finding("jit")], "scan, float64"),
    ],
)
@pytest.mark.usefixtures("undiagnosed")
def test_the_clearest_finding_is_told(found, clearest):
    error = mismatch(claim_of(lambda x: x), found, report(LEAK), [np.ones(2)])
    assert error.check == clearest
    (others,) = [line for line in str(error).splitlines() if line.startswith("also failing: ")]
    assert clearest not in others


@pytest.mark.usefixtures("undiagnosed")
def test_where_it_is_worst():
    text = str(mismatch(claim_of(lambda x: x), [finding("jit", ratio=2.0)], report(LEAK), [np.ones(2)]))
    assert "worst at result[1], index (1,), at the point 'point 2'" in text
    assert "got  2.0  0x1.0000000000000p+1" in text
    assert "want 1.0  0x1.0000000000000p+0" in text
    assert "error 1, 4.5e+15 ULP, 2 times the allowed" in text
    assert "args[0] = [0x1.0000000000000p+0, 0x1.0000000000000p+0] (float64)" in text


@pytest.mark.usefixtures("undiagnosed")
@pytest.mark.parametrize(("size", "kept"), [(400, True), (401, False)])
def test_arguments_that_are_too_many_are_not_pasted(size, kept):
    text = str(mismatch(claim_of(lambda x: x), [finding("jit", ratio=2.0, size=size)], report(LEAK), [np.ones(size)]))
    assert ("np.array([1.0, 1.0" in text) == kept
    assert ("which has too many entries to print" in text) != kept


@pytest.mark.usefixtures("undiagnosed")
def test_at_a_kink_the_error_is_that_to_what_is_right():
    def text(got, **fields):
        leaf = leaf_of(np.ones((3, 2)), low=np.zeros((3, 2)), high=np.ones((3, 2)), **fields)
        outcome = Outcome("jit", "call", np.arange(3), [np.full((3, 2), got)])
        worst = WorstEntry(ratio=2.0, ulp=1.0, leaf=0, point=2, place=(1,), got=got, want=1.0)
        trial = trial_of([np.ones((3, 2))])
        found = Finding("jit, float64", trial.format, outcome, worst, expected_of(leaf), trial)
        return str(mismatch(claim_of(lambda x: x), [found], report(LEAK), [np.ones(2)]))

    assert "right is anything from 0 to 1, as it is at a kink\n  error 4, 2 times" in text(5.0)
    assert "right is anything from 0 to 1, as it is at a kink\n  error 0.5, 2 times" in text(-0.5)
    rows = np.ones((3, 1))
    total = ExpectedSum(axes=(1,), want=rows, allowance=1e-6 * rows, decided=rows > 0)
    assert "  but the entries along axis 0 sum to 2 where they have to sum to 1\n" in text(1.0, sums=[total])
