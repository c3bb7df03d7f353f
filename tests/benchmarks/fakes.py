"""Contenders that take as long as they say, by a clock of their own: so that no other process can make a test fail."""

import numpy as np

from benchmarks.measure import Plan
from benchmarks.workload import Contender, Inputs, Program, Workload


class Clock:
    """Seconds pass only when a contender says so; each run takes up to 5 % more or less than it should."""

    def __init__(self, drift: float = 0.0, noise: float = 0.05) -> None:
        self.now, self.drift, self.noise, self.random = 0.0, drift, noise, np.random.default_rng(0)
        self.runs: list[str] = []

    def __call__(self) -> float:
        return self.now

    def spend(self, name: str, seconds: float) -> None:
        """A run; with drift, the machine becomes slower all the time."""
        self.runs.append(name)
        self.now += seconds * self.random.uniform(1 - self.noise, 1 + self.noise) * (1 + self.drift * len(self.runs))


def contender(clock: Clock, name: str, seconds: float, kind: str = "autodiff", factor: float = 1.0) -> Contender:
    """It doubles its input (times a factor by which it is wrong) and takes some seconds."""

    def build(function, inputs: Inputs) -> Program:
        def run(args: np.ndarray) -> np.ndarray:
            clock.spend(name, seconds)
            return 2 * factor * args

        return Program(lambda inputs: inputs[0], run, lambda result: [result], compile_seconds=0.5, temporaries=0)

    return Contender(name, kind, lambda x: 2 * x, build)


def workload(*contenders: Contender) -> Workload:
    """x → 2x of some numbers."""
    return Workload(
        family="doubling",
        sizes={"n": 100},
        inputs="random",
        draw=lambda random: (random.standard_normal(100, np.float32),),
        contenders=contenders,
        reference=lambda x: 2 * x,
        flops=100,
        terms=1,
    )


def plan(clock: Clock, rounds: int = 30, seconds: float = 1.0) -> Plan:
    """Enough for some rounds of contenders that take so many seconds together."""
    return Plan(budget=rounds * seconds, clock=clock)
