"""What noise shows of a kink: that there is one, its sides, and whose it is."""

import numpy as np
import pytest

from manual_grads.checking.truth.kinks import BEYOND_OWN, BEYOND_SEVERAL, COARSER, kinks, steady_sums, switches
from manual_grads.checking.truth.noise import noise_of_inputs
from manual_grads.checking.truth.spread import patterns_of_noise

NOISE = patterns_of_noise()


def found(derivative, *shapes):
    """The kinks of `derivative(*arrays)` at zeros, under noise on the arrays."""
    noise = noise_of_inputs(NOISE, [np.zeros(shape) for shape in shapes])

    def patterns(u):
        return np.stack([derivative(*(u * of_one[p] for of_one in noise)) for p in range(len(NOISE))])[None]

    return kinks(patterns(1e-14), patterns(1e-14 * COARSER), 1.0, noise)


@pytest.mark.smoke
def test_a_kink_of_its_own_has_two_sides():
    seen = found(lambda x: np.where(x > 0, 3.0, -1.0), (4,))
    assert seen.jumps.all()
    assert seen.at.all()
    np.testing.assert_array_equal(seen.low, [[-1.0] * 4])
    np.testing.assert_array_equal(seen.high, [[3.0] * 4])
    np.testing.assert_allclose(seen.beyond, BEYOND_OWN * 4)
    assert BEYOND_OWN < 0.1  # of the jump: 1.1 for the step of a relu is wrong


def test_autodiff_without_a_number_at_the_very_point_leaves_the_sides():
    centre = lambda x: (x == 0).all()  # noqa: E731
    kinked = found(lambda x: np.where(centre(x), np.nan, np.where(x > 0, 3.0, -1.0)), (4,))
    assert kinked.at.all()
    np.testing.assert_array_equal([kinked.low, kinked.high], [[[-1.0] * 4], [[3.0] * 4]])
    smooth = found(lambda x: np.where(centre(x), np.nan, 0.5), (4,))
    assert smooth.odd.all() and not smooth.at.any()


def test_a_formula_that_goes_to_another_branch_is_told_from_one_that_cancels():
    def patterns(derivative, u):
        at = np.array([derivative(u * n[0]) for n in NOISE])
        return at[None, :, None]

    def is_switch(derivative):
        return bool(switches(patterns(derivative, 1e-7), patterns(derivative, COARSER * 1e-7)).all())

    assert is_switch(lambda n: 1e4 if n == 0 else float(n > 0))
    assert is_switch(lambda n: 7.0 if n == 0 else 2.0)
    assert not is_switch(lambda n: 1 + 1e6 * n)
    assert not is_switch(lambda n: 1 + 1e-3 * n)


def test_what_is_smooth_has_none_however_steep_or_wild():
    for derivative in (lambda x: 1 + 0 * x, lambda x: 1e12 * x, np.exp, lambda x: np.cos(1e17 * x)):
        assert not found(derivative, (4,)).at.any()


def test_where_it_is_not_finite_there_is_none():
    assert not found(lambda x: np.where(x > 0, 1.0, np.nan), (4,)).at.any()


def test_kinks_of_several_entries_are_judged_by_the_widest():
    weights = np.random.default_rng(0).normal(size=(3, 4))
    seen = found(lambda x: weights.T @ np.sign(weights @ x), (4,))
    widest = (seen.high - seen.low).max()
    np.testing.assert_allclose(seen.beyond[seen.at], BEYOND_SEVERAL * widest)


def test_an_entry_that_noise_never_chooses_may_be_chosen():
    seen = found(lambda x: (np.arange(40) == x.argmax()).astype(float), (40,))
    assert not seen.jumps.all()
    assert seen.at.all()
    assert (seen.low == 0).all()
    np.testing.assert_array_equal(seen.high, seen.jumps | (np.arange(40) == 0))  # which is the one at the very point


def test_a_sum_that_does_not_jump_is_known():
    (along, _) = list(steady_sums(found(lambda x: (np.arange(4) == x.argmax()).astype(float), (4,)))) * 2
    assert along.axes == (1,)
    assert along.at.all()
    np.testing.assert_allclose(along.want, [[1.0]])
    assert not any(each.at.any() for each in steady_sums(found(lambda x: np.where(x > 0, 3.0, -1.0), (4,))))


def test_autodiff_that_is_another_at_the_very_point_is_odd():
    seen = found(lambda x: np.where(x == 0, 0.0, 0.5), (4,))
    assert seen.odd.all()
    assert not seen.at.any()
    np.testing.assert_array_equal(seen.low, seen.high)


def test_a_jump_is_seen_beside_much_larger_entries():
    large = np.array([1e3, 0, 0, 0])
    seen = found(lambda x: large + np.where(x > 0, 1e-5, 0.0), (4,))
    assert seen.jumps[0, 1:].all()
    np.testing.assert_allclose(seen.beyond[0, 1:], BEYOND_OWN * 1e-5)
