"""Where the wrong line is: in a rule, a kernel, a method, another file, a notebook; and where none can be named."""

import linecache
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import pallas as pl

from manual_grads.checking import GradientMismatch, check_gradient, check_rule
from manual_grads.checking.diagnosis.repair import repairs
from tests.checking.repair.mistakes import planted
from tests.checking.repair.passes.attention import softmax_vjp

X = np.array([0.3, -1.2, 2.0], np.float32)
C = np.array([1.1, 0.4, -0.7], np.float32)
QUICK = {"thorough": False, "dtypes": ["float64"]}


def tanh(x, c):
    return (c * jnp.tanh(x)).sum()


def rejection(*args, check=check_gradient, **options):
    with pytest.raises(GradientMismatch) as caught:
        check(*args, **QUICK | options)
    return caught.value


def first_of(error):
    """The first repair, which is to be of the line that says so."""
    assert error.repairs, str(error)
    repair = error.repairs[0]
    assert repair.file == __file__
    assert repair.code.endswith("# wrong"), error.repairs
    assert repair.code == linecache.getline(__file__, repair.line).strip()
    return repair


@pytest.mark.smoke
def test_a_lambda():
    error = rejection(tanh, lambda x, c: c * (1 - jnp.tanh(x)), (X, C))
    assert error.repairs[0].change == "`jnp.tanh(x)` should be `jnp.tanh(x) ** 2`"


class Cube:
    power = 3

    def gradient(self, x, c):
        def nested(z):
            return self.power * c * z**3  # wrong

        return jax.jit(nested)(x)


def test_a_nested_function_of_a_method_inside_jit():
    error = rejection(lambda x, c: (c * x**3).sum(), Cube().gradient, (X, C))
    assert first_of(error).change == "`z ** 3` should be `z ** 2`"


def test_a_function_of_another_file_is_called_with_the_wrong_value():
    def gradient(s, c):
        p = jax.nn.softmax(s)
        return p * 0 + softmax_vjp(s, c)  # wrong

    error = rejection(lambda s, c: (c * jax.nn.softmax(s)).sum(), gradient, (X, C))
    assert first_of(error).change == "`softmax_vjp(s, c)` should be `softmax_vjp(p, c)`"


def test_vmap():
    def one(x, c):
        t = jnp.tanh(x)
        return c * (1 + t**2)  # wrong

    error = rejection(tanh, jax.vmap(one), (X, C))
    assert first_of(error).change == "`1 + t ** 2` should be `1 - t ** 2`"


def test_a_kernel():
    def kernel(x, c, out):
        t = jnp.tanh(x[...])
        out[...] = c[...] * (1 + t**2)  # wrong

    def gradient(x, c):
        return pl.pallas_call(kernel, out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype), interpret=True)(x, c)

    assert first_of(rejection(tanh, gradient, (X, C))).change == "`1 + t ** 2` should be `1 - t ** 2`"


def softmax_forwards(x):
    p = jax.nn.softmax(x)
    return p, p


def softmax_backwards(p, c):
    return (p * (c - c.sum()),)  # wrong


def test_the_backward_function_of_a_custom_vjp():
    softmax = jax.custom_vjp(lambda x: jax.nn.softmax(x))
    softmax.defvjp(softmax_forwards, softmax_backwards)
    error = rejection(softmax, (X,), check=check_rule)
    assert first_of(error).change in ("`c.sum()` should be `(c * p).sum()`", "`c.sum()` should be `(p * c).sum()`")


def test_a_cotangent_that_is_forgotten():
    cube = jax.custom_vjp(lambda x: x**3)
    cube.defvjp(lambda x: (x**3, x), lambda x, cotangent: (3 * x**2,))
    error = rejection(cube, (X,), check=check_rule)
    assert "cotangent" in error.repairs[0].change


@jax.custom_jvp
def cube(x):
    return (x**3).sum()


@cube.defjvp
def cube_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    slope = 2 * x**2  # wrong
    return cube(x), (slope * dx).sum()


def test_the_rule_of_a_custom_jvp():
    assert first_of(rejection(cube, (X,), check=check_rule)).change == "`2 * x ** 2` should be `3 * x ** 2`"


