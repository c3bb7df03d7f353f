"""Rows of docs/edge-contract.md: logits, the directions of their derivatives, and z."""

import jax
import numpy as np
import pytest

from tests.edge_contract.functions import everything, loss, sigmoid

INF, NAN, LN2 = np.inf, np.nan, np.log(2)
T, C = [1.0, 4.0, 3.0], 2.0
MASKED = [0.0, -INF, 0.0]
G = np.array([0.5, 0, 0.5])  # its softmax
J = np.array([[1, 0, -1], [0, 0, 0], [-1, 0, 1]]) / 4
JT = np.array([-0.5, 0, 0.5])  # J·T


@pytest.mark.smoke
def test_masked_class(check):
    gradients = np.array([[-0.5, 0, 0.5], [0.5, 0, -0.5]])
    check(
        everything,
        *([MASKED] * 2, [0, 2], [T] * 2, [C] * 2),
        **{"softmax": G, "log_softmax": [-LN2, -INF, -LN2], "jacobian": J, "product": JT},
        **{"loss": LN2, "grad": gradients, "loss_jvp": [1, -1], "loss_vjp": C * gradients, "hessian": J, "hvp": JT},
    )


def test_masked_label(check):
    check(
        everything,
        *([MASKED, [-INF, 0.0, -INF]], [1, 2], [T] * 2, [C] * 2),
        **{"loss": INF, "grad": [[0.5, -1, 0.5], [0, 1, -1]], "loss_jvp": [-2, 1]},
        **{"loss_vjp": [[1, -2, 1], [0, 2, -2]], "hessian": [J, 0 * J], "hvp": [JT, 0 * JT]},
    )


NAMES = ["softmax", "log_softmax", "jacobian", "product", "loss", "grad", "loss_jvp", "loss_vjp", "hessian", "hvp"]
NONSENSE = [[-INF] * 3, [NAN, 0.0, 1.0], [0.0, -INF, NAN], [INF, 0.0, 1.0], [INF, INF, -INF], [NAN, INF, 0.0]]


def all_nan(check, rows):
    labels = [row % 3 for row in range(len(rows))]
    check(everything, rows, labels, [[0.0] * 3] * len(rows), [0.0] * len(rows), **dict.fromkeys(NAMES, NAN))


def test_all_masked(check):
    all_nan(check, [[-INF] * 3] * 3)


def test_nan_or_infinite_logit(check):
    all_nan(check, NONSENSE[1:])


@pytest.mark.parametrize("way", ["vmap", "batch"])
def test_other_examples(results, check):
    """Not to the last bit: on a CPU, the faster of two exponentials is chosen for a whole float32 array."""
    clean = np.array([[0.0, 1.0, 2.0], [3.0, -1.0, 0.0]] * 4)
    mixed = clean.copy()
    mixed[2:] = NONSENSE
    rest = ([2, 0] * 4, [T] * 8, [C] * 8)
    wanted = results(everything, clean, *rest)
    for name, want in wanted.items():
        for leaf in jax.tree.leaves(want):
            check(everything, mixed, *rest, **{name: np.concatenate([leaf[:2], np.full_like(leaf[2:], NAN)])})


def test_largest_finite_logits(check, largest):
    check(
        everything,
        *([[largest, -largest, 0], [largest, largest, -largest]], [2, 2], [T] * 2, [C] * 2),
        **{"softmax": [[1, 0, 0], [0.5, 0.5, 0]], "log_softmax": [[0, -INF, -largest], [-LN2, -LN2, -INF]]},
        **{"jacobian": [np.zeros((3, 3)), [[0.25, -0.25, 0], [-0.25, 0.25, 0], [0, 0, 0]]]},
        **{"product": [[0, 0, 0], [-0.75, 0.75, 0]], "loss": [largest, INF], "grad": [[1, 0, -1], [0.5, 0.5, -1]]},
        **{"loss_jvp": [-2, -0.5], "loss_vjp": [[2, 0, -2], [1, 1, -2]], "hvp": [[0, 0, 0], [-0.75, 0.75, 0]]},
    )


