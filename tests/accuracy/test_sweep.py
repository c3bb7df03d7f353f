"""The sigmoid and its derivative, at every number of the 16-bit formats, and at 2²⁴ or all 2³² of float32."""

from concurrent.futures import ThreadPoolExecutor

import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.accuracy import sweep
from manual_grads.accuracy.promises import bound
from manual_grads.rules import RULES

NAMES = pytest.mark.parametrize("name", sweep.REFERENCES)
FLOAT32 = np.dtype("float32")


def swept(name, dtype, chunks, function=None):
    promised = bound(RULES[name], (np.float64(0),), jnp.dtype(dtype))
    return sweep.sweep(name, function or RULES[name].manual, jnp.dtype(dtype), chunks, promised)


def assert_kept(worst):
    assert worst.within, worst
    assert worst.false_zeros == 0


@NAMES
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_every_number_of_the_16_bit_formats(dtype, name):
    assert_kept(swept(name, dtype, sweep.every(jnp.dtype(dtype))))


@NAMES
def test_many_numbers_of_float32(name):
    assert_kept(swept(name, "float32", sweep.spread(FLOAT32, 2**24)))


@NAMES
@pytest.mark.slow
def test_every_number_of_float32(name):
    """All 2³² but infinities and NaN, in two threads: minutes."""
    with ThreadPoolExecutor(2) as pool:
        for worst in pool.map(lambda part: swept(name, "float32", part), sweep.parts(FLOAT32, 2)):
            assert_kept(worst)


@pytest.mark.smoke
@NAMES
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_the_reference_is_certified_by_balls(dtype, name):
    assert sweep.certify(name, jnp.dtype(dtype), count=2**13, seed=1) <= sweep.REFERENCE_ULP


def test_a_wrong_reference_is_refused(monkeypatch):
    monkeypatch.setitem(sweep.REFERENCES, "sigmoid", lambda z: sweep.sigmoid(z) * (1 + 2.0**-45))
    with pytest.raises(AssertionError, match="the reference for sigmoid is wrong by"):
        sweep.certify("sigmoid")


def test_every_number_is_there_once():
    numbers = np.concatenate(list(sweep.every(jnp.dtype("float16"))))
    assert len(numbers) == 2**16 - 2 * 2**10  # all but those with the largest exponent
    assert len(np.unique(numbers.view(np.uint16))) == len(numbers)
    assert np.isfinite(numbers).all()


def test_a_spread_has_one_number_of_each_stratum():
    numbers = np.concatenate(list(sweep.spread(FLOAT32, 2**10, seed=3)))
    strata = numbers.view(np.uint32) >> 22
    assert np.array_equal(strata, np.unique(strata))
    assert len(strata) == 2**10 - 4  # 2 · 2²³ numbers of 2³² aren't finite
    assert not np.array_equal(numbers, np.concatenate(list(sweep.spread(FLOAT32, 2**10, seed=4))))


def test_parts_are_the_whole():
    whole = np.concatenate(list(sweep.every(jnp.dtype("bfloat16"))))
    parts = np.concatenate([z for part in sweep.parts(jnp.dtype("bfloat16"), 4) for z in part])
    assert np.array_equal(whole.view(np.uint16), parts.view(np.uint16))


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("wrong", "zeros"),
    [
        (lambda z: 1 / (2 + jnp.exp(z) + jnp.exp(-z)) * (1 + 2.0**-20), False),
        (lambda z: 1 / (1 + jnp.exp(-z)) * (1 - 1 / (1 + jnp.exp(-z))), True),  # the document's last line
    ],
    ids=["8 ULP", "σ(1 − σ)"],
)
def test_a_wrong_function_is_found(wrong, zeros):
    worst = swept("sigmoid_grad", "float32", sweep.spread(FLOAT32, 2**16), wrong)
    assert worst.ulp > 5
    assert not worst.within
    assert (worst.false_zeros > 0) == zeros


def test_where_all_is_rounded_right_half_an_ulp_is_said():
    worst = swept("sigmoid", "bfloat16", sweep.every(jnp.dtype("bfloat16")))
    assert worst.ulp <= 0.5