def test_two_lines_that_are_both_wrong():
    def gradients(x, y):
        dx = -2 * x * y  # wrong
        dy = x**2 + 1
        return dx, dy + 1

    error = rejection(lambda x, y: (x**2 * y + y).sum(), gradients, (X, C), lambda f: jax.grad(f, (0, 1)))
    assert len(error.repairs) == 2
    first = min(error.repairs, key=lambda repair: repair.line)
    assert re.search(r"2 \* x.*` should be .*, together with line \d+$", first.change)


@pytest.mark.slow
def test_a_cell_of_a_notebook():
    mistake = planted("losses", "Kullback–Leibler", 2)
    error = rejection(*mistake.entry)
    assert error.repairs[0].code == "db = p - q"


def test_without_its_source_the_line_is_named():
    scope = {"jnp": jnp}
    exec(compile("def gradient(x, c):\n    return -c * (1 - jnp.tanh(x)**2)", "<gone>", "exec"), scope)
    repair = rejection(tanh, scope["gradient"], (X, C)).repairs[0]
    assert (repair.file, repair.line, repair.code) == ("<gone>", 2, "")
    assert "should be" in repair.change


def test_the_text_has_a_section_above_the_diagnosis():
    def gradient(x, c):
        return c * (1 + jnp.tanh(x) ** 2)  # wrong

    error = rejection(tanh, gradient, (X, C))
    repair = first_of(error)
    text = str(error)
    lines = text[: text.index("\ndiagnosis:")].splitlines()
    at = next(i for i, line in enumerate(lines) if f"test_kinds.py:{repair.line}   {repair.code}" in line)
    assert lines[at + 1].startswith("  `1 + jnp.tanh(x) ** 2` should be `1 - jnp.tanh(x) ** 2`: then all ")
    assert " points hold (within what rounding may do)" in " ".join(line.strip() for line in lines[at + 1 : at + 3])
    assert max(len(line) for line in lines[at:]) <= 100


def test_in_numpy_there_is_none_and_a_reason():
    error = rejection(tanh, lambda x, c: np.asarray(c) * (1 + np.tanh(np.asarray(x)) ** 2), (X, C))
    assert error.repairs == []
    assert "no repair was looked for: the gradient is written in NumPy" in str(error)


@pytest.mark.parametrize("check", [check_gradient, check_rule])
def test_none_is_looked_for_in_no_seconds(check):
    args = (cube, (X,)) if check is check_rule else (tanh, lambda x, c: c + x, (X, C))
    assert rejection(*args, check=check, repair_seconds=0).repairs == []


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_seconds_that_are_none(seconds):
    with pytest.raises(ValueError, match=r"repair_seconds is .*, expected a number of seconds"):
        check_gradient(tanh, lambda x, c: c, (X, C), repair_seconds=seconds)


def test_what_no_edit_mends_has_none():
    def gradient(x, c):
        return jnp.sin(5 * x) + c**2 + jnp.exp(-(x**2))

    assert rejection(tanh, gradient, (X, C), repair_seconds=3).repairs == []


def test_a_gradient_that_is_right_is_not_searched(monkeypatch):
    monkeypatch.setattr("manual_grads.checking.mismatch.repairs_of", None)
    assert check_gradient(tanh, lambda x, c: c * (1 - jnp.tanh(x) ** 2), (X, C), **QUICK).passed


def tripled(x):
    return 3 * x


def test_a_search_that_fails_leaves_the_rest_of_the_report(monkeypatch):
    def fails(*_):
        raise TypeError("what nobody thought of")

    monkeypatch.setattr(repairs, "_searched", fails)
    rejected = rejection(lambda x: (x**2).sum(), tripled, (X,))
    assert rejected.repairs == []
    assert "the search ended with TypeError: what nobody thought of" in " ".join(str(rejected).split())
    assert rejected.diagnosis[0].name == "constant factor"


def test_arrays_that_are_too_large_are_not_searched(monkeypatch):
    monkeypatch.setattr(repairs, "MAX_ENTRIES", 10)
    rejected = rejection(lambda x: (x**2).sum(), tripled, (X,))
    assert "no repair was looked for: the gradient's arrays are too large" in " ".join(str(rejected).split())
