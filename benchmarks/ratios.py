"""Paired ratios of times, and what they say."""

from typing import Any, NamedTuple

import numpy as np

RESAMPLES = 2000


class Ratio(NamedTuple):
    """The median of paired ratios, and its 95 % interval."""

    median: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """A tie where the interval contains 1."""
        return "faster" if self.high < 1 else "slower" if self.low > 1 else "tie"


def paired(seconds: Any, base: Any) -> Ratio:
    """The ratios of times that were taken in the same round; the interval by bootstrap, of seed 0."""
    ratios = np.asarray(seconds, float) / np.asarray(base, float)
    resampled = np.random.default_rng(0).choice(ratios, (RESAMPLES, ratios.size))
    low, high = np.quantile(np.median(resampled, axis=1), [0.025, 0.975])
    return Ratio(float(np.median(ratios)), float(low), float(high))


def timed(row: dict) -> list[dict]:
    """The contenders of a row that were timed."""
    return [c for c in row["contenders"] if c["status"] == "timed"]


def fastest(contenders: list[dict], kind: str) -> dict | None:
    """The one of a kind with the smallest median time, if any was timed."""
    return min((c for c in contenders if c["kind"] == kind), key=lambda c: np.median(c["seconds"]), default=None)


def against(row: dict, kind: str) -> Ratio | None:
    """The hand-written contender's time relative to the fastest one of a kind."""
    hand, other = named(row, row["contenders"][0]["name"]), fastest(timed(row), kind)
    return None if hand is None or other is None else paired(hand["seconds"], other["seconds"])


def control(row: dict) -> Ratio | None:
    """The hand-written program's time relative to itself, in another turn of the same rounds."""
    hand = named(row, row["contenders"][0]["name"])
    return paired(row["control"], hand["seconds"]) if hand else None


def named(row: dict, name: str) -> dict | None:
    """The contender of this name, if it was timed."""
    return next((c for c in timed(row) if c["name"] == name), None)
