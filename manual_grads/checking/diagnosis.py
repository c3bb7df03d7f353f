"""What is wrong with a gradient: hypotheses about its values, each tried at every point, best first."""

from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np

from manual_grads.checking.measure import ratios
from manual_grads.checking.report import Hypothesis
from manual_grads.checking.truth import Truth

EXPLAINED = 8.0  # tolerances: an explanation need not have the rounding errors of the right formula


class Evidence(NamedTuple):
    """A result that is wrong, one leaf of it, beside what it should be, all stacked over the points."""

    where: str  # how to call the leaf: "" if it is the only one
    got: np.ndarray
    want: np.ndarray
    decided: np.ndarray
    tolerance: np.ndarray
    ratio: np.ndarray
    names: list[str]  # of the points
    inputs: list[tuple[str, np.ndarray]]  # the arguments' arrays, by name
    value: list[np.ndarray]  # the forward's

    @property
    def wrong(self) -> np.ndarray:
        """Which entries are."""
        return self.ratio > 1

    def left(self, instead: np.ndarray) -> float:
        """The worst error, in tolerances, if the result were this."""
        with np.errstate(all="ignore"):
            ratio = np.abs(instead - self.want) / self.tolerance
        ratio = np.where(self.decided & np.isfinite(self.got), np.nan_to_num(ratio, nan=np.inf), 0.0)
        return float(ratio.max(initial=0.0))

    def error(self, instead: np.ndarray) -> float:
        """The worst error, absolute, over the points of ordinary size."""
        with np.errstate(all="ignore"):
            error = np.where(self.decided, np.abs(instead - self.want), 0.0)
        return float(np.nanmax(error, initial=0.0))

    def explains(self, instead: np.ndarray, allowance: float = 1.0) -> bool:
        """Whether nearly nothing is left."""
        with np.errstate(all="ignore"):
            ratio = np.abs(instead - self.want) / self.tolerance
        ratio = ratio[self.decided & np.isfinite(self.got)]
        return bool(ratio.size) and bool(np.mean(ratio <= EXPLAINED * allowance) > 0.99)


def evidence(
    got: list[np.ndarray], truth: Truth, points: Any, names: list[str], inputs: list[tuple[str, Any]], where: list[str]
) -> list[Evidence]:
    """The leaves that are wrong."""
    every = [
        Evidence(
            where[i],
            leaf,
            truth.want[i][points],
            truth.decided[i][points],
            truth.tolerance[i][points],
            ratios(leaf, truth, i, points),
            [names[p] for p in points],
            [(name, x[points]) for name, x in inputs],
            [v[points] for v in truth.value],
        )
        for i, leaf in enumerate(got)
    ]
    return [e for e in every if e.wrong.any()]


def diagnose(wrong: list[Evidence], right: int) -> list[Hypothesis]:
    """Explanations, the best first; `right` is how many other results there are nothing wrong with."""
    found: dict[str, Hypothesis] = {}
    for e in wrong:
        for guess in GUESSES:
            for h in guess(e):
                text = f"{e.where}: {h.text}" if e.where else h.text
                if h.name in found:
                    if text not in found[h.name].text:
                        found[h.name] = h._replace(text=f"{found[h.name].text}; {text}")
                else:
                    found[h.name] = h._replace(text=text)
    if right and wrong:
        where = ", ".join(e.where for e in wrong)
        found["one output"] = Hypothesis("one output", f"only {where} is wrong; {right} other results are right")
    return list(found.values())


def not_finite(e: Evidence) -> Iterator[Hypothesis]:
    """NaN or infinity where the truth is finite."""
    bad = e.decided & ~np.isfinite(e.got)
    if bad.any():
        at = tuple(np.argwhere(bad)[0])
        inputs = ", ".join(f"args{name} = {_short(x[at[0]])}" for name, x in e.inputs)
        text = f"{e.got[at]} where the truth is {e.want[at]:.6g}, at '{e.names[at[0]]}': {inputs}"
        yield Hypothesis("not finite", f"NaN or infinity at {int(_rows(bad).sum())} points: {text}")


def constant_factor(e: Evidence) -> Iterator[Hypothesis]:
    """The sign, or a factor that is the same everywhere."""
    large = e.decided & np.isfinite(e.got) & (np.abs(e.want) > 1e3 * e.tolerance) & (e.want != 0)
    if not large.any():
        return
    factor = float(np.median(e.got[large] / e.want[large]))
    if factor == 0:
        if not e.got[large].any():
            yield Hypothesis("zero", "the result is zero where it should not be")
        return
    named = _named(factor, e)
    exact = named[1] if named else factor
    if not e.explains(e.got / exact, max(1.0, 1 / abs(exact))):
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
    fits = [name for name, c in known.items() if abs(size - c) < 1e-4 * c]
    if not fits:
        return None
    numbers = [name for name in fits if "N" in name]
    names = [n for n in fits if "N" not in n] + numbers[:2]
    return sign + " = ".join(names), (-1 if sign else 1) * float(known[fits[0]])


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
        if 2 < n <= 5:
            orders += [np.array(p) for p in permutations(range(n))]
        for order in orders:
            if n > 1 and (order != np.arange(n)).any() and e.explains(np.take(e.got, order, axis)):
                text = f"permuted: along axis {axis - 1}, entries {order.tolist()} are in the places of 0 to {n - 1}"
                yield Hypothesis("permuted", text)
                return


