"""What is drawn for an argument whose domain is given; and what is said of a domain that can't be."""

import jax
import numpy as np
import pytest

from manual_grads.checking import GradientMismatch, check_gradient
from manual_grads.checking.trials.domains import laws

MATRIX, ROWS = np.eye(3), np.full((2, 4), 0.25)


def drawn(given, example, count=50):
    random = np.random.default_rng(0)
    (law,) = laws({"[0]": given}, ("[0]",), [example])
    assert law is not None
    return np.stack([law(random) for _ in range(count)])


@pytest.mark.smoke
def test_each_domain_is_kept():
    assert (drawn("positive", ROWS) > 0).all()
    np.testing.assert_allclose(drawn("probabilities", ROWS).sum(-1), 1)
    assert (drawn("probabilities", np.array(0.5)) < 1).all()
    between = drawn((-1, 3), ROWS)
    assert (between > -1).all()
    assert (between < 3).all()
    assert between.min() < -0.9
    assert between.max() > 2.9
    symmetric = drawn("symmetric", MATRIX)
    np.testing.assert_array_equal(symmetric, np.swapaxes(symmetric, -1, -2))
    assert (np.linalg.eigvalsh(drawn("positive definite", MATRIX)) > 0).all()
    assert (np.linalg.eigvalsh(symmetric) < 0).any()
    conditions = np.linalg.cond(drawn("positive definite", MATRIX))
    assert np.median(conditions) > 5  # no multiples of the identity
    assert conditions.max() < 1e6
    np.testing.assert_array_equal(drawn(lambda key: 7 * MATRIX, MATRIX), np.stack([7 * MATRIX] * 50))


def test_every_scale_is_drawn():
    sizes = np.abs(drawn("positive", np.ones(20))).mean(1)
    assert sizes.min() < 0.02
    assert sizes.max() > 3


@pytest.mark.parametrize(
    ("domain", "said"),
    [
        ({"[1]": "positive"}, r"domain has '\[1\]', expected some of '\[0\]'"),
        ({"[0]": "posit"}, "is 'posit', expected one of 'positive'"),
        ({"[0]": (2, 1)}, r"is \(2, 1\), expected \(low, high\) with low < high"),
        ({"[0]": "symmetric"}, r"args\[0\] has shape \(2, 4\): expected square matrices"),
        ({"args[0]": lambda key: np.ones(3)}, r"drew an array of shape \(3,\), expected the example's \(2, 4\)"),
    ],
)
def test_a_domain_that_can_not_be(domain, said):
    with pytest.raises(ValueError, match=said):
        check_gradient(lambda x: (x**2).sum(), lambda x: 2 * x, (ROWS,), domain=domain)


def test_what_is_wrong_only_outside_of_it():
    def manual(x):
        return 2 * abs(x)

    arguments = (lambda x: (x**2).sum(), manual, (np.float32(0.7),))
    with pytest.raises(GradientMismatch) as caught:
        check_gradient(*arguments, thorough=False)
    assert "wrong only where args[0] has negative entries" in str(caught.value)
    assert "domain={'[0]': 'positive'}" in str(caught.value)
    report = check_gradient(*arguments, thorough=False, domain={"[0]": "positive"})
    assert "tried: args[0] from 0.0" in str(report)
    # What is no number there isn't counted as outside of its domain.
    report = check_gradient(jax.numpy.log, lambda x: 1 / x, (np.float32(0.7),), thorough=False)
    assert report.skipped < 0.1 * report.points
