"""`check_gradient` itself: what it takes, what it says, and what it leaves alone."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking import GradientMismatch, check_gradient
from manual_grads.checking.compiling import compiled
from manual_grads.checking.trials import calls
from tests.checking.corpus import functions as f
from tests.checking.corpus.right import sinc_grad, trapped_sinc

check_quickly = partial(check_gradient, thorough=False)


def test_the_first_format_and_the_example_s_own_are_compiled_as_a_user_s(monkeypatch):
    as_run = {}

    def recorded(f, format_name, *, optimised=True, at_once=None):
        as_run[format_name] = optimised
        return compiled(f, format_name, optimised=optimised, at_once=at_once)

    monkeypatch.setattr(calls, "compiled", recorded)
    check_quickly(f.sigmoid, f.sigmoid_grad, (f.Z,), dtypes=["float16", "bfloat16", "float32", "float64"])
    assert as_run == {"float16": True, "bfloat16": False, "float32": True, "float64": False}


def doubled(z):
    return 2 * f.sigmoid_grad(z)


@pytest.mark.smoke
def test_a_report_is_a_table_of_every_check():
    report = check_gradient(f.sigmoid, f.sigmoid_grad, (f.Z,))
    checks = {(row.dtype, row.check) for row in report.rows}
    for check in (
        "jit of vmap",
        "eager",
        "jit",
        "vmap of jit",
        "scan",
        "checkpoint",
        "donated inputs",
        "leaked tracers",
    ):
        assert ("float32", check) in checks
    for oracle in ("reverse", "forward", "differences"):
        assert ("float64", f"against {oracle}") in checks
    assert report.passed
    lines = str(report).splitlines()
    assert lines[0] == "sigmoid_grad == grad(sigmoid): passed"
    assert max(map(len, lines)) <= 100
    assert any("float32" in line and "scan" in line for line in lines)


def test_a_rejection_says_where_and_runs_again_when_pasted():
    with pytest.raises(GradientMismatch) as caught:
        check_quickly(f.sigmoid, doubled, (f.Z,))
    text = str(caught.value)
    for part in ("failing check: jit of vmap, float64", "got ", "want ", "ULP", "0x1.", "seed 0", "multiplying by 0.5"):
        assert part in text
    assert caught.value.diagnosis[0].name == "constant factor"
    (line,) = (line for line in text.splitlines() if line.strip().startswith("import "))
    with pytest.raises(GradientMismatch):
        exec(line.strip(), {})


class Line(NamedTuple):
    slope: np.ndarray
    offset: np.float32


def energy_of_line(line):
    return (line.slope**2).sum() * line.offset


def test_named_tuples_are_arguments_and_run_again_too():
    with pytest.raises(GradientMismatch) as caught:
        check_quickly(
            energy_of_line,
            lambda line: Line(line.slope, line.offset),
            Line(f.VECTOR, np.float32(2)),
            dtypes=["float32"],
        )
    text = str(caught.value)
    (line,) = (line for line in text.splitlines() if line.strip().startswith("import "))
    with pytest.raises(GradientMismatch):
        exec(line.strip(), {"manual": lambda line: Line(line.slope, line.offset)})


@pytest.mark.smoke
@pytest.mark.parametrize("dtypes", [[], "float33", ["int32"]])
def test_dtypes_that_are_none(dtypes):
    with pytest.raises((TypeError, ValueError), match=r"dtypes .*expected some of float16, bfloat16"):
        check_quickly(f.sigmoid, f.sigmoid_grad, (f.Z,), dtypes=dtypes)


@pytest.mark.usefixtures("shared_oracles", "undiagnosed")
def test_a_forward_that_draws_random_numbers():
    def dropout(x):
        return (x**2 * jax.random.bernoulli(jax.random.key(3), 0.5, x.shape)).sum()

    def right(x):
        return 2 * x * jax.random.bernoulli(jax.random.key(3), 0.5, x.shape)

    report = check_quickly(dropout, right, (f.VECTOR,), dtypes=["float32"])
    assert any("another one where float64 is enabled" in note for note in report.notes)
    with pytest.raises(GradientMismatch):
        check_quickly(dropout, lambda x: 1.001 * right(x), (f.VECTOR,), dtypes=["float32"])


def test_a_forward_whose_autodiff_is_nan_is_reported_as_its_own_problem():
    report = check_quickly(trapped_sinc, sinc_grad, (f.VECTOR,), dtypes=["float64"])
    assert any("the forward's own autodiff is not finite" in note for note in report.notes)


def test_a_forward_whose_rule_is_wrong_is_the_odd_one_out():
    @jax.custom_jvp
    def cube(x):
        return x**3

    cube.defjvp(lambda x, t: (x[0] ** 3, 2.9 * x[0] ** 2 * t[0]))
    report = check_gradient(cube, lambda x: 3 * x**2, (np.float32(0.5),), dtypes=["float64"], trust_rules=True)
    assert any("oracles disagree" in note and "differences" in note for note in report.notes)


def test_a_gradient_that_is_wrong_unless_all_is_batched():
    @jax.custom_batching.custom_vmap
    def product(x, y):
        return 2 * x * y

    @product.def_vmap
    def batched(size, which, x, y):
        return (2 if all(which) else 3) * x * y, True

    with pytest.raises(GradientMismatch) as caught:
        check_gradient(lambda x, y: x**2 * y, product, (np.float64(0.7), np.float64(2.0)), dtypes=["float64"])
    assert caught.value.diagnosis[0].name == "only when batched"
    assert "vmap over args[0], vmap over args[1]" in caught.value.diagnosis[0].text


@pytest.mark.usefixtures("shared_oracles", "undiagnosed")
def test_a_stop_gradient_is_respected():
    def forward(x):
        return (x * jax.lax.stop_gradient(x)).sum()

    assert check_gradient(forward, lambda x: x + 0, (f.VECTOR,), dtypes=["float64"]).passed
    with pytest.raises(GradientMismatch):
        check_gradient(forward, lambda x: 2 * x, (f.VECTOR,), dtypes=["float64"])


def test_points_outside_the_domain_are_skipped_and_counted():
    report = check_quickly(lambda x: jnp.log(x).sum(), lambda x: 1 / x, (np.array([0.5, 0.1], np.float32),))
    assert 0 < report.skipped < report.points / 2


def bilinear(x, A, y):
    return (jnp.tanh(A @ x) * y).sum()


def bilinear_grads(x, A, y):
    h = jnp.tanh(A @ x)
    delta = y * (1 - h * h)
    return delta @ A, jnp.outer(delta, x), h


@pytest.mark.usefixtures("shared_oracles", "undiagnosed")
def test_a_tenth_of_a_percent_is_seen_in_every_output():
    args = (f.normal(3), f.normal(2, 3), f.normal(2))
    for i in range(3):

        def manual(*args, i=i):
            return tuple(g * (1.001 if i == j else 1) for j, g in enumerate(bilinear_grads(*args)))

        with pytest.raises(GradientMismatch) as caught:
            check_quickly(bilinear, manual, args, f.GRADS_3, dtypes=["float32"])
        assert f"result[{i}]" in str(caught.value)


@pytest.mark.usefixtures("shared_oracles", "undiagnosed")
def test_every_dtype_that_is_asked_for():
    dtypes = ["float16", "bfloat16", "float32", "float64"]
    report = check_quickly(f.sigmoid, f.sigmoid_grad, (f.Z,), dtypes=dtypes)
    assert [row.dtype for row in report.rows if row.check == "jit of vmap"] == dtypes
    with pytest.raises(GradientMismatch) as caught:
        check_quickly(f.sigmoid, lambda z: -f.sigmoid_grad(z), (f.Z,), dtypes=dtypes)
    failed = [row.dtype for row in caught.value.report.rows if row.check == "jit of vmap" and not row.passed]
    assert failed == dtypes


def test_what_can_not_be_judged_in_one_of_its_formats_has_not_passed():
    def forward(x):
        return jnp.sin(1e9 * x)

    with pytest.raises(ValueError, match=r"only 0\.0% of the entries can be judged in float32: .*not judged"):
        check_quickly(forward, jax.grad(forward), (f.Z,), dtypes=["float64", "float32"])


def test_no_configuration_is_changed():
    before = (dict(jax.config.values), jnp.ones(1).dtype)
    check_quickly(f.sigmoid, f.sigmoid_grad, (f.Z,))
    with pytest.raises(GradientMismatch):
        check_quickly(f.sigmoid, doubled, (f.Z,))
    assert (dict(jax.config.values), jnp.ones(1).dtype) == before


def test_a_result_of_another_structure_is_rejected_in_each_format():
    with pytest.raises(GradientMismatch) as caught:
        check_quickly(f.sigmoid, lambda z: (f.sigmoid_grad(z),), (f.Z,))
    assert caught.value.check == "structure, float32"
    assert "also failing: structure, float64" in str(caught.value)
    assert caught.value.diagnosis[0].name == "wrong tree"


def test_what_the_manual_gradient_raises_is_raised_with_a_note():
    def broken(z):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as caught:
        check_quickly(f.sigmoid, broken, (f.Z,))
    assert any("eager, float32" in note for note in caught.value.__notes__)


@pytest.mark.parametrize(
    ("forward", "args", "error", "message"),
    [
        (f.norm, (np.arange(3),), TypeError, "no argument is floating-point .*make one so"),
        (f.norm, (np.zeros((0,), np.float32),), ValueError, r"args\[0\] is empty"),
        (jnp.sin, (f.VECTOR,), TypeError, "needs a forward with a scalar result.*jax.jacobian"),
        (lambda x: jnp.log(-(x**2)).sum() + jnp.nan, (f.VECTOR,), ValueError, "finite at no point"),
    ],
)
def test_bad_input_is_a_clear_error(forward, args, error, message):
    with pytest.raises(error, match=message):
        check_quickly(forward, lambda x: x, args)
