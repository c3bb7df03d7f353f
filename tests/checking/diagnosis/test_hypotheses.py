"""Each hypothesis on numbers that it is about, without a function to compile."""

import numpy as np
import pytest

from manual_grads.checking.diagnosis.evidence import Evidence
from manual_grads.checking.diagnosis.hypotheses import of_values

RANDOM = np.random.default_rng(5)
N, K = 40, 4
X, C = RANDOM.normal(size=(2, N, K))
LABELS = RANDOM.integers(K, size=N)
HOT = (LABELS[:, None] == np.arange(K)).astype(float)
SOFTMAX = np.exp(X) / np.exp(X).sum(-1, keepdims=True)
JACOBIAN = RANDOM.normal(size=(N, K, K))


def best(got, want, inputs=(("[0]", X), ("[1]", C), ("[2]", LABELS)), others=()):
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
    )
    found = of_values([evidence], 0)
    return (found[0].name, found[0].text) if found else ("unexplained", "")


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