def test_overflow_of_a_weighted_logarithm(check, largest, dtype):
    """The loss is 0.75 of the largest number, but in it ln g = −2 · largest, which only a wider dtype can hold."""
    wanted = 0.75 * largest if dtype == "float16" else INF
    check(loss, [[largest, -largest, 0]], [[0.5, 0.25, 0.25]], [T], [C], loss=wanted, grad=[0.5, -0.25, -0.25])


def test_one_class(check, largest):
    exact = {"softmax": 1} | dict.fromkeys(NAMES[1:], 0)
    check(everything, [[3.0], [largest], [-largest]], [0] * 3, [[5.0]] * 3, [C] * 3, **exact)


def test_ties(check):
    """Nobody sees that the maximum is taken: autodiff of max shares the gradient among equal logits."""
    s = np.array([[2.0, 2, 2], [1, 1, 0]])
    g = np.exp(s) / np.exp(s).sum(-1, keepdims=True)
    jacobian = g[:, :, None] * (np.eye(3) - g[:, None, :])
    y = np.eye(3)[[0, 1]]
    check(
        everything,
        *(s, [0, 1], [T] * 2, [C] * 2),
        **{"softmax": g, "log_softmax": np.log(g), "jacobian": jacobian, "product": jacobian @ T},
        **{"loss": -np.log([g[0, 0], g[1, 1]]), "grad": g - y, "hvp": jacobian @ T},
    )


def test_zero_direction(check):
    """Also where the loss is infinite."""
    zeros = dict.fromkeys(["product", "loss_jvp", "loss_vjp", "hvp"], 0)
    check(everything, [MASKED, [20.0, 0.0, -INF]], [1, 2], [[0.0] * 3] * 2, [0.0] * 2, **zeros)


def test_direction_at_masked_class(check, largest):
    """Whatever finite number it is, J·T and the slope of the loss stay as they are."""
    t = [[1.0, masked, 3.0] for masked in (0, -1e4, largest / 4)]
    check(everything, [MASKED] * 3, [0] * 3, t, [C] * 3, product=JT, loss_jvp=1, hvp=JT)


def test_nan_direction(check):
    nans = dict.fromkeys(["product", "loss_jvp", "loss_vjp", "hvp"], NAN)
    check(everything, [MASKED, [-INF, 0.0, 0.0]], [0, 1], [[NAN, 1.0, 1.0]] * 2, [NAN] * 2, **nans)


def test_infinite_direction(check, results):
    """As the formulas multiply: nothing finite comes of it, and 0·∞ is NaN."""
    columns = ([MASKED] * 3, [0] * 3, [[INF, 1.0, 1.0], [1.0, -INF, 1.0], [1.0, 1.0, -INF]], [INF] * 3)
    check(everything, *columns, loss_vjp=[-INF, NAN, INF])
    got = results(everything, *columns)
    assert not np.isfinite([*got["product"], *got["hvp"]]).any()
    assert not np.isfinite(got["loss_jvp"]).any()


def test_large_direction(check, largest):
    q = largest / 4
    t = [[q, -q, -q]] * 2
    check(
        everything,
        *([MASKED, [largest, -largest, 0]], [0, 2], t, [q] * 2),
        **{"product": [[q / 2, 0, -q / 2], [0, 0, 0]], "hvp": [[q / 2, 0, -q / 2], [0, 0, 0]]},
        **{"loss_jvp": [-q, 2 * q], "loss_vjp": [[-q / 2, 0, q / 2], [q, 0, -q]]},
    )
    # Of many classes the sum would overflow, and the mean doesn't.
    classes = 17
    q = largest / 4
    t = np.where(np.arange(classes) <= classes // 2, q, -q)
    product = (t - q / classes) / classes
    check(
        everything,
        *([[0.0] * classes], [classes - 1], [t.tolist()], [1.0]),
        **{"product": [product], "hvp": [product], "loss_jvp": q / classes + q},
    )


def test_sigmoid_at_the_ends(check, largest):
    derivative = np.array([0, 0, NAN, 0, 0, 0.25])
    jacobian = np.where(np.eye(6, dtype=bool), derivative, 0)
    z = [[INF, -INF, NAN, largest, -largest, 0.0]]
    check(sigmoid, z, sigmoid=[1, 0, NAN, 1, 0, 0.5], grad=derivative, jacobian=jacobian)
