"""Every line of the document is proved for every K or size, and what is true for few classes alone is not."""

from itertools import combinations, product
from math import prod

import pytest
import sympy

from manual_grads.derivations import CHAINS, every_k, families, large_class, scope, symbols, task19_1, task19_2, task21
from manual_grads.derivations.every_size import Symbolic
from manual_grads.derivations.lines import Line
from manual_grads.derivations.numbers import I, classes, derivative, exp, log, size, sum_over
from manual_grads.derivations.sums import Total
from manual_grads.derivations.task19_1 import g, total
from manual_grads.derivations.verdicts import judge

JACOBIAN = task19_1.SOFTMAX_JACOBIAN
# Lines in which K itself occurs, or the sum of all logits, or a function of the logits other than e^s: not the merged.
BY_SUMS = (large_class.SMOOTHED_LOSS, large_class.SMOOTHED_GRADIENT, large_class.ALL)


def true_line(s, k, l):
    return g(s, k) * (I(k == l) - g(s, l))


def fifth_symmetric_polynomial(x, K):
    """Σ x_a x_b x_c x_d x_e over five different classes, by Newton's identities: 0 for K ≤ 4, whatever x is."""
    p = [sum_over(x, lambda k, n=n: x[k] ** n) for n in range(1, 6)]
    e = [1]
    for n in range(1, 6):
        e.append(sum((-1) ** (i - 1) * e[n - i] * p[i - 1] for i in range(1, n + 1)) * (1 + 0 * K) / n)
    return e[5]


# What is added to a true line: 0 for 2, 3 and 4 classes, but not for 5 or more.
TRUE_FOR_FEW = {
    "a polynomial in K": lambda s, k, l: (size(s) - 2) * (size(s) - 3) * (size(s) - 4) * g(s, k),
    "a polynomial in len(s)": lambda s, k, l: (len(s) - 2) * (len(s) - 3) * (len(s) - 4) * g(s, k),
    "a polynomial in the shape": lambda s, k, l: prod(s.shape[0] - n for n in (2, 3, 4)) * g(s, k),
    "a case": lambda s, k, l: g(s, k) if len(s) > 4 else 0,
    "a case of K": lambda s, k, l: g(s, k) if size(s) == 11 else 0,
    "an indicator of K": lambda s, k, l: I(size(s) - 11 == 0) * g(s, k),
    "a product of five classes": lambda s, k, l: sum(
        prod(exp(s[i]) for i in five) for five in combinations(range(len(s)), 5)
    ),
    "a symmetric polynomial": lambda s, k, l: fifth_symmetric_polynomial(exp(s), 0 * s[k]),
    "the fifth class": lambda s, k, l: g(s, k) if k in (4, 5, 6, 7, 8, 9, 10) else 0,
}


# The command proves every line, and CI runs it: here, daily, those that are quickly proved.
@pytest.mark.parametrize(
    "chain",
    [
        pytest.param(
            chain, id=f"{chain.task} {chain.lines[0].text}", marks=pytest.mark.slow if chain.task == "21" else ()
        )
        for chain in CHAINS
    ],
)
def test_every_line_is_proved_for_every_size(chain):
    every = {(): "all numbers", ("K",): "every K"}.get(chain.sizes, "every size")
    by = "symbols" if not chain.sizes else "merging" if chain.sizes == ("K",) and chain not in BY_SUMS else "sums"
    assert scope.proofs(chain) == [scope.Proof(every, by)] * len(chain.lines)


def test_what_can_not_be_merged_is_not_taken_for_merged():
    symbolic = Symbolic.of(JACOBIAN)
    assert every_k.merges(symbolic, symbolic.values(JACOBIAN.lines[0]))
    assert not every_k.merges(symbolic, [object()] * len(symbolic.cases))
    assert not every_k.merges(symbolic, None)


@pytest.mark.parametrize(
    "name",
    [pytest.param(x, marks=pytest.mark.slow if x == "a symmetric polynomial" else ()) for x in TRUE_FOR_FEW],
)
def test_what_is_true_for_few_classes_alone_is_false(name):
    planted = Line(name, lambda s, k, l: true_line(s, k, l) + TRUE_FOR_FEW[name](s, k, l))
    *true, false = judge(JACOBIAN._replace(lines=(*JACOBIAN.lines[:2], planted)))
    assert all(verdict.holds and verdict.proof.sizes == "every K" for verdict in true)
    assert false.proof.sizes == "K = 2, 3, 4"
    assert false.proved  # for these it is true
    assert not false.confirmed
    assert not false.holds
    assert false.said == "FALSE"


def test_what_is_true_for_all_sizes_that_are_tried_is_not_called_proved_for_every_one():
    zero_there = Line("", lambda s, k, l: true_line(s, k, l) * (1 + prod(size(s) - K for K in range(1, 12))))
    assert scope.proofs(JACOBIAN._replace(lines=(*JACOBIAN.lines, zero_there)))[-1].sizes == "K = 2, 3, 4"


def test_a_network_s_line_that_is_true_at_the_sizes_tried_alone_is_false():
    """Σ_h over (2 − H)(3 − H) is 0 for 2 and 3 hidden units."""

    def planted(x, A, B, y):
        H = A.shape[0]
        return (1 + (2 - H) * (3 - H)) * B

    *_, false = judge(task21.FACTOR_V_SIGMA._replace(lines=(*task21.FACTOR_V_SIGMA.lines, Line("", planted))))
    assert false.proved
    assert not false.holds
    assert false.proof.sizes == "networks of 2×2×2 and 2×3×2 (inputs × hidden × classes)"


