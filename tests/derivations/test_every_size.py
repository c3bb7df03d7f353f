"""Sums of symbolic range: what they are at a size is what the line is there; and they aren't called equal too soon."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import sympy

from manual_grads.derivations import CHAINS, every_size, families, symbols, task18, task21
from manual_grads.derivations.every_size import Symbolic
from manual_grads.derivations.families import Family
from manual_grads.derivations.indices import Index
from manual_grads.derivations.lines import Line
from manual_grads.derivations.numbers import I, as_objects, diag, exp, outer, sum_over
from manual_grads.derivations.sums import Total, expanded, normal

K, H = (sympy.Symbol(name, integer=True, positive=True) for name in ("K", "hidden"))
s, t, M = families.draw("s", K), families.draw("t", K), families.draw("M", K, K)
SMALL = {"inputs": 2, "hidden": 3, "features": 2, "K": 3}


def at_sizes(expression):
    """An expression at small sizes: every sum written out, every entry a symbol as `symbols.draw` names it."""
    args = [at_sizes(arg) for arg in expression.args] if not isinstance(expression, (Total, sympy.Indexed)) else []
    if isinstance(expression, Total):
        ranges = [range(SMALL[size.name]) for size in expression.ranges.values()]
        chosen = (dict(zip(expression.ranges, map(sympy.Integer, at), strict=True)) for at in product(*ranges))
        return sympy.Add(*(at_sizes(expression.summand.xreplace(indices)) for indices in chosen))
    if isinstance(expression, sympy.Indexed):
        name = f"{expression.base}_{''.join(map(str, expression.indices))}"
        return sympy.Symbol(name, real=True, positive=expression.is_positive)
    if isinstance(expression, sympy.Symbol) and expression.name in SMALL:
        return sympy.Integer(SMALL[expression.name])
    return expression.func(*args) if args else expression


def is_nearly_zero(expression):
    """Whether it is, at a point, to 30 of 40 digits: that e^a·e^b is e^(a+b), `is_zero` doesn't know."""
    point = {x: sympy.Rational(n + 3, 7) for n, x in enumerate(sorted(expression.free_symbols, key=str))}
    return abs(expression.xreplace(point).evalf(40)) < sympy.Rational(1, 10**30)


SLOWEST = {"∂R/∂x", "∂R/∂A"}  # ∂R/∂B has all that is in them, and takes a quarter of their time


@pytest.mark.parametrize(
    "chain",
    [
        pytest.param(
            chain,
            id=f"{chain.task} {chain.lines[0].text}",
            marks=pytest.mark.slow if chain.lines[0].text in SLOWEST else (),
        )
        for chain in CHAINS
        if chain.sizes
    ],
)
def test_a_line_of_symbolic_size_is_the_line_at_each_size(chain):
    """The first line and the last, as computed and in normal form, against the line over symbols at that size."""
    symbolic = Symbolic.of(chain)
    concrete = list(chain.cases_at(symbols.draw, [SMALL[name] for name in chain.sizes]))
    for args in symbolic.cases:
        named = [int(arg.at) for arg in args if isinstance(arg, Index)]
        (same,) = (case for case in concrete if [arg for arg in case if isinstance(arg, int)] == named)
        for line in (chain.lines[0], chain.lines[-1]):
            value, want = line.value(*args), as_objects(line.value(*same))
            for at in list(np.ndindex(want.shape))[:4]:
                entry = value.entry(*map(sympy.Integer, at)) if isinstance(value, Family) else value
                assert symbols.is_zero(at_sizes(sympy.sympify(entry)) - want[at]), line.text
                assert is_nearly_zero(at_sizes(normal(sympy.sympify(entry))) - want[at]), line.text


def entry(family, *at):
    return family.entry(*map(sympy.Integer, at)) if isinstance(family, Family) else family


EQUAL = {
    "the order of sums": (lambda: (s @ M) @ t, lambda: s @ (M @ t)),
    "a delta": (lambda: sum_over(s, lambda k: sum_over(s, lambda l: I(k == l) * s[k] * t[l])), lambda: s @ t),
    "a factor": (lambda: sum_over(s, lambda k: s[k] * (t @ t)), lambda: (t @ t) * sum_over(s, lambda k: s[k])),
    "a constant": (lambda: sum_over(s, lambda k: 1), lambda: K),
    "linear": (lambda: sum_over(s, lambda k: s[k] * (1 + t[k])), lambda: s @ t + sum_over(s, lambda k: s[k])),
    "a square": (lambda: sum_over(s, lambda k: s[k] * s @ t), lambda: sum_over(s, lambda k: s[k] * (s @ t))),
    "diagonal": (lambda: entry(diag(s) @ diag(t), 0, 0), lambda: entry(s * t, 0)),
    "off the diagonal": (lambda: entry(diag(s) @ diag(t), 0, 1), lambda: sympy.S.Zero),
    "outer": (lambda: entry(outer(s, t) @ s, 0), lambda: entry(s, 0) * (t @ s)),
    "fractions": (
        lambda: sum_over(s, lambda k: task18.sigma(s[k]) * (1 - task18.sigma(s[k]))),
        lambda: sum_over(s, lambda k: exp(-s[k]) / (1 + exp(-s[k])) ** 2),
    ),
}
UNEQUAL = {
    "another order": (lambda: (s @ M) @ t, lambda: (t @ M) @ s),
    "the square of a sum": (lambda: (s @ t) ** 2, lambda: (s * s) @ (t * t)),
    "one entry": (lambda: s @ t, lambda: s @ t + entry(s, 0)),
    "K": (lambda: sum_over(s, lambda k: 1), lambda: sympy.S.One),
    "a trace": (lambda: sum_over(s, lambda k: M[k, k]), lambda: sum_over(s, lambda k: sum_over(s, lambda l: M[k, l]))),
    "transposed": (lambda: entry(s @ M, 0), lambda: entry(M @ s, 0)),
    "fractions": (
        lambda: sum_over(s, lambda k: task18.sigma(s[k])),
        lambda: sum_over(s, lambda k: exp(-s[k]) / (1 + exp(-s[k]))),
    ),
}


