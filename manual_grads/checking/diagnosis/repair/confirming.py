"""Whether an edited gradient is right at every point: by the check's allowances, and that for its own rounding."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from manual_grads.checking.arrays import eps_of, leaves_of
from manual_grads.checking.diagnosis.repair.operations import Operations, Stacked
from manual_grads.checking.diagnosis.repair.program import Equation, Program
from manual_grads.checking.diagnosis.repair.trying import Change, Run
from manual_grads.checking.judging.allowances import MAX_TYPICAL_SPREAD
from manual_grads.checking.judging.measure import WorstEntry, worst_entry
from manual_grads.checking.trials.trial import Trial
from manual_grads.checking.truth.compiled import SAFETY
from manual_grads.checking.truth.evaluated import MAGNIFICATION
from manual_grads.checking.truth.expected import Expected
from manual_grads.checking.truth.primitives import ELEMENTARY, Kind, kind_of
from manual_grads.checking.truth.spread import PATTERNS, scaled_spread

# Times the allowance: what is further off than this at most points isn't off by the rounding of its formula.
FAR = 1e3
MAX_SHARE_FAR = 0.2  # of the entries


class Confirmation:
    """Says of changes whether they mend the gradient."""

    def __init__(self, program: Program, operations: Operations, trial: Trial, expected: Expected) -> None:
        """Of a program, at the points of a trial."""
        self.program, self.trial, self.expected = program, trial, expected
        self.run = Run(program, operations, trial.arrays)
        self.noisy: list[Run] = []
        self.u = eps_of(trial.format.name) / 2

    def __call__(
        self, changes: Sequence[Change], downstream: Sequence[int], given: Sequence[Change] = ()
    ) -> WorstEntry | None:
        """The worst entry of the edited gradient; None, if it is wrong."""
        results = self._results(self.run, changes, downstream, given)
        if results is None:
            return None
        worst = self.worst(results, self.expected)
        if worst.ratio > 1 and worst.ratio < np.inf and self._may_be_rounding(results):
            worst = self.worst(results, self._with_formula(changes, downstream, given))
        return worst if worst.ratio <= 1 else None

    def worst(self, results: list[Stacked], expected: Expected) -> WorstEntry:
        """The worst entry of results."""
        return worst_entry(results, expected, np.arange(len(self.trial.names)), self.trial.format.name)

    def shaped(self, results: Sequence[Stacked]) -> list[Stacked]:
        """Results as the check has them: a row for each point, in float64."""
        leaves = zip(results, self.expected.leaves, strict=True)
        return leaves_of([np.broadcast_to(x, leaf.want.shape) for x, leaf in leaves])

    def _results(
        self, run: Run, changes: Sequence[Change], downstream: Sequence[int], given: Sequence[Change]
    ) -> list[Stacked] | None:
        try:
            return self.shaped(run.edited(changes, downstream, given))
        except Exception:  # an edit that can't be made at all points
            return None

    def _may_be_rounding(self, results: list[Stacked]) -> bool:
        """Whether most entries are right, so that it is worth the time to measure the formula's rounding."""
        far = [
            ((np.abs(got - leaf.want) > FAR * leaf.allowance) & leaf.decided)[self.trial.usual].mean()
            for got, leaf in zip(results, self.expected.leaves, strict=True)
        ]
        return bool(max(far, default=0.0) <= MAX_SHARE_FAR)

    def _with_formula(self, changes: Sequence[Change], downstream: Sequence[int], given: Sequence[Change]) -> Expected:
        """Allows for what rounding does to the edited formula, as the check does for the gradient's own."""
        if not self.noisy:
            for pattern in range(PATTERNS):
                for sign in (1, -1):
                    noise = _Noisy(self.trial.format.name, sign * MAGNIFICATION * self.u, pattern)
                    self.noisy.append(Run(self.program, noise, self.trial.arrays))
        patterns = [
            self._results(run, changes, downstream, given) for run in [self.run, *self.noisy[::2], *self.noisy[1::2]]
        ]
        if any(x is None for x in patterns):
            return self.expected
        leaves, rows = [], self.trial.usual & self.expected.inside
        for leaf, *under_noise in zip(self.expected.leaves, *patterns, strict=True):  # type: ignore[arg-type]
            spread = SAFETY * scaled_spread(np.stack(under_noise, 1), MAGNIFICATION)
            typical = np.median(np.max(spread, tuple(range(1, spread.ndim)), initial=0)[rows])
            if typical <= MAX_TYPICAL_SPREAD * self.u * leaf.size:
                leaf = leaf._replace(allowance=leaf.allowance + spread)
            leaves.append(leaf)
        return self.expected._replace(leaves=leaves)


class _Noisy(Operations):
    """Operations that are each off by a random part of u; the same part, whatever was edited before."""

    def __init__(self, own: Any, u: float, pattern: int) -> None:
        super().__init__(own)
        self.u, self.pattern = u, pattern

    def __call__(self, equation: Equation, values: list[Stacked]) -> list[Stacked]:
        """An equation's outputs, with noise."""
        outs = super().__call__(equation, values)
        kind = Kind.EXACT if equation.eqn is None else kind_of(equation.eqn)
        if kind is Kind.EXACT:
            return outs
        sizes = outs
        if kind is Kind.SUM:  # whose error is relative to the sum of the absolute terms
            sizes = super().__call__(equation, [np.abs(x) for x in values])
        u = self.u * ELEMENTARY.get(equation.name, 1.0)
        random = np.random.default_rng((self.pattern, *equation.outputs))
        return [x + u * random.uniform(-1, 1, x.shape) * size for x, size in zip(outs, sizes, strict=True)]
