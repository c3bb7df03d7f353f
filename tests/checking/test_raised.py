"""Where somebody's own exception was raised."""

import json

import jax
import pytest

from manual_grads.checking import raised
from manual_grads.checking.verify import verify_rule
from manual_grads.rules import RULES


def caught(function, *args):
    try:
        function(*args)
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_the_innermost_place_that_is_no_library_s():
    error = caught(lambda: json.loads(""))
    assert raised.place(error).endswith('in <lambda>: error = caught(lambda: json.loads(""))')
    assert __file__ in raised.place(error)


@pytest.mark.smoke
def test_what_jax_says_of_its_frames_is_left_out():
    error = caught(jax.jit(lambda x: {}["no"]), 1.0)
    error.add_note("said by us")
    assert raised.told(error).startswith("KeyError: 'no'; said by us\n")


def broken(*args):
    raise ValueError("broken")


def test_whatever_a_rule_raises_has_its_place():
    rule = RULES["sigmoid_grad"]
    for part in ({"manual": broken}, {"forward": broken}, {"example": broken}):
        failures = verify_rule(rule._replace(**part), thorough=False).failures
        assert failures
        assert all("ValueError: broken" in failure for failure in failures)
        assert all('in broken: raise ValueError("broken")' in failure for failure in failures), part
