"""Results that are wrong by a factor, in a format so coarse that each alone may be so by rounding."""

import numpy as np
import pytest

from manual_grads.checking.judging.average import MIN_POINTS, wrong_on_average
from manual_grads.checking.trials.calls import Outcome
from tests.checking.records import expected_of, leaf_of

WANT = np.random.default_rng(0).normal(size=(30, 4))


def said(got, allowance=0.2, safety=8.0, **fields):
    points = np.arange(len(got))
    leaf = leaf_of(WANT[: len(got)], allowance=np.full((len(got), 4), allowance), **fields)
    return wrong_on_average(Outcome("jit of vmap", "call", points, [got]), expected_of(leaf), "bfloat16", safety)


@pytest.mark.smoke
@pytest.mark.parametrize("factor", [0.9, 1.05, 1.1, 1.5, -1.0])
def test_a_factor_is_seen(factor):
    complaint = said(factor * WANT)
    assert complaint is not None
    assert complaint.kind == "wrong factor"
    assert f"the entries are {factor:.3g} times what they should be" in complaint.text


def test_rounding_is_not():
    noise = np.random.default_rng(1).normal(size=WANT.shape)
    assert said(WANT + 0.2 / 8 * noise) is None
    assert said(1.02 * WANT) is None
    assert said(1.1 * WANT, allowance=5.0) is None  # in an allowance as large it may be rounding
    assert said(1.1 * WANT, safety=64.0, allowance=0.8) is not None


def test_what_is_not_judged_has_no_say():
    off = np.where(np.arange(30)[:, None] < 20, 2.0, 1.0) * WANT
    assert said(off) is not None
    assert said(off, decided=np.broadcast_to(np.arange(30)[:, None] >= 20, WANT.shape)) is None
    assert said(off, low=np.where(np.arange(30)[:, None] < 20, -9.0, WANT)) is None  # a kink
    assert said(off, also=np.where(np.arange(30)[:, None] < 20, off, np.nan)) is None
    assert said(1.1 * WANT[: MIN_POINTS - 1]) is None
