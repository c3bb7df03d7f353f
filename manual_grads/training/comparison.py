"""Whether the ways to train agree: step by step on the digits, and with many classes; and whether they learn."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from manual_grads.training import digits, large

EPOCHS = 30
GOAL = 0.96  # of the held-out digits, after so many epochs
# 2.5 is the largest loss: 40 ULP of it, for each step starts from the last one's weights, with its rounding errors.
CLOSE = 1e-5
LARGE_STEPS = 10


class Comparison(NamedTuple):
    """What became of each way to train, and how far apart their losses are at each step."""

    runs: dict[str, digits.Run]
    apart: list[float]
    many: large.Large
    many_apart: list[float]
    goal: float | None  # the share of the held-out digits to be reached; None where the epochs aren't those it is for

    @property
    def met(self) -> dict[str, bool]:
        """Which ways reach the goal, if there is one."""
        return {name: self.goal is None or bool(run.accuracy >= self.goal) for name, run in self.runs.items()}

    @property
    def passed(self) -> bool:
        """Whether the ways agree, and reach the goal."""
        return all(self.met.values()) and max(self.apart) <= CLOSE and max(self.many_apart) <= CLOSE


def steps_of(epochs: int) -> int:
    """How many steps there are on the digits."""
    return epochs * (len(digits.digits().labels) // digits.BATCH)


def compare(epochs: int, seed: int, advance: Callable[[], Any]) -> Comparison:
    """Trains on the digits in three ways, and a layer of many classes in two; `advance` is called after each step."""
    runs = digits.train(digits.digits(), epochs, seed, advance)
    many = large.train(LARGE_STEPS, seed, advance)
    apart, many_apart = differences(run.losses for run in runs.values()), differences(many.losses.values())
    return Comparison(runs, apart, many, many_apart, GOAL if epochs == EPOCHS else None)


def differences(losses: Iterable[list[float]]) -> list[float]:
    """The largest difference between several curves, step by step; NaN, where there is one, is infinitely large."""
    return np.nan_to_num(np.ptp(np.array(list(losses)), axis=0), nan=np.inf).tolist()
