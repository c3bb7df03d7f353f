"""What is wrong with a gradient: hypotheses about its values, each tried at every point, best first."""

from collections.abc import Callable, Iterator
from itertools import permutations

import jax.numpy as jnp
import numpy as np

from manual_grads.checking.arrays import rows_of
from manual_grads.checking.diagnosis.along import residual_along
from manual_grads.checking.diagnosis.constants import constant_factor
from manual_grads.checking.diagnosis.evidence import Evidence, shortened
from manual_grads.checking.diagnosis.indices import by_label, duplicate_indices, off_by_one
from manual_grads.checking.diagnosis.kinks import at_kinks, at_ties, special_value
from manual_grads.checking.diagnosis.places import (
    clipped,
    diagonals,
    negative_inputs,
    one_place,
    right_in_one_place,
    some_places,
    special_points,
    tails,
)
from manual_grads.checking.diagnosis.terms import (
    missing_factor,
    missing_term,
    missing_terms,
    mistaken,
    recognised,
    wrong_axis,
)
from manual_grads.checking.report import Hypothesis

MIN_DISTINCT = 8  # numbers: of fewer, such as 0.5 and 1, all may be of a narrow format by chance
MAX_PERMUTED = 5  # entries: of so many, all orders are tried (120)
MOST_POINTS = 0.5  # a mistake at more than this share of them is everywhere
MIN_SHARE_RIGHT = 0.1  # of the entries: if fewer are right, it isn't zeros that are wrong


def of_values(wrong: list[Evidence], right: int) -> list[Hypothesis]:
    """Explanations, the best first; `right` is how many other results there are nothing wrong with."""
    found: dict[str, Hypothesis] = {}
    for e in wrong:
        explained = False
        for hypothesis in _in_order(e):
            for h in () if explained and hypothesis in OF_THE_UNEXPLAINED else hypothesis(e):
                explained |= hypothesis in OF_ALL_NUMBERS
                text = f"{e.where}: {h.text}" if e.where else h.text
                if h.name in found:
                    if text not in found[h.name].text:
                        found[h.name] = h._replace(text=f"{found[h.name].text}; {text}")
                else:
                    found[h.name] = h._replace(text=text)
    if right and wrong:
        where = ", ".join(e.where for e in wrong)
        others = f"the {right} other results are" if right > 1 else "the other result is"
        verb = "is" if len(wrong) == 1 else "are"
        found["one output"] = Hypothesis("one output", f"only {where} {verb} wrong; {others} right")
    return list(found.values())


def _in_order(e: Evidence) -> tuple[Callable[[Evidence], Iterator[Hypothesis]], ...]:
    """The hypotheses to be tried; NaN at some points comes after what is wrong at most of them, else first."""
    if any(True for of_kinks in (at_kinks, at_ties) for _ in of_kinks(e)):
        return ONLY_AT_KINKS
    numbers = e.wrong & np.isfinite(e.got)
    if not numbers.any():
        return (not_finite, *WITHOUT_NUMBERS)
    everywhere = rows_of(numbers).mean() > MOST_POINTS
    return (*HYPOTHESES, not_finite) if everywhere else (not_finite, *HYPOTHESES)


def not_finite(e: Evidence) -> Iterator[Hypothesis]:
    """NaN or infinity where the truth is finite."""
    bad = e.decided & ~np.isfinite(e.got)
    if bad.any():
        at = tuple(np.argwhere(bad)[0])
        inputs = ", ".join(f"args{name} = {shortened(x[at[0]])}" for name, x in e.inputs)
        text = f"{e.got[at]} where the truth is {e.want[at]:.6g}, at '{e.points[at[0]]}': {inputs}"
        yield Hypothesis("not finite", f"NaN or infinity at {int(rows_of(bad).sum())} points: {text}")


def rounded(e: Evidence) -> Iterator[Hypothesis]:
    """Every number of the result is one of a narrower format."""
    got = e.got[e.decided & np.isfinite(e.got) & (e.got != 0)]
    for narrow in ("bfloat16", "float16", "float32"):
        if len(np.unique(got)) > MIN_DISTINCT and (got == got.astype(jnp.dtype(narrow)).astype(np.float64)).all():
            largest = np.max(np.abs(e.got - e.want)[e.wrong] / np.abs(e.want)[e.wrong], initial=0)
            if largest <= 4 * float(jnp.finfo(narrow).eps):
                yield Hypothesis("rounded", f"rounded to {narrow}: every number of the result is one of that format")
            return


