"""Sums over an index of symbolic range, $Σ_i f(i)$ with $i = 1, …, n$, and the one form in which two are compared."""

from functools import lru_cache
from itertools import permutations
from typing import Any

import sympy
from sympy import KroneckerDelta


class Total(sympy.Expr):
    """$Σ_i Σ_j … f(i, j, …)$: its arguments are f and, for each index, the pair of the index and its range's size.

    If its ranges aren't empty, a sum of positive terms is positive.
    """

    is_commutative = True

    @property
    def summand(self) -> Any:
        """What is summed: $f(i, j, …)$."""
        return self.args[0]

    @property
    def ranges(self) -> dict[Any, Any]:
        """The size of each index's range."""
        pairs: Any = self.args[1:]
        return dict(pairs)

    def _eval_is_real(self) -> bool | None:
        return self.summand.is_real

    def _eval_is_positive(self) -> bool | None:
        return self.summand.is_positive and (all(size.is_positive for size in self.ranges.values()) or None)

    def _eval_derivative(self, x: Any) -> Any:
        """The derivative of a sum is the sum of the derivatives: its range doesn't depend on x."""
        term = self.summand.diff(x)
        return Total(term, *self.args[1:]) if term else sympy.S.Zero


@lru_cache(maxsize=4096)
def normal(expression: Any) -> Any:
    """An equal expression, in which sums that are equal by the rules of sums are the same object.

    The rules: a sum is linear; $Σ_i δ_{ij} f(i) = f(j)$; $Σ_i 1 = n$; what doesn't depend on i stands before the sum;
    the order of sums, and the names of their indices, don't matter.
    """
    if not expression.has(Total):
        return expression
    if not isinstance(expression, Total):
        return expression.func(*map(normal, expression.args))
    fresh = {index: sympy.Dummy(integer=True) for index in expression.ranges}
    sizes = {fresh[index]: size for index, size in expression.ranges.items()}
    summand = expanded(normal(expression.summand).xreplace(fresh))
    return sympy.Add(*(_summed(term, sizes) for term in sympy.Add.make_args(summand)))


def expanded(expression: Any) -> Any:
    """Multiplied out; a fraction with a denominator 1 + e, e an exponential, in partial fractions.

    For these, e is written (1 + e) − 1: so e/(1 + e)² is 1/(1 + e) − 1/(1 + e)², in whatever form it was.
    """
    written: dict[Any, Any] = {}
    back: dict[Any, Any] = {}
    for power in sorted(expression.atoms(sympy.Pow), key=sympy.default_sort_key):
        exponentials = [term for term in power.base.args if isinstance(term, sympy.exp)]
        if power.exp.is_negative and power.base.is_Add and len(exponentials) == 1 and exponentials[0] not in written:
            denominator = sympy.Dummy(positive=power.base.is_positive)
            written[exponentials[0]] = denominator - (power.base - exponentials[0])
            back[denominator] = power.base
    for each in expression.atoms(sympy.exp):
        for e in tuple(written):
            times = each.args[0] / e.args[0]
            if times.is_Integer and times > 1:
                written[each] = written[e] ** times
    return sympy.expand(expression.xreplace(written)).xreplace(back)


def _summed(term: Any, sizes: dict[Any, Any]) -> Any:
    """The sum of a product over all its indices: deltas contracted, then a sum for each group of connected factors."""
    factors, sizes = _unfolded(term, sizes)
    while deltas := [f for f in factors if isinstance(f, KroneckerDelta) and f.free_symbols & sizes.keys()]:
        # Σ_i δ_ij f(i) = f(j): j is in the range that i runs over, since only indices of one range are compared.
        index, other = deltas[0].args if deltas[0].args[0] in sizes else deltas[0].args[::-1]
        factors.remove(deltas[0])
        replaced: Any = sympy.Mul(*factors).xreplace({index: other})
        factors = list(sympy.Mul.make_args(replaced))
        sizes = {i: size for i, size in sizes.items() if i != index}
    groups: list[tuple[set[Any], Any]] = [({index}, sympy.S.One) for index in sizes]
    before = []
    for factor in factors:
        touched = [group for group in groups if group[0] & factor.free_symbols]
        if touched:
            groups = [group for group in groups if group not in touched]
            indices = set[Any]().union(*(indices for indices, _ in touched))
            groups.append((indices, sympy.Mul(factor, *(product for _, product in touched))))
        else:
            before.append(factor)
    return sympy.Mul(*before, *(_named(product, {i: sizes[i] for i in indices}) for indices, product in groups))


def _unfolded(term: Any, sizes: dict[Any, Any]) -> tuple[list[Any], dict[Any, Any]]:
    """The factors of a product, and their indices: a sum inside that depends on those of this one is a factor of it."""
    factors, sizes = list(sympy.Mul.make_args(term)), dict(sizes)
    at = 0
    while at < len(factors):
        base, exponent = factors[at].as_base_exp()
        if isinstance(base, Total) and exponent.is_Integer and exponent > 0 and base.free_symbols & sizes.keys():
            fresh = {index: sympy.Dummy(integer=True) for index in base.ranges}
            inside = base.summand.xreplace(fresh)
            factors[at : at + 1] = [*sympy.Mul.make_args(inside), *([base ** (exponent - 1)] if exponent > 1 else [])]
            sizes |= {fresh[index]: size for index, size in base.ranges.items()}
        else:
            at += 1
    return factors, sizes


def _named(product: Any, sizes: dict[Any, Any]) -> Any:
    """The sum of connected factors, with names for its indices that depend on nothing but what the sum is."""
    if product == 1:
        (size,) = sizes.values()
        return size
    depth = max((_depth(inner) for inner in product.atoms(Total)), default=0) + 1  # inner indices have other names
    forms = []
    for order in permutations(sizes):
        order = sorted(order, key=lambda index: sizes[index].name)
        names = {i: sympy.Symbol(f"{sizes[i]}:{depth}:{n}", integer=True) for n, i in enumerate(order)}
        pairs = (sympy.Tuple(names[i], sizes[i]) for i in order)
        forms.append(Total(product.xreplace(names), *pairs))
    return min(forms, key=sympy.default_sort_key)


def _depth(total: Total) -> int:
    return max(int(index.name.split(":")[1]) for index in total.ranges)
