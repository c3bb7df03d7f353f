"""Hypotheses about what was left out or mistaken: a term that the residual shows, a factor that the quotient shows."""

from collections.abc import Iterable, Iterator

import numpy as np

from manual_grads.checking.arrays import Leaf
from manual_grads.checking.diagnosis.candidates import candidates, of_the_truth
from manual_grads.checking.diagnosis.evidence import (
    EXPLAINED,
    MIN_SHARE_EXPLAINED,
    MIN_SHARE_OF_WRONG_EXPLAINED,
    Evidence,
)
from manual_grads.checking.diagnosis.fitting import Fit, fits, pair_fits, spelled, total
from manual_grads.checking.diagnosis.products import products
from manual_grads.checking.report import Hypothesis

MAX_PAIRED = 60  # candidates, and as many products, of which every two are tried together
SAME_SCALE = 1e-6  # relative: coefficients so near are the same


def missing_term(e: Evidence) -> Iterator[Hypothesis]:
    """The residual `want − got` is a multiple of something recognisable."""
    for some in (candidates(e), products(e), products(e, backward=True), list(of_the_truth(e))):
        fit = _first(e, fits(e, e.want - e.got, some))
        if fit:
            ((scale, c),) = fit
            # A sum of N where their mean should be is N − 1 means too much; a mean for the sum, as many too few.
            times = abs(scale) / c.share * c.terms / (c.terms - 1) if c.terms > 2 else 0.0
            if any(abs(times - known) < SAME_SCALE for known in (1.0, 2.0)):
                text = f"a sum for a mean, or the reverse, of {c.terms} terms (1/{c.terms} = {1 / c.terms:.4g})"
                yield Hypothesis("sum for mean", f"{text}: {_adding(e, fit)}")
            yield Hypothesis("missing term", f"a term is missing (or one too many): {_adding(e, fit)}")
            return


def missing_terms(e: Evidence) -> Iterator[Hypothesis]:
    """The residual is made of two recognisable things."""
    made = products(e)
    some = [*candidates(e)[:MAX_PAIRED], *made[:MAX_PAIRED]]
    fit = _first(e, pair_fits(e, e.want - e.got, some))
    if fit:
        yield Hypothesis("missing term", f"a term is missing (or one too many): {_adding(e, fit)}")


def wrong_axis(e: Evidence) -> Iterator[Hypothesis]:
    """The residual is the difference between the same sum, or mean, along two axes."""
    every = [c for c in products(e) if c.along]
    groups: dict[str, list[int]] = {}
    for i, c in enumerate(every):
        groups.setdefault(c.along, []).append(i)
    pairs = [(i, j) for group in groups.values() for n, i in enumerate(group) for j in group[n + 1 :]]
    pairs = [(i, j) for i, j in pairs if every[i].name != every[j].name]
    if pairs:
        for fit in pair_fits(e, e.want - e.got, every, np.array(pairs).T):
            (a, one), (b, other) = fit
            opposite = abs(a + b) < SAME_SCALE * abs(a) or abs(a * one.terms + b * other.terms) < SAME_SCALE * abs(
                a * one.terms
            )
            if opposite and e.betters(e.got + total(fit)):
                yield Hypothesis("wrong axis", f"a sum or a mean runs over the wrong axis: {_adding(e, fit)}")
                return


def missing_factor(e: Evidence) -> Iterator[Hypothesis]:
    """The quotient of the result and the truth is something recognisable."""
    if not e.want[e.wrong].any():  # any factor that is zero would do
        return
    for c in [*candidates(e)[1:], *of_the_truth(e)]:
        with np.errstate(all="ignore"):
            for text, instead in (
                (f"multiplying by {c.name}", e.got * c.array),
                (f"dividing by {c.name}", e.got / c.array),
            ):
                if e.betters(np.nan_to_num(instead, posinf=0, neginf=0)):
                    left = e.error(instead)
                    yield Hypothesis(
                        "missing factor", f"a factor is missing: {text} leaves a relative error of {left:.2g}"
                    )
                    return


def mistaken(e: Evidence) -> Iterator[Hypothesis]:
    """The result and what it should be are both recognisable, and not the same."""
    got = _described(e, e.got)
    want = got and _described(e, e.want)
    if got and want and spelled(got) != spelled(want):
        (_, is_got), (_, should) = got[0], want[0]
        if is_got.along and is_got.along == should.along:
            text = f"a sum or a mean runs over the wrong axis: the result is {spelled(got)}"
            yield Hypothesis("wrong axis", f"{text}; it should be {spelled(want)}")
        else:
            yield Hypothesis("mistaken", f"the result is {spelled(got)}; it should be {spelled(want)}")


def recognised(e: Evidence) -> Iterator[Hypothesis]:
    """The result is something recognisable, and what it should be isn't."""
    got = _described(e, e.got)
    if got and not _described(e, e.want):
        yield Hypothesis("mistaken", f"the result is {spelled(got)}")


def _first(e: Evidence, some: Iterable[Fit]) -> Fit | None:
    """The first that explains the error, if it is added."""
    return next((fit for fit in some if e.betters(e.got + total(fit))), None)


def _adding(e: Evidence, fit: Fit) -> str:
    left = e.error(e.got + total(fit))
    return f"adding {spelled(fit)} brings the worst relative error from {e.error(e.got):.2g} to {left:.2g}"


def _described(e: Evidence, x: Leaf) -> Fit | None:
    """What the array is, by a formula that holds wherever it is judged and where it is wrong."""
    for some in (candidates(e)[1:], products(e), products(e, backward=True)):
        for fit in fits(e, x, some):
            with np.errstate(all="ignore"):
                close = np.abs(x - total(fit)) <= EXPLAINED * e.allowance
            finite = e.judged & np.isfinite(x)
            wrong = close[finite & e.wrong]
            if close[finite].mean() > MIN_SHARE_EXPLAINED and wrong.mean() > MIN_SHARE_OF_WRONG_EXPLAINED:
                return fit
    return None
