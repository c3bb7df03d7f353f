"""The document's lines over SymPy: equality of two lines as a proof, not as a measurement."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy

from manual_grads.derivations.numbers import as_objects, differentiate, exp, log, objects
from manual_grads.derivations.sums import Total, expanded, normal

exp.register(sympy.Expr, sympy.exp)
log.register(sympy.Expr, sympy.log)


@differentiate.register
def differentiate_by_sympy(number: sympy.Expr, f: Callable[[Any], Any], x: Any) -> Any:
    """$df/dx$ by fresh symbols, so that x may consist of expressions; x is put back afterwards."""
    at = as_objects(x)
    fresh = [sympy.Dummy(real=True, positive=entry.is_positive) for entry in at.flat]
    value = as_objects(f(objects(fresh, at.shape)[()]))
    back = dict(zip(fresh, at.flat, strict=True))
    entries = [sympy.diff(out, symbol).xreplace(back) for out in value.flat for symbol in fresh]
    return objects(entries, value.shape + at.shape)[()]


def draw(name: str, *shape: int, positive: bool = False) -> Any:
    """Real symbols, such as z, s_0, A_01."""
    names = (name + ("_" + "".join(map(str, index)) if index else "") for index in np.ndindex(shape))
    return objects((sympy.Symbol(each, real=True, positive=positive or None) for each in names), shape)[()]


def equal(left: Any, right: Any) -> bool:
    """Whether two lines are equal, entry by entry, for all values of the symbols."""
    left, right = as_objects(left), as_objects(right)
    return left.shape == right.shape and all(is_zero(a - b) for a, b in zip(left.flat, right.flat, strict=True))


def is_zero(expression: Any) -> bool:
    """Whether an expression in exponentials and logarithms vanishes identically.

    Each distinct exponential and logarithm becomes an independent variable (e^(−2a) the power −2 of that of e^a). What
    is left is a rational function; if its numerator expands to zero, the expression is zero. The converse needn't hold:
    e^a·e^b − e^(a+b) is not recognised. A sum of symbolic range, in its normal form, is an independent variable, too.
    """
    expression = sympy.expand_log(sympy.sympify(expression))
    if expression.has(Total):
        expression = expanded(normal(expression))
    totals = {total: sympy.Dummy(real=total.is_real, positive=total.is_positive) for total in expression.atoms(Total)}
    expression = expression.xreplace(totals)
    variables: dict[Any, sympy.Dummy] = defaultdict(sympy.Dummy)
    while atoms := expression.atoms(sympy.exp, sympy.log):
        atom: Any = max(atoms, key=sympy.count_ops)  # an inner one, if replaced first, would disguise those around it
        inside: Any = atom.args[0]
        power, rest = inside.primitive() if isinstance(atom, sympy.exp) else (1, atom)
        if rest.could_extract_minus_sign():
            power, rest = -power, -rest
        expression = expression.xreplace({atom: variables[rest] ** power})
    numerator = sympy.fraction(sympy.together(expression))[0]
    return sympy.expand(numerator) == 0
