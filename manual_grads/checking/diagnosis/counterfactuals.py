"""What the result would have to be if an argument were another: a result that is that shows which mistake was made."""

from collections.abc import Iterator
from itertools import chain, islice
from typing import NamedTuple

import jax
import numpy as np

from manual_grads.checking.arrays import Leaf, is_float, leaves_of
from manual_grads.checking.claim import Claim
from manual_grads.checking.compiling import compiled
from manual_grads.checking.diagnosis.evidence import Counterfactual

Arrays = list[np.ndarray]
MAX_NUMBERS = 2e7  # of all results together
OTHER_VALUE, OFF_BY_ONE = "another argument's value", "off by one"


class Change(NamedTuple):
    """Other arguments, and which mistake they stand for."""

    cause: str
    text: str
    arrays: Arrays
    turned: bool = False  # whether the results' two axes are to be exchanged, as the arguments' are

    def of(self, leaf: Leaf) -> Counterfactual:
        """What a leaf of the result would have to be."""
        return Counterfactual(self.cause, self.text, leaf)


def counterfactuals(claim: Claim, arrays: Arrays, value: list[Leaf]) -> list[tuple[Change, list[Leaf]]]:
    """The truth, in float64, for each change of the arguments at which it can be had."""
    if not callable(claim.forward):
        return []
    truth = compiled(jax.vmap(claim.claimed), "float64", optimised=False)
    found = []
    most = int(MAX_NUMBERS / max(x.size for x in arrays))
    every = chain(_of_directions(claim, arrays), _of_values(claim, arrays, value), _turned(arrays))
    for change in islice(every, most):
        try:
            leaves = leaves_of(truth(*change.arrays))
        except Exception:  # the forward doesn't take such: one explanation fewer
            continue
        if change.turned:
            leaves = [np.swapaxes(x, 1, 2) if x.ndim == 3 else x for x in leaves]
        found.append((change, leaves))
    return found


def _of_directions(claim: Claim, arrays: Arrays) -> Iterator[Change]:
    """Cotangents and tangents that aren't used as they should be."""
    for name, c, is_direction, i in zip(claim.names, arrays, claim.directions, range(len(arrays)), strict=True):
        if is_direction and is_float(c):
            ignored = f"the cotangent or tangent args{name} is ignored: this is the result where all of it is 1"
            yield Change("ignored cotangent", ignored, _with(arrays, i, np.ones_like(c)))
            for what, other in ((f"args{name}²", c * c), (f"|args{name}|", abs(c))):
                yield Change(OTHER_VALUE, f"{what} is used where args{name} should be", _with(arrays, i, other))


def _of_values(claim: Claim, arrays: Arrays, value: list[Leaf]) -> Iterator[Change]:
    """An argument in whose place another value is used, or whose neighbour is."""
    named = [(f"args{name}", x) for name, x in zip(claim.names, arrays, strict=True)]
    floats = [(i, name, x) for i, (name, x) in enumerate(named) if is_float(x)]
    others = [(name, x) for _, name, x in floats] + [("the forward's value", v) for v in value]
    others += [(f"{name}ᵀ", np.swapaxes(x, 1, 2)) for name, x in others if x.ndim == 3]
    for n, (i, name, x) in enumerate(floats):
        for other, y in others:
            if other != name and y.shape == x.shape:
                yield Change(OTHER_VALUE, f"{other} is used where {name} should be", _with(arrays, i, y))
        for j, other, y in floats[n + 1 :]:
            if y.shape == x.shape:
                both = _with(_with(arrays, i, y), j, x)
                yield Change(OTHER_VALUE, f"{name} and {other} are used in each other's place", both)
        yield Change(OTHER_VALUE, f"−{name} is used where {name} should be", _with(arrays, i, -x))
        yield Change(OTHER_VALUE, f"{name} is ignored: this is right where it is 1", _with(arrays, i, np.ones_like(x)))
        for axis in (a for a in range(1, x.ndim) if x.shape[a] > 2):
            for off, word in ((1, "before"), (-1, "after")):
                text = f"off by one along axis {axis - 1} of {name}: the entry {word} is used"
                yield Change(OFF_BY_ONE, text, _with(arrays, i, np.roll(x, off, axis)))
    for i, (name, x) in enumerate(named):
        if np.issubdtype(x.dtype, np.integer):
            for off in ("+ 1", "− 1"):
                text = f"off by one: {name} {off} is used where {name} should be"
                moved = x + 1 if off == "+ 1" else x - 1
                yield Change(OFF_BY_ONE, text, _with(arrays, i, moved.astype(x.dtype)))
                # As a roll of what is indexed does.
                size = x.max(initial=0) + 1
                yield Change(OFF_BY_ONE, f"{text}, mod {size}", _with(arrays, i, (moved % size).astype(x.dtype)))
        elif x.dtype == bool:
            yield Change(OTHER_VALUE, f"not {name} is used where {name} should be", _with(arrays, i, ~x))
            yield Change(
                OTHER_VALUE, f"{name} is ignored: this is right where all of it is true", _with(arrays, i, x | ~x)
            )


def _turned(arrays: Arrays) -> Iterator[Change]:
    """The function along the other axis, which is that of all matrices transposed."""
    if any(x.ndim == 3 for x in arrays) and all(x.ndim <= 3 for x in arrays):
        text = "the wrong axis: this is what the function along axis 0 would have in place of axis 1, or the reverse"
        yield Change("wrong axis", text, [np.swapaxes(x, 1, 2) if x.ndim == 3 else x for x in arrays], turned=True)


def _with(arrays: Arrays, i: int, other: np.ndarray) -> Arrays:
    return [*arrays[:i], other, *arrays[i + 1 :]]
