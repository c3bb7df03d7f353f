"""A size that is a symbol, such as K, and an index in its range, such as that of a class k: what a line may know of it.

It may compute with a size, and ask whether two indices are the same. Anything else (the class number 2, a comparison of
K with 4) is refused by a TypeError: from what a line with it computes here, nothing would follow for other sizes.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy
from sympy import KroneckerDelta

from manual_grads.derivations import numbers

# Classes that a line can name: k, l and the label y.
NAMED = 3


@dataclass(frozen=True, eq=False)
class Size:
    """How many entries a vector has: K, or K − 1, as a number that can be computed with but is compared with none."""

    expression: Any

    def _sympy_(self) -> Any:
        return self.expression

    def __bool__(self) -> bool:
        """Not known.

        Raises:
            TypeError: always.
        """
        raise TypeError("a symbolic size is neither 0 nor not; expected a line that doesn't ask")

    def __eq__(self, other: object) -> Any:
        """Not known.

        Raises:
            TypeError: always.
        """
        raise TypeError(f"a symbolic size is compared with {other!r}; expected a line that doesn't compare sizes")


@dataclass(frozen=True, eq=False)
class Index:
    """An index in a range: of a named class (an integer), or of a sum (a symbol). Different integers, other classes.

    It can be compared with another and nothing else, so that a line can't tell which class it is that has the name.
    """

    at: Any
    size: Any

    def __eq__(self, other: object) -> Any:
        """Whether both are the same: known of two named classes, else a `Condition`."""
        if not isinstance(other, Index) or other.size != self.size:
            raise TypeError(f"an index of range {self.size} is compared with {other!r}; expected one of the same range")
        delta = KroneckerDelta(self.at, other.at)
        return bool(delta) if delta.is_Integer else Condition(delta)


@dataclass(frozen=True, eq=False)
class Condition:
    """That two indices are equal, which may be so or not: there is nothing that it can be used for but `I`."""

    delta: Any

    def __bool__(self) -> bool:
        """Not known.

        Raises:
            TypeError: always.
        """
        raise TypeError("whether an index of a sum is a certain class has no answer; expected I(...) around it")


def of_sizes(operation: Callable[[Any, Any], Any]) -> Callable[[Size, Any], Any]:
    """An operation on a size: with a size or an integer, a size again."""

    def operated(self: Size, other: Any) -> Any:
        result = operation(self.expression, sympy.sympify(other, strict=True))
        return Size(result) if isinstance(other, Size | int) else result

    return operated


def with_arithmetic(kind: type, applied: Callable[[Callable[[Any, Any], Any]], Callable[[Any, Any], Any]]) -> None:
    """Gives a kind of number the operations on two of it, each made of the operation on two expressions."""
    for name in ("add", "sub", "mul", "truediv", "pow"):
        operation = getattr(operator, name)
        setattr(kind, f"__{name}__", applied(operation))
        setattr(kind, f"__r{name}__", applied(lambda a, b, operation=operation: operation(b, a)))


with_arithmetic(Size, of_sizes)
numbers.I.register(Condition, lambda condition: condition.delta)
numbers.classes.register(Size, lambda K: [Index(sympy.Integer(name), K.expression) for name in range(NAMED)])
