import gc

import numpy as np
import pytest

from benchmarks import ratios
from benchmarks.measure import measure
from tests.benchmarks.fakes import Clock, contender, plan, workload


@pytest.fixture(autouse=True)
def no_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock of their own, contenders need no garbage collected, of which there is much in a process of tests."""
    monkeypatch.setattr(gc, "collect", lambda: 0)


@pytest.mark.parametrize("drift", [0.0, 0.02])
@pytest.mark.parametrize("factor", [3.0, 1.1, 0.5])
def test_a_slower_contender_is_found_slower_by_its_factor(factor: float, drift: float) -> None:
    """Also where the machine slows down, by 2 % of its first speed each run."""
    clock = Clock(drift)
    row = measure(
        workload(contender(clock, "by hand", factor, "hand"), contender(clock, "plain", 1.0)), plan(clock, 60)
    )
    found = ratios.against(row, "autodiff")
    assert found is not None
    assert found.low <= found.median <= found.high
    assert found.median == pytest.approx(factor, rel=0.05)
    assert found.verdict == ("slower" if factor > 1 else "faster")


@pytest.mark.smoke
@pytest.mark.parametrize("drift", [0.0, 0.02])
def test_the_control_is_a_tie(drift: float) -> None:
    clock = Clock(drift)
    row = measure(workload(contender(clock, "by hand", 1.0, "hand"), contender(clock, "plain", 2.0)), plan(clock, 60))
    control = ratios.control(row)
    assert control is not None
    assert control.low <= 1 <= control.high
    assert control.verdict == "tie"
    assert len(row["control"]) == len(row["contenders"][0]["seconds"]) > 10


def test_without_alternating_order_a_slowing_machine_would_be_no_tie() -> None:
    """What the order is for: the same program, always timed second, on a machine that slows down."""
    clock, times = Clock(drift=0.02, noise=0.001), []
    for _ in range(60):
        clock.spend("a", 1.0)
        times.append(clock.now)
    seconds = np.diff(times, prepend=0).reshape(-1, 2)
    assert ratios.paired(seconds[:, 1], seconds[:, 0]).verdict == "slower"


def test_every_other_round_reverses_the_order() -> None:
    clock = Clock()
    names = ["by hand", "plain", "jax.nn", "peer"]
    measure(workload(*(contender(clock, name, 1.0) for name in names)), plan(clock, 40, seconds=4.0))
    in_rounds = clock.runs[len(names) + 2 * (len(names) + 1) :]  # after the check and two warm-ups
    turns = [in_rounds[i : i + 5] for i in range(0, len(in_rounds), 5)]
    assert all(sorted(turn) == sorted([*names, "by hand"]) for turn in turns)
    assert [turn[::-1] for turn in turns[0:-1:2]] == turns[1::2]
    assert len({tuple(turn) for turn in turns}) > 2


@pytest.mark.smoke
@pytest.mark.parametrize("factor", [1.001, float("nan"), 0.0, -1.0])
def test_a_wrong_contender_is_not_timed(factor: float) -> None:
    clock = Clock()
    wrong = contender(clock, "wrong", 1.0, factor=factor)
    row = measure(workload(contender(clock, "by hand", 1.0, "hand"), wrong), plan(clock))
    assert [c["status"] for c in row["contenders"]] == ["timed", "wrong"]
    assert clock.runs.count("wrong") == 1  # to be checked
    assert row["contenders"][1]["seconds"] == []
    assert "of the largest entry" in row["contenders"][1]["note"]
    assert ratios.against(row, "autodiff") is None


def test_a_wrong_hand_written_gradient_is_the_wrong_one() -> None:
    """The truth is float64's, not the first contender's."""
    clock = Clock()
    hand = contender(clock, "by hand", 1.0, "hand", factor=1.01)
    row = measure(workload(hand, contender(clock, "plain", 1.0)), plan(clock))
    assert [c["status"] for c in row["contenders"]] == ["wrong", "timed"]
    assert row["control"] == []


def test_rounding_is_no_mistake() -> None:
    clock = Clock()
    rounded = contender(clock, "rounded", 1.0, factor=1 + 2.0**-23)
    row = measure(workload(contender(clock, "by hand", 1.0, "hand"), rounded), plan(clock))
    assert row["contenders"][1]["status"] == "timed"


@pytest.mark.parametrize(
    ("error", "status", "note"),
    [
        (ModuleNotFoundError("No module named 'torch'", name="torch"), "missing", "torch isn't installed"),
        (ValueError("no such size"), "failed", "ValueError: no such size"),
        (MemoryError(), "failed", "MemoryError:"),
    ],
)
def test_a_peer_that_fails_is_a_row_that_says_so(error: Exception, status: str, note: str) -> None:
    def build(function, inputs):
        raise error

    clock = Clock()
    peer = contender(clock, "peer", 1.0, "peer")._replace(build=build)
    row = measure(workload(contender(clock, "by hand", 1.0, "hand"), peer), plan(clock))
    assert (row["contenders"][1]["status"], row["contenders"][1]["note"]) == (status, note)
    assert row["contenders"][0]["status"] == "timed"


def test_what_takes_far_too_long_is_not_timed() -> None:
    clock = Clock()
    row = measure(workload(contender(clock, "by hand", 2.0, "hand"), contender(clock, "slow", 9.0)), plan(clock))
    assert [c["status"] for c in row["contenders"]] == ["timed", "slow"]
    assert clock.runs.count("slow") == 1


def test_what_took_too_long_is_not_even_compiled_for_as_much_work_again() -> None:
    clock, slow = Clock(), {}
    both = workload(contender(clock, "by hand", 2.0, "hand"), contender(clock, "peer", 9.0, "peer"))
    more = both._replace(sizes={"N": 8, "K": 8}, flops=200)
    measure(more, plan(clock), slow)
    assert slow == {"peer": more}
    row = measure(more, plan(clock), slow)
    assert clock.runs.count("peer") == 1
    assert [(c["status"], c["note"]) for c in row["contenders"]] == [("timed", ""), ("slow", "too slow for 8×8")]
    assert row["contenders"][0].keys() == row["contenders"][1].keys()
    measure(both, plan(clock), slow)  # of less work
    assert clock.runs.count("peer") == 2
    assert slow == {"peer": both}


def test_fast_runs_are_repeated() -> None:
    """A tenth of a millisecond, where a sample is to take two."""
    clock = Clock()
    row = measure(workload(contender(clock, "by hand", 1e-4, "hand")), plan(clock, 10, seconds=0.002))
    assert 18 <= row["repeats"] <= 22
    assert np.median(row["contenders"][0]["seconds"]) == pytest.approx(1e-4, rel=0.05)
