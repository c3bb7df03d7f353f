r"""Every K: all classes but those that a line names can be merged into one, so that few classes prove it for all.

Two unnamed classes of logits a and b are merged into one of logit $\ln(e^a + e^b)$; of probabilities, $g_a + g_b$.
Let a line name m different classes among k, l and the label y.

1. Merging: each of two neighbouring lines has the same value for K + 1 classes, and for the K that are left when two of
   the unnamed are merged. That is shown for K + 1 = m + 2 + n, any n ≥ 0, with n a symbol.
2. Base: the two lines are equal for K = m (there is no other class) and for K = m + 1 (there is one).
3. Induction: let them be equal for some K ≥ m + 1, whatever the logits. Of K + 1 classes two are unnamed, at least.
   Merge them: neither line changes, by 1, and the two are equal for the K that are left. So they are equal for K + 1.

Derivatives are by the logit of a named class, and merging leaves that logit alone: they are taken first, for any K.
What is left is an expression without derivatives, in the named logits and in sums over all classes, so that merging
changes only what it changes in the sums. A term of an unnamed class has the indicator 0 and is gone from its sum.

A line in which K itself occurs (ε/K, or the sum of all logits) does change. It is proved as a line about sums over any
number of classes: see `every_size`.
"""

from itertools import product
from typing import Any

import sympy

from manual_grads.derivations import symbols
from manual_grads.derivations.every_size import REFUSALS, Symbolic, is_in_order
from manual_grads.derivations.families import Family, number
from manual_grads.derivations.indices import NAMED, Index
from manual_grads.derivations.lines import Chain
from manual_grads.derivations.sums import Total, normal

# How many classes there are beside those named and the two that are merged: any number, 0 as well.
OTHERS = sympy.Symbol("n", integer=True, nonnegative=True)


def merges(symbolic: Symbolic, values: list[Any] | None) -> bool:
    """Whether a line of these values has the same value when two unnamed classes are merged, in every case."""
    if values is None or symbolic.chain.sizes != ("K",):
        return False
    try:
        return all(is_unchanged_by_merging(args, value) for args, value in zip(symbolic.cases, values, strict=True))
    except REFUSALS:
        return False


def is_unchanged_by_merging(args: tuple[Any, ...], value: Any) -> bool:
    """Whether a value for K + 1 classes, two of them unnamed, is that for K with these two merged."""
    (family,) = (arg for arg in args if isinstance(arg, Family))
    (K,), m = family.sizes, len({int(arg.at) for arg in args if isinstance(arg, Index)})
    a, b = (family.entry(sympy.Integer(i)) for i in (m, m + 1))
    expression = normal(number(value))
    apart = written_out(expression, K, m + 2)
    merged = written_out(expression, K, m + 1).xreplace(
        {a: a + b if a.is_positive else sympy.log(sympy.exp(a) + sympy.exp(b))}
    )
    return symbols.is_zero(apart - merged)


def written_out(expression: Any, K: Any, first: int) -> Any:
    """An expression for K = first + n classes: in sums over all, the terms of the first are written out."""
    if not isinstance(expression, Total):
        args = [written_out(arg, K, first) for arg in expression.args]
        return (expression.func(*args) if args else expression).xreplace({K: first + OTHERS})
    summand, pairs = expression.summand, expression.ranges.items()
    written = []
    for choice in product(*([*range(first), OTHERS] if size == K else [size] for _, size in pairs)):
        chosen = list(zip(pairs, choice, strict=True))
        term = summand.xreplace({i: sympy.Integer(at) for (i, _), at in chosen if isinstance(at, int)})
        remaining = [sympy.Tuple(i, at) for (i, _), at in chosen if not isinstance(at, int)]
        term = written_out(term, K, first)
        written.append(Total(term, *remaining) if remaining else term)
    return sympy.Add(*written)


def base_holds(chain: Chain) -> list[bool]:
    """Of each line, whether it equals the one before where all classes are named, and where one is not."""
    cases = [args for K in range(1, NAMED + 2) for args in chain.cases_at(symbols.draw, [K]) if is_a_base_case(args, K)]
    values = [[line.value(*args) for line in chain.lines] for args in cases]
    return [all(symbols.equal(case[max(i - 1, 0)], case[i]) for case in values) for i in range(len(chain.lines))]


def is_a_base_case(args: tuple[Any, ...], K: int) -> bool:
    """Whether K classes are those named and at most one other; of cases that are alike, only one is."""
    named = [arg for arg in args if isinstance(arg, int)]
    return is_in_order(named) and len(set(named)) in (K, K - 1)
