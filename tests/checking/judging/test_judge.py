"""A trial's calls beside the truth: which are made, what is a row, what a finding, and how much could be judged."""

import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking.formats import TrialFormat
from manual_grads.checking.judging.judge import judge, row_of
from manual_grads.checking.judging.measure import WorstEntry
from manual_grads.checking.trials.calls import Complaint, Outcome
from tests.checking.records import U, call_of, claim_of, oracles_of, trial_of

X = np.random.default_rng(0).normal(size=(6, 3))
FORMAT = TrialFormat("float32", [np.dtype("float32")])


def double(x):
    return 2 * np.asarray(x)


def judged(manual, others=0, oracles=None, points=X, **trial):
    """The judgement on so many calls, and which of them were made."""
    made = []

    def calling(i):
        def call(*xs):
            made.append(i)
            return manual(*xs)

        return call

    calls = [call_of(calling(i), len(points), f"call {i}") for i in range(others + 1)]
    tried = trial_of([points], calls, **trial)
    return judge(claim_of(manual), oracles or oracles_of(double), tried), made


@pytest.mark.parametrize(("ratio", "passed"), [(0.0, True), (1.0, True), (1.01, False), (np.inf, False)])
def test_a_row_is_wrong_above_what_is_allowed(ratio, passed):
    outcome = Outcome("scan", "call", np.arange(3), [np.ones(3)])
    row = row_of(outcome, FORMAT, WorstEntry(ratio, 5.0, 0, 0, (), 1.0, 1.0))
    assert (row.passed, row.part, row.ulp, row.points) == (passed, ratio, 5.0, 3)


def test_a_row_without_values_is_wrong_if_there_is_a_complaint():
    works = Outcome("leaked tracers", "behaviour", np.arange(0), [])
    assert row_of(works, FORMAT).passed
    row = row_of(works._replace(complaint=Complaint("leaked tracer", "it leaks")), FORMAT)
    assert (row.passed, row.part, row.ulp, row.kind) == (False, np.inf, np.inf, "behaviour")


@pytest.mark.smoke
def test_of_a_right_gradient_every_call_is_made_and_its_behaviour_seen():
    judgement, made = judged(lambda x: 2 * x, others=5)
    assert made == [0, 1, 2, 3, 4, 5]
    assert not judgement.found
    assert judgement.share == 1
    assert not judgement.notes
    checks = [row.check for row in judgement.rows]
    behaviour = ["determinism", "determinism, jit", "leaked tracers", "donated inputs"]
    assert checks == [*(f"call {i}" for i in range(6)), *behaviour, "against reverse"]


def test_of_a_wrong_gradient_some_calls_are_and_each_is_a_finding():
    judgement, made = judged(lambda x: 2.000000001 * np.asarray(x), others=5)
    assert made == [0, 1, 2, 3]  # enough to know whether it is so when it isn't batched
    assert [finding.check for finding in judgement.found] == [f"call {i}, float64" for i in made]
    worst = judgement.found[0].worst
    assert worst is not None
    assert (worst.got, worst.want) == (2.000000001 * X[worst.point][worst.place], 2 * X[worst.point][worst.place])
    assert [row.passed for row in judgement.rows if row.kind == "call"] == [False] * len(made)


def test_a_call_that_is_wrong_where_the_first_is_right_is_a_finding():
    calls = [call_of(double, 6), call_of(lambda x: 2.5 * np.asarray(x), 6, "scan")]
    judgement = judge(claim_of(lambda x: 2 * x), oracles_of(double), trial_of([X], calls))
    assert [finding.check for finding in judgement.found] == ["scan, float64"]


def test_what_a_call_raises_is_a_finding():
    def raises(x):
        raise KeyError("mine")

    judgement, made = judged(raises, others=5)
    assert made == [0, 1, 2, 3]
    finding = judgement.found[0]
    assert finding.worst is None
    assert finding.outcome.complaint is not None
    assert "mine" in finding.outcome.complaint.text


def test_a_forward_that_is_finite_nowhere():
    with pytest.raises(ValueError, match="finite at no point that was tried"):
        judged(double, oracles=oracles_of(double, value=lambda x: np.full(len(x), np.nan)))


