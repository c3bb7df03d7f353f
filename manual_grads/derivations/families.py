"""The document's lines over vectors and matrices of any size: of each, one entry at an index that is any index.

A `Family` is a vector or matrix of symbolic sizes, known by its general entry. A line can do with it what makes sense
for every size alone: compute entry by entry, multiply matrices, sum over an index, take the entry of a class. Anything
else (a loop over the entries, the first entry) is refused by a TypeError.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy
from sympy import KroneckerDelta

from manual_grads.derivations import numbers, symbols
from manual_grads.derivations.indices import Index, Size, with_arithmetic
from manual_grads.derivations.sums import Total


@dataclass(frozen=True, eq=False)
class Family:
    """A vector or matrix of symbolic sizes, by its general entry."""

    __array_ufunc__ = None  # NumPy's arrays and scalars leave arithmetic to this class

    sizes: tuple[Any, ...]
    entry: Callable[..., Any]

    @property
    def shape(self) -> tuple[Size, ...]:
        """Its sizes, for a line to compute with."""
        return tuple(map(Size, self.sizes))

    @property
    def ndim(self) -> int:
        """1 of a vector, 2 of a matrix."""
        return len(self.sizes)

    def __bool__(self) -> bool:
        """Not known.

        Raises:
            TypeError: always.
        """
        raise TypeError("a family of symbolic size is neither true nor false")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        """There is none.

        Raises:
            TypeError: always.
        """
        raise TypeError("a family of symbolic size is no array")

    def __getitem__(self, index: Any) -> Any:
        """An entry."""
        indices = index if isinstance(index, tuple) else (index,)
        if [getattr(each, "size", None) for each in indices] != list(self.sizes):
            raise TypeError(f"a family of shape {self.sizes} has no index {index!r}; expected one for each size")
        return self.entry(*(each.at for each in indices))

    def __matmul__(self, other: Any) -> Any:
        """$(ab)_{ij} = Σ_k a_{ik} b_{kj}$."""
        if not isinstance(other, Family) or self.sizes[-1] != other.sizes[0]:
            raise ValueError(f"shapes {self.sizes} and {getattr(other, 'shape', None)} don't multiply")
        rows, size = self.ndim - 1, self.sizes[-1]

        def entry(*at: Any) -> Any:
            k = sympy.Dummy(integer=True)
            return Total(self.entry(*at[:rows], k) * other.entry(k, *at[rows:]), sympy.Tuple(k, size))

        return scalar_or_family((*self.sizes[:-1], *other.sizes[1:]), entry)

    def __neg__(self) -> "Family":
        """Entry by entry."""
        return self.each(operator.neg)

    def each(self, f: Callable[[Any], Any]) -> "Family":
        """A function of one number, entry by entry."""
        return Family(self.sizes, lambda *at: f(self.entry(*at)))


def elementwise(operation: Callable[[Any, Any], Any]) -> Callable[[Family, Any], Any]:
    """An operation on two numbers, entry by entry; the second may be a number alone."""

    def operated(self: Family, other: Any) -> Any:
        if not isinstance(other, Family):
            number = sympy.sympify(other, strict=True)
            return self.each(lambda a: operation(a, number))
        if self.sizes != other.sizes:
            raise ValueError(f"shapes {self.sizes} and {other.sizes} differ")
        return Family(self.sizes, lambda *at: operation(self.entry(*at), other.entry(*at)))

    return operated


with_arithmetic(Family, elementwise)


def scalar_or_family(shape: tuple[Any, ...], entry: Callable[..., Any]) -> Any:
    """A family, or its only entry if there are no indices."""
    return Family(shape, entry) if shape else entry()


def draw(name: str, *shape: Any, positive: bool = False) -> Any:
    """A real symbol, or a family of them."""
    if not shape:
        return symbols.draw(name, positive=positive)
    base: Any = sympy.IndexedBase(name, real=True, positive=positive or None)
    return Family(tuple(map(sympy.sympify, shape)), lambda *at: base[at])


numbers.exp.register(Family, lambda z: z.each(sympy.exp))
numbers.log.register(Family, lambda z: z.each(sympy.log))
numbers.size.register(Family, lambda s: Size(s.sizes[0]))


@numbers.sum_over.register
def sum_over_family(s: Family, f: Callable[[Any], Any]) -> Any:
    """$Σ_k f(k)$, k being any index of the range."""
    k = sympy.Dummy(integer=True)
    return Total(number(f(Index(k, s.sizes[0]))), sympy.Tuple(k, s.sizes[0]))


@numbers.for_each.register
def for_each_of_family(s: Family, f: Callable[[Any], Any]) -> Family:
    """The family of f(k)."""
    return Family(s.sizes[:1], lambda k: number(f(Index(k, s.sizes[0]))))


@numbers.diag.register
def diagonal_family(v: Family) -> Family:
    """$δ_{ij} v_i$."""
    return Family(v.sizes * 2, lambda i, j: KroneckerDelta(i, j) * v.entry(i))


@numbers.outer.register
def outer_of_families(a: Family, b: Family) -> Family:
    """$a_i b_j$."""
    return Family(a.sizes + b.sizes, lambda i, j: a.entry(i) * b.entry(j))


@numbers.differentiate.register
def differentiate_family(at: Family, f: Callable[[Any], Any], x: Any) -> Any:
    """$∂f_i/∂x_j$: by fresh symbols, so that x may consist of expressions; x is put back afterwards."""
    del x
    positive = at.entry(*(sympy.Dummy(integer=True) for _ in at.sizes)).is_positive
    base: Any = sympy.IndexedBase(sympy.Dummy(), real=True, positive=positive)
    value = f(Family(at.sizes, lambda *index: base[index]))
    shape = value.sizes if isinstance(value, Family) else ()

    def entry(*index: Any) -> Any:
        of, by = index[: len(shape)], index[len(shape) :]
        slope = (value.entry(*of) if shape else number(value)).diff(base[by])
        return slope.xreplace({old: at.entry(*old.indices) for old in slope.atoms(sympy.Indexed) if old.base == base})

    return Family(shape + at.sizes, entry)


def number(value: Any) -> Any:
    """A value as an expression.

    Raises:
        SympifyError: if it isn't a number.
    """
    return sympy.sympify(value, strict=True)
