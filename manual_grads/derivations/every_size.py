r"""Every size: a line equals the one before for vectors and matrices of any size.

Both lines are computed once, at symbolic sizes, as expressions in sums over an index of symbolic range: a product of
matrices is $Σ_k a_{ik} b_{kj}$, the derivative of $x_i$ by $x_j$ is $δ_{ij}$, that of a sum is the sum of derivatives,
and the chain rule's products are sums over an index. The lines' difference at any entry vanishes by the rules of sums
(`sums.normal`) and of exponentials and logarithms (`symbols.is_zero`). So it vanishes whatever the sizes are, as long
as they aren't 0 and no denominator is.

Classes that a line names (k, l, the label y) and indices of an entry are equal or different: each way is a case. Which
class has which name makes no difference, since a line can do nothing with a name but compare it (`indices.Index`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import sympy

from manual_grads.derivations import families, symbols
from manual_grads.derivations.families import Family
from manual_grads.derivations.indices import Index, Size
from manual_grads.derivations.lines import Chain, Line

# What a line raises that does with a family, a size or an index what can't be done for every size.
REFUSALS = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RuntimeError)


@dataclass(frozen=True)
class Symbolic:
    """A chain at symbolic sizes, and its cases there: of those that are alike, one."""

    chain: Chain
    cases: list[tuple[Any, ...]]

    @classmethod
    def of(cls, chain: Chain) -> "Symbolic":
        """A chain at symbolic sizes."""
        sizes = [Size(sympy.Symbol(name, integer=True, positive=True)) for name in chain.sizes]
        drawn = chain.cases_at(families.draw, sizes)
        return cls(chain, [args for args in drawn if in_order(args)])

    def values(self, line: Line) -> list[Any] | None:
        """A line's value in each case; None if it can't be computed without knowing the sizes."""
        try:
            return [line.value(*args) for args in self.cases]
        except REFUSALS:
            return None

    def proved(self, before: list[Any] | None, after: list[Any] | None) -> bool:
        """Whether two lines of these values are equal at every size, in every case and at every entry."""
        if before is None or after is None:
            return False
        try:
            return all(equal(*values) for values in zip(self.cases, before, after, strict=True))
        except REFUSALS:  # entries are computed when they are asked for
            return False


def equal(args: tuple[Any, ...], left: Any, right: Any) -> bool:
    """Whether two values of lines are equal, at every entry."""
    sizes = left.sizes if isinstance(left, Family) else ()
    if sizes != (right.sizes if isinstance(right, Family) else ()):
        return False
    return all(symbols.is_zero(entry(left, at) - entry(right, at)) for at in entries(sizes, args))


def entry(value: Any, at: tuple[int, ...]) -> Any:
    """An entry of a family; what isn't one is its own only entry."""
    return value.entry(*map(sympy.Integer, at)) if isinstance(value, Family) else families.number(value)


def entries(sizes: tuple[Any, ...], args: tuple[Any, ...]) -> Iterator[tuple[int, ...]]:
    """An entry of each kind: an index is that of a class which the line names, or of one before it, or of another."""
    named = {
        size: sorted({int(arg.at) for arg in args if isinstance(arg, Index) and arg.size == size}) for size in sizes
    }
    for at in product(*(range(len(named[size]) + len(sizes)) for size in sizes)):
        if all(
            is_in_order([*named[size], *(i for i, of in zip(at, sizes, strict=True) if of == size)]) for size in sizes
        ):
            yield at


def in_order(args: tuple[Any, ...]) -> bool:
    """Whether the classes of a case are numbered in the order in which they appear."""
    return is_in_order([int(arg.at) for arg in args if isinstance(arg, Index)])


def is_in_order(numbers: list[int]) -> bool:
    """Whether each number is new and the next, or has been before."""
    return all(number <= len(set(numbers[:i])) for i, number in enumerate(numbers))
