"""Where somebody's own exception was raised."""

import json
import sys

import jax
import pytest

from manual_grads.checking import raised
from manual_grads.checking.verify import verify_rule
from manual_grads.rules import RULES


def caught(function, *args):
    try:
        function(*args)
    except BaseException as error:
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


class Speechless(Exception):
    def __str__(self):
        raise ValueError("no words")


def speechless(*args):
    raise Speechless


@pytest.mark.smoke
def test_an_exception_that_can_t_say_what_it_is():
    error = caught(speechless)
    error.__dict__["__notes__"] = ["said by us", 3]
    assert raised.told(error).startswith("Speechless: (no message: its __str__ raises ValueError); said by us; 3\n")
    failures = verify_rule(RULES["sigmoid_grad"]._replace(manual=speechless), thorough=False).failures
    assert "its __str__ raises ValueError" in failures[0] and "in speechless: raise Speechless" in failures[0]


@pytest.mark.parametrize("code", ["1 / 0", "1 +"])
def test_what_exec_runs_is_at_the_line_that_calls_it(code):
    def run():
        exec(code)

    assert f"{__file__}, line " in raised.place(caught(run))
    assert raised.place(caught(run)).endswith("in run: exec(code)")


def test_an_exception_that_was_never_raised_has_no_place():
    assert raised.told(ValueError("mine")) == "ValueError: mine\n  no place is known"
    assert raised.told(ValueError("mine"), "mine.py") == "ValueError: mine\n  mine.py"


def leaves(*args):
    sys.exit(0)


def gives_up(*args):
    raise GeneratorExit


def several(*args):
    raise BaseExceptionGroup("both", [GeneratorExit(), SystemExit()])


def skips(*args):
    pytest.skip("not today")


@pytest.mark.parametrize("raises", [leaves, gives_up, several, skips], ids=lambda f: f.__name__)
@pytest.mark.parametrize("part", ["manual", "forward", "example"])
def test_what_is_no_exception_of_the_usual_kind_is_told_too(part, raises):
    verdict = verify_rule(RULES["sigmoid_grad"]._replace(**{part: raises}), thorough=False)
    assert not verdict.passed
    assert all("sigmoid_grad, " in f and f"in {raises.__name__}: " in f and __file__ in f for f in verdict.failures)


def test_ctrl_c_in_a_rule_is_ctrl_c():
    def interrupted(*args):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify_rule(RULES["sigmoid_grad"]._replace(manual=interrupted))


def my_gradient(x):
    return 2 * x


@pytest.mark.parametrize(
    "part",
    [{"by": lambda f: None}, {"by": 3}, {"example": lambda: 3}, {"example": None}],
    ids=["by returns None", "by is a number", "example takes nothing", "no example"],
)
def test_what_is_raised_in_our_own_code_is_at_the_rule(part):
    failures = verify_rule(RULES["sigmoid_grad"]._replace(manual=my_gradient, **part), thorough=False).failures
    line = my_gradient.__code__.co_firstlineno
    assert failures
    assert all(f.endswith(f"\n  {__file__}, line {line}, in my_gradient: def my_gradient(x):") for f in failures)
