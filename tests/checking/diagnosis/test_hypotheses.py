"""Each hypothesis on numbers that it is about, without a function to compile."""

import numpy as np
import pytest

from manual_grads.checking.diagnosis.evidence import Counterfactual, Evidence, WrongSum
from manual_grads.checking.diagnosis.hypotheses import of_values

RANDOM = np.random.default_rng(5)
N, K = 40, 4
X, C = RANDOM.normal(size=(2, N, K))
LABELS = RANDOM.integers(K, size=N)
HOT = (LABELS[:, None] == np.arange(K)).astype(float)
SOFTMAX = np.exp(X) / np.exp(X).sum(-1, keepdims=True)
JACOBIAN = RANDOM.normal(size=(N, K, K))


def explanations(got, want, inputs=(("[0]", X), ("[1]", C), ("[2]", LABELS)), others=(), **fields):
    allowance = np.full(want.shape, 1e-12)
    evidence = Evidence(
        where="",
        got=got,
        want=want,
        decided=np.ones(want.shape, bool),
        allowance=allowance,
        ratio=np.nan_to_num(np.abs(got - want) / allowance, nan=np.inf),
        points=["drawn"] * N,
        inputs=list(inputs),
        value=[],
        others=list(others),
        **fields,
    )
    return [(h.name, h.text) for h in of_values([evidence], 0)] or [("unexplained", "")]


def best(*args, **fields):
    return explanations(*args, **fields)[0]


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("got", "want", "name", "said"),
    [
        (-C, C, "sign", "multiplying by -1"),
        (C / K, C, "constant factor", f"1/N (N = {K}, axis 0"),
        (1.5 * C, C, "constant factor", "1.5"),
        (C[:, ::-1], C, "permuted", "[3, 2, 1, 0]"),
        (np.swapaxes(JACOBIAN, 1, 2), JACOBIAN, "transposed", "axes 0 and 1"),
        (JACOBIAN * np.eye(K), JACOBIAN, "diagonal only", "zero"),
        (JACOBIAN * (1 - np.eye(K)), JACOBIAN, "off-diagonal only", "zero"),
        (SOFTMAX, SOFTMAX - HOT, "missing term", "-1 × the one-hot of args[2]"),
        (SOFTMAX - np.roll(HOT, 1, 1), SOFTMAX - HOT, "missing term", "one-hot of args[2]"),
        (C, C - C.mean(-1, keepdims=True), "missing term", "the mean of args[1] over axis 0"),
        (X * C, X * C - X**2 + 3 * np.tanh(X), "missing term", "3 × tanh args[0]"),
        (C, C * SOFTMAX, "missing factor", "multiplying by softmax(args[0])"),
        (C, C / X, "missing factor", "dividing by args[0]"),
        (np.cumsum(C, 1), np.cumsum(C[:, ::-1], 1)[:, ::-1], "mistaken", "should be the reversed cumulative"),
        (np.where(np.arange(K) == 2, 1.1, 1) * C, C, "one place", "only index 2 of axis 0"),
        (np.where(X < 0, 1.1, 1) * C, C, "negative inputs", "only where args[0] is negative"),
        (np.where(np.abs(X) > 1, 0, C), C, "tails", "wrong from 1.0"),
        (np.clip(C, -0.5, 0.5), C, "clipped", "±0.5"),
        (np.where(X > np.roll(X, 1, 1), 0, C), C, "zero", "zero where it should not be"),
        (C, np.where(X > np.roll(X, 1, 1), 0, C), "not zero", "not zero where it should be"),
        (C.astype(np.float32).astype(float), C, "rounded", "float32"),
        (np.where(np.arange(N)[:, None] == 7, np.nan, C), C, "not finite", "nan where the truth is"),
    ],
)
def test_the_best_explanation(got, want, name, said):
    found = best(got, want)
    assert found[0] == name, found
    assert said in found[1]


def test_another_result_s_truth():
    assert best(C, X, inputs=(), others=[("what result[1] should be", C)]) == (
        "swapped",
        "this is what result[1] should be",
    )


def test_what_nothing_explains_is_not_explained():
    assert best(C + 1e-3 * RANDOM.normal(size=C.shape), C)[0] == "unexplained"


@pytest.mark.parametrize(
    ("got", "want", "name", "said"),
    [
        (C * X, C * (X + np.tanh(X)), "missing term", "adding args[1] × tanh args[0]"),
        (
            C * X,
            C * X - X * (C * X).sum(-1, keepdims=True),
            "missing term",
            "the sum of (args[1] × args[0]) over axis 0",
        ),
        (
            C.sum(-1),
            (C * X).sum(-1),
            "mistaken",
            "the sum of args[1] over axis 0; it should be the sum of (args[1] × args[0]) over axis 0",
        ),
        (X * (C - C.sum(-1, keepdims=True)), X * (C - C.mean(-1, keepdims=True)), "sum for mean", "1/4 = 0.25"),
        (C * C, C * np.tanh(X), "mistaken", "it should be args[1] × tanh args[0]"),
    ],
)
def test_products_with_a_cotangent(got, want, name, said):
    found = best(got, want, inputs=[("[0]", X), ("[1]", C)], directions=("[1]",))
    assert found[0] == name, found
    assert said in found[1]