@pytest.mark.parametrize(
    "refused",
    [
        lambda s, k, l: true_line(s, k, l) + 0 * sum(s_i for s_i in s),
        lambda s, k, l: true_line(s, k, l) + 0 * s[0],
        lambda s, k, l: true_line(s, k, l) * (1 if k == 0 else 3 - 2),
        lambda s, k, l: true_line(s, k, l) * (1 if k < 7 else 0),
        lambda s, k, l: true_line(s, k, l) * (1 if size(s) else 0),
        lambda s, k, l: true_line(s, k, l) + sum_over(s, lambda i: 0 * s[i] if i == k else 0),
        lambda s, k, l: true_line(s, k, l) + 0 * sum(s[i] for i in range(len(s))),
    ],
)
def test_a_line_that_needs_to_know_k_is_proved_for_those_tried(refused):
    """It may be true: but what it computes for a symbol K, if it can, says nothing of other numbers."""
    *_, proof = scope.proofs(JACOBIAN._replace(lines=(*JACOBIAN.lines, Line("", refused))))
    assert proof == scope.Proof("K = 2, 3, 4", "cases")


def test_a_line_is_proved_only_if_the_one_before_is_equal():
    few = Line("", lambda s, k, l: true_line(s, k, l) * (1 + prod(size(s) - K for K in (1, 2, 3, 4))))
    first, after_few, false = scope.proofs(
        JACOBIAN._replace(lines=(few, Line("", true_line), Line("", lambda s, k, l: 2 * true_line(s, k, l))))
    )
    assert first.sizes == "every K"  # equal to itself
    assert after_few.sizes == "K = 2, 3, 4"
    assert false.sizes == "K = 2, 3, 4"


def test_a_line_is_proved_only_if_it_is_in_every_case():
    """True where k = l, and false elsewhere; no sum over the others alone, so that it merges."""
    false = Line("", lambda s, k, l: true_line(s, k, l) + s[k] - s[l])
    symbolic = Symbolic.of(JACOBIAN)
    right, wrong = (symbolic.values(line) for line in (JACOBIAN.lines[0], false))
    assert not symbolic.proved(right, wrong)
    assert scope.proofs(JACOBIAN._replace(lines=(*JACOBIAN.lines, false)))[-1].by == "cases"


MERGING = {
    "a named logit": (lambda s, k, l: s[k], True),
    "the sum of exponentials": (lambda s, k, l: total(s), True),
    "its logarithm": (lambda s, k, l: log(total(s)), True),
    "a derivative": (lambda s, k, l: derivative(lambda s: total(s) ** 2, s)[l], True),
    "K": (lambda s, k, l: size(s) + 0 * s[k], False),
    "the sum of logits": (lambda s, k, l: sum_over(s, lambda i: s[i]), False),
    "the sum of squares": (lambda s, k, l: sum_over(s, lambda i: exp(2 * s[i])), False),
    "a sum of products": (lambda s, k, l: sum_over(s, lambda i: sum_over(s, lambda j: exp(s[i] * s[j]))), False),
    "the squares but for those named": (
        lambda s, k, l: sum_over(s, lambda i: (1 - I(i == k)) * (1 - I(i == l)) * exp(2 * s[i])),
        False,
    ),
}


@pytest.mark.parametrize("name", MERGING)
def test_what_merging_leaves_unchanged(name):
    value, unchanged = MERGING[name]
    symbolic = Symbolic.of(JACOBIAN)
    assert every_k.merges(symbolic, symbolic.values(Line(name, value))) is unchanged


def test_probabilities_are_merged_into_their_sum():
    symbolic = Symbolic.of(task19_2.LOGLOSS_GRADIENT)
    for value, unchanged in ((lambda p, i: p[i], True), (lambda p, i: log(p[i]), False)):
        line = Line("", lambda p, y, k, value=value: sum_over(p, lambda i: value(p, i)))
        assert every_k.merges(symbolic, symbolic.values(line)) is unchanged


def test_a_sum_is_written_out_with_all_of_its_terms():
    K, n = sympy.Symbol("K", integer=True, positive=True), every_k.OTHERS
    s, i = families.draw("s", K), sympy.Dummy(integer=True)
    written = every_k.written_out(Total(K * sympy.exp(s.entry(i)), sympy.Tuple(i, K)), K, 2)
    others = Total((2 + n) * sympy.exp(s.entry(i)), sympy.Tuple(i, n))
    assert symbols.is_zero(written - (2 + n) * (sympy.exp(s.entry(0)) + sympy.exp(s.entry(1))) - others)


@pytest.mark.parametrize("K", [1, 2, 3, 4])
def test_the_base_is_where_one_class_at_most_has_no_name(K):
    cases = [args for args in JACOBIAN.cases_at(symbols.draw, [K]) if every_k.is_a_base_case(args, K)]
    assert [args[1:] for args in cases] == {1: [(0, 0)], 2: [(0, 0), (0, 1)], 3: [(0, 1)], 4: []}[K]


@pytest.mark.smoke
def test_the_base_can_be_false():
    false = Line("", lambda s, k, l: true_line(s, k, l) + (total(s) - exp(s[k])) * I(k == l))  # true for K = 1 alone
    assert every_k.base_holds(JACOBIAN._replace(lines=(*JACOBIAN.lines, false))) == [True, True, False]


def test_the_cases_of_three_classes_are_all_ways_for_them_to_be_equal_or_not():
    chain = JACOBIAN._replace(
        cases=lambda draw, sizes: ((draw("s", K), *klm) for K in sizes for klm in product(classes(K), repeat=3))
    )
    found = {tuple(int(index.at) for index in args[1:]) for args in Symbolic.of(chain).cases}
    assert found == {(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (0, 1, 2)}
