"""The evidence of a finding: its leaves that are wrong, and all there is to compare them with."""

from typing import Any

import jax
import numpy as np

from manual_grads.checking.arrays import Entries, Leaf, is_float, quiet, rows_of
from manual_grads.checking.claim import Claim
from manual_grads.checking.compiling import compiled
from manual_grads.checking.diagnosis.counterfactuals import counterfactuals
from manual_grads.checking.diagnosis.evidence import Evidence, Named, WrongSum
from manual_grads.checking.diagnosis.within import values_within
from manual_grads.checking.judging.judge import Finding
from manual_grads.checking.judging.measure import ratios, ratios_of_sum
from manual_grads.checking.truth.expected import ExpectedLeaf

MIN_SHARE_OF_SLOPES = 0.5  # that have to be well determined, for slopes to say anything
MAX_ENTRIES, MIN_POINTS_LEFT = 2**20, 8  # of all arrays, at the points that explanations are tried at
MIN_WIDTH = 1e-6  # of a kink, relative to what is right: between sides that are nearer there is no choice


def thinned(finding: Finding) -> Finding:
    """The finding at fewer points, half of them wrong, where there are more entries than explanations are tried of."""
    outcome, expected, trial = finding.outcome, finding.expected, finding.trial
    assert expected is not None and trial is not None
    entries = sum(x[0].size for x in [*outcome.leaves, *trial.arrays])
    most, points = max(MIN_POINTS_LEFT, MAX_ENTRIES // entries), outcome.points
    if most >= len(points):
        return finding
    leaves = zip(outcome.leaves, expected.leaves, strict=True)
    wrong = np.any([rows_of(ratios(got, leaf, points) > 1) for got, leaf in leaves], axis=0)
    halves = [np.flatnonzero(half) for half in (wrong, ~wrong)]
    few = [half[np.linspace(0, len(half) - 1, most // 2).astype(int)] for half in halves if len(half)]
    rows = np.unique(np.concatenate(few))
    return finding._replace(
        outcome=outcome._replace(points=points[rows], leaves=[leaf[rows] for leaf in outcome.leaves])
    )


def evidence_of(claim: Claim, finding: Finding) -> list[Evidence]:
    """The leaves that are wrong."""
    outcome, expected, trial = finding.outcome, finding.expected, finding.trial
    assert expected is not None and trial is not None
    points = outcome.points
    where = [f"result{path}" for path in paths(claim, [x[0] for x in trial.arrays], len(outcome.leaves))]
    arrays = [x[points] for x in trial.arrays]
    named = [(f"what {w} should be", leaf.want[points]) for w, leaf in zip(where, expected.leaves, strict=True)]
    named += [(name, x[points]) for name, x in _slopes(finding, where)] + _gradients(claim, arrays)
    value = [v[points] for v in expected.value]
    otherwise = counterfactuals(claim, arrays, value)
    within, backward = values_within(claim, arrays)
    every = [
        Evidence(
            where=where[i] if len(outcome.leaves) > 1 else "",
            got=got,
            want=_nearest(got, leaf, points),
            decided=leaf.decided[points],
            allowance=leaf.allowance[points],
            ratio=ratios(got, leaf, points),
            points=[trial.names[p] for p in points],
            inputs=list(zip(claim.names, arrays, strict=True)),
            value=value,
            others=[(name, x) for name, x in named if not _same(x, leaf.want[points], leaf.decided[points])],
            directions=tuple(n for n, d in zip(claim.names, claim.directions, strict=True) if d),
            within=tuple(within),
            backward=tuple((n, x) for n, x in backward if not _same(x, leaf.want[points], leaf.decided[points])),
            counterfactuals=tuple(change.of(leaves[i]) for change, leaves in otherwise),
            kinks=kinks(leaf)[points],
            sums=tuple(wrong_sums(got, leaf, points)),
        )
        for i, (got, leaf) in enumerate(zip(outcome.leaves, expected.leaves, strict=True))
    ]
    return [e for e in every if e.wrong.any()]


def paths(claim: Claim, point: list[Any], leaves: int) -> list[str]:
    """Where each leaf of the results is in them, as "[1]" or "['w']"; "" if it is the only one."""
    if leaves == 1:
        return [""]
    try:
        with quiet():
            shapes = jax.eval_shape(claim.claimed, *point)
    except Exception:  # it can't be traced
        return [f"[{i}]" for i in range(leaves)]
    return [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_flatten_with_path(shapes)[0]]


def wrong_sums(got: Leaf, leaf: ExpectedLeaf, points: np.ndarray) -> list[WrongSum]:
    """Of each kind of sum that has to be what its terms needn't, the worst."""
    found = []
    for total in leaf.sums:
        ratio = ratios_of_sum(got, total, points)
        if ratio.size and ratio.max() > 1:
            at = np.unravel_index(int(ratio.argmax()), ratio.shape)
            have, want = got.sum(total.axes, keepdims=True)[at], total.want[points][at]
            axes = tuple(axis - 1 for axis in total.axes)
            found.append(WrongSum(axes, int(points[at[0]]), float(have), float(want)))
    return found


def kinks(leaf: ExpectedLeaf) -> Entries:
    """Where several numbers are right."""
    with np.errstate(invalid="ignore"):  # infinity is no side of a kink
        return leaf.high - leaf.low > MIN_WIDTH * np.maximum(np.abs(leaf.want), leaf.size)


def _nearest(got: Leaf, leaf: ExpectedLeaf, points: np.ndarray) -> Leaf:
    """What is right, and at a kink nearest to what came."""
    nearest = np.clip(got, leaf.low[points], leaf.high[points])
    return np.where(kinks(leaf)[points] & np.isfinite(nearest), nearest, leaf.want[points])


def _slopes(finding: Finding, where: list[str]) -> list[Named]:
    """The slopes by differences, which may be what was meant where autodiff was told not to be."""
    assert finding.expected is not None
    found = []
    for w, leaf in zip(where, finding.expected.leaves, strict=True):
        if "differences" not in leaf.by_oracle:
            continue
        slope = leaf.by_oracle["differences"]
        known = np.isfinite(slope)
        if known.mean() > MIN_SHARE_OF_SLOPES:
            name = f"the slope{f' of {w}' if w != 'result' else ''} by differences, which autodiff is told not to be, "
            name += "as by a stop_gradient"
            # Where it isn't well determined, it says nothing; where it is, nearly all have to agree.
            found.append((name, np.where(known, slope, leaf.want)))
    return found


def _gradients(claim: Claim, arrays: list[Leaf]) -> list[Named]:
    """The forward's gradients with respect to each argument: the result may be another one's."""
    floats = tuple(i for i, x in enumerate(arrays) if is_float(x))

    def total(*leaves: Any) -> Any:
        return sum(v.sum() for v in jax.tree.leaves(claim.value(*leaves)))

    try:
        found = compiled(jax.vmap(jax.grad(total, floats)), "float64", optimised=False)(*arrays)
    except Exception:  # no function to differentiate, or none of all its arguments: one explanation fewer
        return []
    names = claim.names
    return [(f"the gradient with respect to args{names[i]}", np.asarray(g)) for i, g in zip(floats, found, strict=True)]


def _same(x: Leaf, want: Leaf, decided: Entries) -> bool:
    """Whether it is what the leaf should be, and so no news."""
    return x.shape == want.shape and np.allclose(x[decided], want[decided], rtol=1e-6, atol=1e-300)