def test_sums_along_another_axis():
    square = RANDOM.normal(size=(N, K, K))
    fields = {"inputs": [("[0]", square)], "directions": ("[0]",)}
    assert best(square.sum(2), square.sum(1), **fields)[0] == "wrong axis"
    assert (
        best(square - square.mean(1, keepdims=True), square - square.mean(2, keepdims=True), **fields)[0]
        == "wrong axis"
    )


def test_what_the_forward_computes_is_a_part():
    rms = np.sqrt((X * X).mean(-1, keepdims=True) + 0.1)
    term = X * (C * X).mean(-1, keepdims=True) / rms**3
    within = (("what sqrt gives in line 3 of norms.py", rms), ("what div gives in line 3 of norms.py", X / rms))
    fields = {"inputs": [("[0]", X), ("[1]", C)], "directions": ("[1]",), "within": within}
    name, text = best(C / rms, C / rms - term, **fields)
    assert name == "missing term"
    assert "1 over what sqrt gives in line 3 of norms.py" in text
    assert best(C / rms - K * term, C / rms - term, **fields)[0] == "sum for mean"
    backward = (("the gradient at what div gives in line 3 of norms.py", 1 / (1 + C**2)),)
    name, text = best(C * X, X / (1 + C**2), **fields, backward=backward)
    assert text.startswith("the result is args[0] × args[1]; it should be the gradient at what div gives in line 3")


def test_another_argument_s_truth():
    other = Counterfactual("ignored cotangent", "the cotangent args[1] is ignored", X)
    assert best(X, X * C, counterfactuals=(other,)) == ("ignored cotangent", "the cotangent args[1] is ignored")
    assert best(X + 0.1 * np.sin(C), X * C, counterfactuals=(other,))[0] != "ignored cotangent"


INDICES = np.stack([RANDOM.permutation(6)[:K] if n % 2 else RANDOM.integers(6, size=K) for n in range(N)])
TIMES = (INDICES[:, :, None] == np.arange(6)).sum(1)


def test_repeated_indices():
    want = TIMES * RANDOM.uniform(1, 2, size=(N, 6))
    name, text = best(np.where(TIMES > 1, want / 2, want), want, inputs=[("[0]", INDICES)])
    assert name == "duplicate indices"
    assert "entries that args[0] names repeatedly" in text
    rows = (TIMES > 1).any(1)
    name, text = best(np.where(rows[:, None], C + np.sin(X), C), C, inputs=[("[0]", INDICES)])
    assert name == "duplicate indices"
    assert "points where an index in args[0] is repeated" in text
    assert best(np.where(TIMES == 1, 1.1 * want, want), want, inputs=[("[0]", INDICES)])[0] != "duplicate indices"


def test_a_mask_that_is_off_by_one():
    places = np.arange(K)
    shorter = np.where(places < LABELS[:, None], C, 0)
    longer = np.where(places <= LABELS[:, None], C, 0)
    assert best(shorter, longer)[0] == best(longer, shorter)[0] == "off by one"
    assert "the entry at args[2] is wrong, zero where it should not be" in best(shorter, longer)[1]


def test_one_number_of_an_argument():
    zeroed = np.where(np.abs(X) < 0.3, 0, X)
    inputs = [("[0]", zeroed)]
    name, text = best(np.where(zeroed == 0, 5, C), C, inputs=inputs)
    assert name == "special value"
    assert "exactly 0: got 5" in text
    assert best(np.where(np.abs(X) < 0.3, 5, C), C)[0] != "special value"


def test_at_kinks_no_formula_is_looked_for():
    kinks = np.abs(X) < 0.3
    found = explanations(np.where(kinks, 5, C), C, kinks=kinks)
    assert [name for name, _ in found] == ["at a kink"]
    assert "5 where the nearest that is right is" in found[0][1]
    ties = (WrongSum((0,), 3, 3.0, 1.0),)
    found = explanations(np.where(kinks, 1, C), C, kinks=kinks, sums=ties)
    assert [name for name, _ in found] == ["at a tie"]
    assert "the entries along axis 0 sum to 3 where they have to sum to 1" in found[0][1]
    assert explanations(1.5 * C, C, kinks=kinks)[0][0] == "constant factor"


def test_what_is_everywhere_comes_before_infinity_somewhere():
    at_one_point = np.arange(N)[:, None] == 7
    found = explanations(np.where(at_one_point, np.nan, 2 * C), C)
    assert [name for name, _ in found][:2] == ["constant factor", "mistaken"]
    assert "not finite" in [name for name, _ in found]
    found = explanations(np.where(at_one_point, np.nan, np.where(np.arange(N)[:, None] == 8, 2 * C, C)), C)
    assert found[0][0] == "not finite"


def test_nothing_vacuous():
    """What is nearly right already isn't explained by what changes next to nothing."""
    for got in (C * (1 + 5e-12 * np.sign(X)), np.where(np.arange(N)[:, None] == 3, C + 0.1, C)):
        for name, text in explanations(got, C, inputs=[("[0]", X[:, :1]), ("[1]", C)]):
            assert name in ("unexplained", "special points", "missing term"), text
            assert "multiplying by 1 " not in text
            assert "axis 0 of args[0]" not in text
    # A number is always printed beside its name.
    assert best((K - 1) / K * C, C)[1].startswith("a constant factor 0.75, perhaps (N−1)/N (N = 4")
