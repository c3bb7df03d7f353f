"""Whether the ways to train agree, step by step: on the digits, with many classes, on words; and whether they learn."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from manual_grads.training import digits, large, words

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
    words: words.Words
    words_apart: list[float]
    goal: float | None  # the share of the held-out digits to be reached; None where the epochs aren't those it is for

    @property
    def met(self) -> dict[str, bool]:
        """Which ways reach the goal, if there is one."""
        return {name: self.goal is None or bool(run.accuracy >= self.goal) for name, run in self.runs.items()}

    @property
    def passed(self) -> bool:
        """Whether the ways agree, and reach the goal."""
        learned = all(self.met.values()) and all(self.words.met.values())
        agree = max(self.apart) <= CLOSE and max(self.many_apart) <= CLOSE
        return learned and agree and max(self.words_apart) <= self.words.allowed


def steps_of(epochs: int) -> int:
    """How many steps there are on the digits."""
    return epochs * (len(digits.digits().labels) // digits.BATCH)


def compare(epochs: int, seed: int, advance: Callable[[], Any]) -> Comparison:
    """Trains on the digits in three ways, last layers of many classes in two; `advance` is called after each step."""
    runs = digits.train(digits.digits(), epochs, seed, advance)
    many = large.train(LARGE_STEPS, seed, advance)
    text = words.train(seed, advance)
    return Comparison(
        runs=runs,
        apart=differences(run.losses for run in runs.values()),
        many=many,
        many_apart=differences(many.losses.values()),
        words=text,
        words_apart=differences(run.losses for run in text.runs.values()),
        goal=GOAL if epochs == EPOCHS else None,
    )


def differences(losses: Iterable[list[float]]) -> list[float]:
    """The largest difference between several curves, step by step; NaN, where there is one, is infinitely large."""
    return np.nan_to_num(np.ptp(np.array(list(losses)), axis=0), nan=np.inf).tolist()