def rearranged(e: Evidence) -> Iterator[Hypothesis]:
    """Transposed, or the entries along an axis in another order."""
    if e.got.ndim > 2:
        for a in range(1, e.got.ndim):
            for b in range(a + 1, e.got.ndim):
                swapped = np.swapaxes(e.got, a, b)
                if swapped.shape == e.got.shape and e.explains(swapped):
                    yield Hypothesis("transposed", f"transposed: swapping axes {a - 1} and {b - 1} explains all of it")
                elif swapped.shape == e.got.shape and e.explains(-swapped):
                    yield Hypothesis("transposed", f"transposed and negated: axes {a - 1} and {b - 1}")
    for axis in range(1, e.got.ndim):
        n = e.got.shape[axis]
        orders = [np.roll(np.arange(n), k) for k in range(1, n)] + [np.arange(n)[::-1]]
        if 2 < n <= MAX_PERMUTED:
            orders += [np.array(p) for p in permutations(range(n))]
        for order in orders:
            if n > 1 and (order != np.arange(n)).any() and e.explains(np.take(e.got, order, axis)):
                text = f"permuted: along axis {axis - 1}, entries {order.tolist()} are in the places of 0 to {n - 1}"
                yield Hypothesis("permuted", text)
                return


def swapped(e: Evidence) -> Iterator[Hypothesis]:
    """Another result, or the gradient with respect to another argument."""
    for name, x in e.others:
        if x.shape == e.got.shape and e.explains(e.want + (e.got - x)):
            yield Hypothesis("swapped", f"this is {name}")
            return


def counterfactual(e: Evidence) -> Iterator[Hypothesis]:
    """The result is what it would have to be if an argument were another."""
    for c in e.counterfactuals:
        if e.equals(c.result):
            yield Hypothesis(c.cause, c.text)
            return


def zeros(e: Evidence) -> Iterator[Hypothesis]:
    """Right but where it is zero, or where it should be: a mask that is wrong, or was forgotten."""
    wrong = e.wrong & np.isfinite(e.got)
    if not wrong.any() or (e.decided & ~wrong).sum() < MIN_SHARE_RIGHT * e.decided.sum():
        return
    if not e.got[wrong].any():
        yield Hypothesis("zero", f"zero where it should not be, at {int(wrong.sum())} entries; the others are right")
    elif not e.want[wrong].any():
        yield Hypothesis(
            "not zero", f"not zero where it should be, at {int(wrong.sum())} entries; the others are right"
        )


# What explains every number comes first; then where it is wrong; then what some numbers a point explain.
HYPOTHESES: tuple[Callable[[Evidence], Iterator[Hypothesis]], ...] = (
    special_value,
    constant_factor,
    rounded,
    rearranged,
    duplicate_indices,
    wrong_axis,
    counterfactual,
    diagonals,
    off_by_one,
    missing_term,
    missing_factor,
    swapped,
    one_place,
    clipped,
    by_label,
    mistaken,
    negative_inputs,
    tails,
    some_places,
    right_in_one_place,
    zeros,
    missing_terms,
    residual_along,
    recognised,
    special_points,
)
# What says where all numbers come from, and what needn't be asked after that.
OF_ALL_NUMBERS = (
    constant_factor,
    rounded,
    rearranged,
    duplicate_indices,
    wrong_axis,
    counterfactual,
    missing_term,
    missing_factor,
    mistaken,
)
OF_THE_UNEXPLAINED = (wrong_axis, missing_term, missing_factor, missing_terms, residual_along, recognised)
# Where several numbers are right, a formula for one of them says nothing.
ONLY_AT_KINKS = (not_finite, at_kinks, at_ties, special_points)
# Where nothing but NaN is wrong, its place is all there is to find.
WITHOUT_NUMBERS = (tails, special_value, special_points)