@pytest.mark.parametrize("name", EQUAL)
def test_equal_sums_are_recognised(name):
    left, right = (side() for side in EQUAL[name])
    assert symbols.is_zero(left - right)


@pytest.mark.parametrize("name", UNEQUAL)
def test_unequal_sums_are_not_taken_for_equal(name):
    left, right = (side() for side in UNEQUAL[name])
    assert not symbols.is_zero(left - right)


def test_values_of_unequal_shapes_are_not_taken_for_equal():
    """Zeros in a row, a matrix of them, and the number 0: no entry differs."""
    row, matrix = s - s, M - M
    for left, right in ((row, 0 * K), (0 * K, row), (row, matrix), (matrix, row)):
        assert not every_size.equal((), left, right)
    assert every_size.equal((), row, t - t)


def test_the_names_of_indices_don_t_matter_and_are_not_mixed_up():
    """A sum inside an exponential inside a sum: the inner index has another name than the outer."""
    value = normal(sum_over(s, lambda k: exp((M @ t)[Index(k.at, K)]) * s[k]))
    (outer_sum,) = (total for total in value.atoms(Total) if total.has(sympy.exp))
    (inner,) = outer_sum.summand.atoms(Total)
    assert not outer_sum.ranges.keys() & inner.ranges.keys()
    assert normal(value) == value


@pytest.mark.smoke
def test_partial_fractions_change_nothing():
    z = symbols.draw("z")
    e = sympy.exp(-z)
    for expression in (e / (1 + e) ** 2, sympy.exp(-2 * z) / (1 + e) ** 3, e / (2 + e) / (1 + e)):
        assert symbols.is_zero(expanded(expression) - expression)
    assert expanded(e / (1 + e) ** 2) == 1 / (1 + e) - 1 / (1 + e) ** 2


WRONG = {
    "a factor in another place": lambda x, A, B, y: task21.g_minus_y(task21.v(x, A, B), y) @ B @ diag(A @ x) @ A,
    "without σ'": lambda x, A, B, y: task21.g_minus_y(task21.v(x, A, B), y) @ B @ A,
    "g for g − y": lambda x, A, B, y: task21.g(task21.v(x, A, B)) @ B @ diag(task21.sigma_prime(task21.w(x, A))) @ A,
    "the shape": lambda x, A, B, y: task21.g_minus_y(task21.v(x, A, B), y),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_gradient_of_the_network_is_not_proved(name):
    symbolic = Symbolic.of(task21.INPUT_GRADIENT)
    right, wrong = (symbolic.values(line) for line in (task21.INPUT_GRADIENT.lines[-1], Line("", WRONG[name])))
    assert symbolic.proved(right, right)
    assert not symbolic.proved(right, wrong)


def test_every_kind_of_entry_is_looked_at():
    y = Index(sympy.Integer(0), K)
    assert list(every_size.entries((K,), (y,))) == [(0,), (1,)]
    assert list(every_size.entries((K, K), ())) == [(0, 0), (0, 1)]
    assert list(every_size.entries((K, K), (y,))) == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]
    assert list(every_size.entries((K, H), (y,))) == [(0, 0), (1, 0)]


def test_only_what_makes_sense_for_every_size_can_be_done():
    k: Any = Index(sympy.Integer(0), K)
    for refused in (
        lambda: len(s),
        lambda: list(s),
        lambda: bool(s),
        lambda: np.sum(s),
        lambda: s[0],
        lambda: s[1:],
        lambda: s[Index(sympy.Integer(0), H)],
        lambda: k == 0,
        lambda: k == Index(sympy.Integer(0), H),
        lambda: k + 1,
        lambda: s.shape[0] == 3,
        lambda: s.shape[0] - 3 == 0,
        lambda: s.shape[0] > 3,
        lambda: range(s.shape[0]),
        lambda: sum_over(s, lambda i: 1 if i == k else 0),
        lambda: sum_over(s, lambda i: 1 if i != k else 0),
        lambda: s @ families.draw("h", H),
        lambda: s + families.draw("h", H),
    ):
        with pytest.raises((TypeError, ValueError)):
            refused()
