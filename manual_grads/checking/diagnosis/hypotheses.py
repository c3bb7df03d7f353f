"""What is wrong with a gradient: hypotheses about its values, each tried at every point, best first."""

from collections.abc import Callable, Iterator
from itertools import permutations

import jax.numpy as jnp
import numpy as np

from manual_grads.checking.arrays import rows_of
from manual_grads.checking.diagnosis.along import residual_along
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

SAME_FACTOR = 1e-4  # relative: a factor so close to a named number is that number
ONE = 1e-6  # a factor so close to 1 is no explanation
MIN_DISTINCT = 8  # numbers: of fewer, such as 0.5 and 1, all may be of a narrow format by chance
MAX_PERMUTED = 5  # entries: of so many, all orders are tried (120)
MOST_POINTS = 0.5  # a mistake at more than this share of them is everywhere
MIN_SHARE_RIGHT = 0.1  # of the entries: if fewer are right, it isn't zeros that are wrong


def of_values(wrong: list[Evidence], right: int) -> list[Hypothesis]:
    """Explanations, the best first; `right` is how many other results there are nothing wrong with."""
    found: dict[str, Hypothesis] = {}
    for e in wrong:
        for hypothesis in _in_order(e):
            for h in hypothesis(e):
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


def constant_factor(e: Evidence) -> Iterator[Hypothesis]:
    """The sign, or a factor that is the same everywhere."""
    large = e.decided & np.isfinite(e.got) & (np.abs(e.want) > 1e3 * e.allowance) & (e.want != 0)
    if not large.any():
        return
    factor = float(np.median(e.got[large] / e.want[large]))
    if factor == 0:
        if not e.got[large].any():
            yield Hypothesis("zero", "the result is zero where it should not be")
        return
    named = _named(factor, e)
    exact = named[1] if named else factor
    if abs(exact - 1) < ONE or not e.explains(e.got / exact, max(1.0, 1 / abs(exact))):
        return
    before, after = e.error(e.got), e.error(e.got / exact)
    evidence = f"multiplying by {1 / exact:.6g} brings the worst error from {before:.2g} to {after:.2g}"
    if exact == -1:
        yield Hypothesis("sign", f"the sign is flipped: {evidence}")
    else:
        yield Hypothesis("constant factor", f"a constant factor {named[0] if named else f'{factor:.6g}'}: {evidence}")


def _named(factor: float, e: Evidence) -> tuple[str, float] | None:
    """The factor as 2, 1/N or the like."""
    sign, size = ("-" if factor < 0 else ""), abs(factor)
    known = {"1": 1.0, "2": 2.0, "1/2": 0.5, "4": 4.0, "1/4": 0.25, "π": np.pi, "1/π": 1 / np.pi, "2π": 2 * np.pi}
    known |= {"√2": 2**0.5, "1/√2": 0.5**0.5, "√(2π)": (2 * np.pi) ** 0.5, "ln 2": np.log(2), "1/ln 2": 1 / np.log(2)}
    for name, x in [*e.inputs, ("the result", e.want)]:
        where = f"args{name}" if name.startswith("[") else name
        for axis, n in enumerate(x.shape[1:]):
            if n > 1:
                meant = f"(N = {n}, axis {axis} of {where})"
                known |= {f"N {meant}": n, f"1/N {meant}": 1 / n, f"√N {meant}": n**0.5, f"1/√N {meant}": n**-0.5}
                known |= {f"N/(N−1) {meant}": n / (n - 1), f"(N−1)/N {meant}": (n - 1) / n}
        n = int(np.prod(x.shape[1:]))
        if x.ndim > 2 and n > 1:
            known |= {f"N (N = {n}, the size of {where})": n, f"1/N (N = {n}, the size of {where})": 1 / n}
    fits = [name for name, c in known.items() if abs(size - c) < SAME_FACTOR * c]
    if not fits:
        return None
    numbers = sorted((name for name in fits if "N" in name), key=lambda name: ("N−1" in name, "√" in name))
    names = [n for n in fits if "N" not in n] + numbers[:3]
    return sign + " = ".join(names), (-1 if sign else 1) * float(known[fits[0]])


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
# Where several numbers are right, a formula for one of them says nothing.
ONLY_AT_KINKS = (not_finite, at_kinks, at_ties, special_points)
# Where nothing but NaN is wrong, its place is all there is to find.
WITHOUT_NUMBERS = (tails, special_value, special_points)
