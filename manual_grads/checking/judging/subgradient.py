"""Whether a gradient at a kink is one altogether, where each of its entries may be what it is."""

import numpy as np

from manual_grads.checking.trials.calls import Complaint, Outcome
from manual_grads.checking.trials.trial import Trial
from manual_grads.checking.truth.expected import Expected


def no_subgradient(outcome: Outcome, expected: Expected, trial: Trial) -> Complaint | None:
    r"""A gradient g with $g \cdot d$ outside of what lies between $-f'(x; -d)$ and $f'(x; d)$."""
    sides = expected.one_sided
    if sides is None or not len(outcome.points):
        return None
    row = {int(point): i for i, point in enumerate(outcome.points)}
    for i, point in enumerate(sides.points):
        leaves = [(outcome.leaves[g.result], expected.leaves[g.result]) for g in sides.gradients]
        if int(point) not in row or not all(leaf.decided[point].all() for _, leaf in leaves):
            continue
        got = np.concatenate([leaf[row[int(point)]].ravel() for leaf, _ in leaves])
        slope = sides.directions[i] @ got
        off = np.maximum(sides.low[i] - slope, slope - sides.high[i]) / sides.allowance[i]
        worst = int(np.argmax(off))
        if off[worst] > 1:
            # Along a direction of length one.
            length = float(np.linalg.norm(sides.directions[i, worst]))
            g_d, low, high = (float(x[worst]) / length for x in (slope, sides.low[i], sides.high[i]))
            text = (
                f"at the kink at the point '{trial.names[point]}' each entry may be what it is, but not all together: "
                f"along some direction d, g·d is {g_d:.4g}, where the slope is {low:.4g} on one side and {high:.4g} on "
                "the other"
            )
            return Complaint("no subgradient", text)
    return None