def diagonals(e: Evidence) -> Iterator[Hypothesis]:
    """Right or wrong on the diagonal only."""
    if e.got.ndim < 3 or e.got.shape[-1] != e.got.shape[-2] or e.got.shape[-1] < 2:
        return
    eye = np.broadcast_to(np.eye(e.got.shape[-1], dtype=bool), e.got.shape)
    if not (e.wrong & eye).any():
        zero = not e.got[~eye & e.decided].any()
        text = "diagonal only: every entry off it is zero" if zero else "the entries off the diagonal are wrong"
        yield Hypothesis("diagonal only" if zero else "off the diagonal", text + "; those on it are right")
    elif not (e.wrong & ~eye).any():
        zero = not e.got[eye & e.decided].any()
        text = "off-diagonal only: the diagonal is zero" if zero else "the diagonal is wrong"
        yield Hypothesis("off-diagonal only" if zero else "on the diagonal", text + "; the entries off it are right")


def one_place(e: Evidence) -> Iterator[Hypothesis]:
    """Wrong at one index of an axis only, or right at one only."""
    for axis in range(1, e.got.ndim):
        n = e.got.shape[axis]
        if n < 2:
            continue
        others = tuple(a for a in range(e.got.ndim) if a != axis)
        wrong = np.flatnonzero(e.wrong.any(others))
        if len(wrong) == 1:
            text = f"only index {wrong[0]} of axis {axis - 1} is wrong (one entry, one class or one example)"
            yield Hypothesis("one place", text)
        elif len(wrong) == n - 1 and n > 2:
            right = (set(range(n)) - set(wrong.tolist())).pop()
            yield Hypothesis("right in one place", f"only index {right} of axis {axis - 1} is right")
        elif len(wrong) < n and e.got.ndim == 2:
            yield Hypothesis("some places", f"only indices {wrong.tolist()} of axis {axis - 1} are wrong")


def by_label(e: Evidence) -> Iterator[Hypothesis]:
    """Wrong at the entry that an integer argument names, or for some of its values only."""
    for name, labels in e.inputs:
        if not np.issubdtype(labels.dtype, np.integer) or labels.dtype == bool:
            continue
        if e.got.shape[:-1] == labels.shape:
            named = labels[..., None] == np.arange(e.got.shape[-1])
            if e.wrong.any() and not (e.wrong & ~named).any():
                yield Hypothesis("label's entry", f"only the entry that the label args{name} names is wrong")
            elif not (e.wrong & named).any():
                yield Hypothesis("label's entry", f"only the entry that the label args{name} names is right")
        rows = _rows(e.wrong)
        if labels.ndim == 1 or e.got.ndim > labels.ndim:
            at = e.wrong.reshape(*labels.shape, -1).any(-1) if e.got.shape[: labels.ndim] == labels.shape else None
            bad, good = (
                (set(labels[at].tolist()), set(labels[~at].tolist()))
                if at is not None
                else (set(labels[rows].ravel().tolist()), set(labels[~rows].ravel().tolist()))
            )
            if bad and len(bad) == 1 and len(bad | good) > 1 and not bad & good:
                yield Hypothesis("one class", f"wrong only where args{name} is {bad.pop()}")


def tails(e: Evidence) -> Iterator[Hypothesis]:
    """Right at small inputs and wrong at large ones, or on one side of a threshold."""
    judged = e.decided
    for name, x in e.inputs:
        if not np.issubdtype(x.dtype, np.floating):
            continue
        if x.shape == e.got.shape:
            bad, good = x[e.wrong], x[judged & ~e.wrong]
        else:
            rows = _rows(e.wrong)
            flat = np.abs(x.reshape(len(x), -1)).max(-1)
            bad, good = flat[rows], flat[_rows(judged) & ~rows]
        if not good.size or not bad.size:
            continue
        measures: dict[str, Callable[[Any], Any]] = {"|x|": np.abs, "x": lambda v: v, "-x": lambda v: -v}
        for label, measure in measures.items():
            b, g = measure(bad), measure(good)
            small = g[g < b.min()]
            # Far out both may be zero; so what is right there is no evidence against a threshold.
            if b.min() > 0.01 and small.size and np.mean(g < b.min()) > 0.2 and _separates(b, g):
                text = f"right at small inputs, wrong in the tails: right up to {label} = {small.max():.4g}, "
                yield Hypothesis("tails", text + f"wrong from {b.min():.4g} (x is args{name})")
                return


def _separates(bad: Any, good: Any) -> bool:
    """Whether the wrong ones begin where the right ones are few: at most one in three among the next."""
    between = good[(good >= bad.min()) & (good <= np.quantile(bad, 0.5))]
    return len(between) <= 0.5 * len(bad)


def special_points(e: Evidence) -> Iterator[Hypothesis]:
    """Wrong at points of some kinds only."""
    rows = _rows(e.wrong)
    bad = {name for name, wrong in zip(e.names, rows, strict=True) if wrong}
    if len(bad) <= 4 and rows.mean() < 0.3:
        yield Hypothesis("special points", f"wrong only at {int(rows.sum())} points: {', '.join(sorted(bad))}")


def _rows(mask: np.ndarray) -> np.ndarray:
    return mask.reshape(len(mask), -1).any(-1)


def _short(x: np.ndarray) -> str:
    flat = ", ".join(f"{v:.4g}" for v in np.ravel(x)[:4].astype(float))
    return f"[{flat}{', …' if x.size > 4 else ''}]" if x.ndim else flat


from manual_grads.checking.terms import missing_factor, missing_term  # noqa: E402

GUESSES: tuple[Callable[[Evidence], Iterator[Hypothesis]], ...] = (
    not_finite,
    constant_factor,
    rearranged,
    diagonals,
    one_place,
    by_label,
    tails,
    missing_term,
    missing_factor,
    special_points,
)