def test_the_share_of_the_entries_that_could_be_judged():
    def some(u, noise, x):  # noise of any size moves every entry but the first by all that it is
        exact = np.stack([2 * x] * len(noise), 1)
        noisy = exact * (1 + np.sign(np.sin(1e16 * u * noise[:, :1])))
        return np.where(np.arange(3) == 0, exact, noisy)

    # The forward is finite at three of the points only; and kinked, so that no slope is asked for.
    finite = np.arange(6) < 3
    oracles = oracles_of(double, claimed=some, value=lambda x: np.where(finite, np.abs(x).sum(1), np.inf))
    judgement, _ = judged(lambda x: 2 * np.asarray(x) + [0, 9, 9], oracles=oracles)
    assert not judgement.found
    assert judgement.share == pytest.approx(1 / 3)
    assert judgement.inside.tolist() == finite.tolist()
    assert judgement.notes == ["6 of 9 entries not judged: ill-conditioned, a kink, or out of range"]


def test_the_formula_s_own_rounding_is_allowed_before_it_is_rejected():
    asked = []

    def own_noise(u, noise, x):
        asked.append(u)
        return 2 * x[:, None] * (1 + 1e3 * u * noise[:, :1])

    def off(x):
        return 2 * X * (1 + 2e3 * 2.0**-53)

    oracles = oracles_of(double, manual=own_noise)
    assert judged(off, oracles=oracles_of(double))[0].found
    assert not judged(lambda x: 2 * x, oracles=oracles)[0].found
    assert not asked  # it isn't needed
    assert not judged(off, oracles=oracles)[0].found
    assert len(asked) == 1
    # Of a call that isn't the first, too. Noise can be measured of what can be traced only, and once is enough.
    calls = [call_of(double, 6), call_of(off, 6, "scan"), call_of(lambda x: 2.1 * np.asarray(x), 6, "checkpoint")]
    found = judge(claim_of(lambda x: 2 * x), oracles, trial_of([X], calls)).found
    assert [finding.check for finding in found] == ["checkpoint, float64"]
    assert len(asked) == 2
    calls[0] = call_of(off, 6)
    judge(claim_of(lambda x: 2 * x), oracles, trial_of([X], calls))
    assert len(asked) == 3


def test_an_oracle_alone_decides_nothing_and_is_compared_where_it_is_to_be_had():
    def slope(h, x):
        return np.where(np.arange(3) == 0, np.nan, 2 * x * (1 + 2e-8))

    oracles = oracles_of(double, stepped=slope, modes={"forward": lambda x: 2 * x * (1 + 4 * U)})
    rows = {row.check: row for row in judged(lambda x: 2 * np.asarray(x), oracles=oracles)[0].rows}
    assert rows["against reverse"].part == 0
    assert rows["against forward"].part > 1e6
    assert 0.1 < rows["against differences"].part < 1  # a slope is good to some 10⁻⁸, which is no error of the result
    assert all(rows[f"against {oracle}"].passed for oracle in ("reverse", "forward", "differences"))
    nan = np.where(np.arange(3) == 0, np.nan, 2 * X)
    rows = {row.check: row for row in judged(lambda x: nan, oracles=oracles_of(double, stepped=slope))[0].rows}
    assert rows["against reverse"].part == np.inf
    assert rows["against differences"].part < 1


def test_a_forward_that_is_another_function_in_float64_is_judged_in_float32():
    def factor():
        return 1 if jnp.asarray(1.0).dtype == np.float64 else 2

    oracles = oracles_of(lambda x: factor() * 2 * x, value=lambda x: factor() * (np.asarray(x) ** 2).sum(1))
    points = X.astype("f4").astype("f8")
    judgement, _ = judged(lambda x: 4 * np.asarray(x), oracles=oracles, name="float32", points=points)
    assert not judgement.found
    assert any("another one where float64 is enabled" in note for note in judgement.notes)
    assert judged(double, oracles=oracles, name="float32", points=points)[0].found


def test_a_point_that_the_format_can_t_hold_is_not_judged():
    def value(x):
        x = np.asarray(x)
        return np.where(np.arange(6) == 2, np.inf if x.dtype == np.float32 else 1.0, (x**2).sum(1))

    def wrong_there(x):
        return 2 * np.asarray(x, float) * (1 + (np.arange(6) == 2))[:, None]

    points = X.astype("f4").astype("f8")
    judgement, _ = judged(wrong_there, oracles=oracles_of(double, value=value), name="float32", points=points)
    assert not judgement.found
    assert judgement.inside.tolist() == [True, True, False, True, True, True]
