"""What is to be tried in one format: the points, and the calls to make there."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from manual_grads.checking.arrays import Leaf, Rows, computing_in, leaves_of
from manual_grads.checking.claim import Claim
from manual_grads.checking.compiling import Compiled, Job, compile_together
from manual_grads.checking.formats import TrialFormat
from manual_grads.checking.trials.calls import BATCH, Call, Outcome, arguments, by_one_program, calls, mixtures, outcome
from manual_grads.checking.trials.points import Points


class Trial(NamedTuple):
    """What is to be tried in one format: the points, stacked, and the calls to make there."""

    format: TrialFormat
    names: list[str]  # of the points
    arrays: list[Leaf]
    usual: Rows  # which points have the example's scale, or that of one
    calls: list[Call]
    guessed: Rows  # which points may lie outside of the domain that the example is meant to show

    def jobs(self, some: list[Call]) -> Iterator[Job]:
        """What is to be compiled for these calls."""
        for call in some:
            if isinstance(call.function, Compiled):
                yield call.function, self._given(call)

    def outcome(self, call: Call) -> Outcome:
        """What comes of one of the calls."""
        return outcome(call, self.arrays, self.format.cast, self.format.name)

    def outcomes(self, some: list[Call]) -> list[Outcome]:
        """What comes of several calls, compiled together: some by one program, unless that fails."""
        in_one = [call for call in some if call.together]
        program, given = by_one_program(in_one, self.format.name), [self._given(call) for call in in_one]
        compile_together([*self.jobs([call for call in some if not call.together]), (program, given)])
        try:
            results = iter([leaves_of(each) for each in program(*given)])
        except Exception:  # of one of them: each says whether it is its own
            compile_together(self.jobs(in_one))
            return [self.outcome(call) for call in some]
        return [
            Outcome(call.name, call.kind, call.points, next(results)) if call.together else self.outcome(call)
            for call in some
        ]

    def _given(self, call: Call) -> list[Any]:
        """What a compiled call is made with: at its first point, if it is made once for each."""
        with computing_in(self.format.name):
            return next(arguments(call, self.arrays, self.format.cast))


def trial(
    claim: Claim,
    points: Points,
    fmt: TrialFormat,
    every_call: bool,
    thorough: bool,
    at_once: int | None = None,
    as_run: bool = True,
) -> Trial:
    """The trial of a format; the fewest points and calls that find most errors, unless it is to be thorough."""
    owners, usual = claim.owners, points.usual
    some = np.resize(np.flatnonzero(usual)[:BATCH], BATCH).tolist()
    made, arrays, names = len(points.names), points.arrays, list(points.names)
    if thorough:
        for argument, origin in mixtures(owners, some):
            arrays = [
                np.concatenate([x, points.arrays[i][o]]) for i, (x, o) in enumerate(zip(arrays, origin, strict=True))
            ]
            names += [f"args[{argument}] alone varied"] * len(some)
    return Trial(
        format=fmt,
        names=names,
        arrays=arrays,
        usual=np.pad(usual, (0, len(names) - made)),
        guessed=np.pad(points.guessed, (0, len(names) - made)),
        calls=calls(claim, len(names), some, made, every_call, fmt.name, at_once, as_run),
    )
