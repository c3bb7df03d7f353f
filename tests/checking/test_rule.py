"""`check_rule`: of a function that brings its own derivative, however deep in it that is."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking import GradientMismatch, check_gradient, check_rule
from manual_grads.checking.truth.own_rules import has_symbolic_zeros
from tests.checking.rule_kinds import KINDS

X = np.array([0.3, -1.2, 2.0], np.float32)


def sum_log_cosh(x):
    return jnp.log(jnp.cosh(x)).sum()


def with_rule(backward, forward=lambda x: (sum_log_cosh(x), x)):
    @jax.custom_vjp
    def log_cosh(x):
        return sum_log_cosh(x)

    log_cosh.defvjp(forward, backward)
    return log_cosh


def right(x, c):
    return (c * jnp.tanh(x),)


WRONG = {
    "another function's derivative": with_rule(lambda x, c: (c * jnp.tanh(x) ** 2,)),
    "a factor of 1.1": with_rule(lambda x, c: (1.1 * c * jnp.tanh(x),)),
    "the cotangent is ignored": with_rule(lambda x, c: (jnp.tanh(x),)),
    "another value": with_rule(right, lambda x: (jnp.sin(x).sum(), x)),
}


@jax.custom_jvp
def cube(x):
    return (x**3).sum()


cube.defjvp(lambda p, t: (cube(*p), (3 * p[0] ** 2 * t[0]).sum()))


@jax.custom_jvp
def square(x):
    return (x**2).sum()


square.defjvp(lambda p, t: (square(*p), (2.2 * p[0] * t[0]).sum()))

# However a function with a rule is called in another.
DEPTHS = {
    "itself": lambda f: f,
    "jit": lambda f: jax.jit(lambda x: 2 * f(x)),
    "scan": lambda f: lambda x: jax.lax.scan(lambda c, y: (c + f(y), None), 0.0, x)[0],
    "vmap": lambda f: lambda x: jax.vmap(f)(x).sum(),
    "cond": lambda f: lambda x: jax.lax.cond(x[0] < 9, f, lambda x: x.sum(), x),
    "remat": lambda f: jax.checkpoint(f),
}


# What takes longest to compile, and what another kind has in it, too.
SLOWEST = {
    "a Pallas kernel",
    "a while_loop",
    "a key",
    "a partial function",
    "a tree that holds integers",
    "symbolic zeros of a custom_vjp: one result alone",
}
NAMES = [pytest.param(name, marks=[pytest.mark.slow] if name in SLOWEST else []) for name in KINDS]


@pytest.mark.parametrize("name", NAMES)
def test_a_right_rule_of_each_kind_passes(name):
    right, _, args, options = KINDS[name]
    assert check_rule(right, args, thorough=False, **options).passed


@pytest.mark.parametrize("name", NAMES)
def test_a_mistake_of_each_kind_is_rejected(name):
    _, wrong, args, options = KINDS[name]
    with pytest.raises(GradientMismatch):
        check_rule(wrong, args, thorough=False, **options)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_right_rule_of_each_kind_passes_thoroughly(name):
    right, _, args, options = KINDS[name]
    assert check_rule(right, args, **options).passed


@pytest.mark.smoke
@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_rule_is_rejected(kind):
    with pytest.raises(GradientMismatch, match="the derivative rule of log_cosh does not hold"):
        check_rule(WRONG[kind], (X,), thorough=False)


@pytest.mark.parametrize(
    "depth",
    [
        pytest.param(name, marks=pytest.mark.slow if name in ("itself", "jit", "cond", "remat") else ())
        for name in DEPTHS
    ],
)
def test_at_any_depth(depth):
    within = DEPTHS[depth]
    report = check_rule(within(with_rule(right)), (X,), thorough=False, dtypes="float32")
    assert any(note.startswith("rules checked: ") and "log_cosh at " in note for note in report.notes)
    with pytest.raises(GradientMismatch):
        check_rule(within(square), (X,), thorough=False, dtypes="float32")


def test_tangents_are_pushed_forward_where_all_rules_can():
    checks = [row.check for row in check_rule(cube, (X,), dtypes="float32").rows]
    assert "jvp, jit of vmap" in checks
    assert not any(row.check.startswith("jvp") for row in check_rule(with_rule(right), (X,), dtypes="float32").rows)


def test_thoroughly():
    assert check_rule(with_rule(right), (X,)).passed


def notes_of(f, *args, **options):
    notes = check_rule(f, args, thorough=False, dtypes="float32", **options).notes
    checked, *missed = [note for note in notes if note.startswith("rules ")]
    return checked, missed


# Functions in which `square`, whose rule is wrong, has no part in the derivative.
UNREACHED = {
    "a branch that isn't taken": lambda x: cube(x) + jax.lax.cond(x[0] < 1e9, cube, square, x),
    "behind a stop_gradient": lambda x: cube(x) * jax.lax.stop_gradient(square(x)),
    "of integers": lambda x: cube(x) + square(jnp.arange(3.0)),
    "unused": lambda x: (square(x), cube(x))[1],
    "within what has a rule": jax.custom_jvp(lambda x: square(x) / 2 + cube(x)),
}
UNREACHED["within what has a rule"].defjvp(
    lambda p, t: ((p[0] ** 2).sum() / 2 + (p[0] ** 3).sum(), ((p[0] + 3 * p[0] ** 2) * t[0]).sum())
)


@pytest.mark.parametrize("kind", UNREACHED)
def test_the_rules_that_are_never_reached_are_named(kind):
    checked, missed = notes_of(UNREACHED[kind], X)
    assert "square at " not in checked
    assert "test_rule.py" in checked
    assert len(missed) == 1
    assert "never reached" in missed[0]
    assert "square at " in missed[0]


def test_a_branch_that_some_points_take_is_reached():
    def f(x):
        return cube(x) + jax.lax.cond(x[0] > 5, with_rule(right), lambda x: x.sum(), x)

    checked, missed = notes_of(f, X)
    assert "log_cosh at " in checked
    assert not missed
    with pytest.raises(GradientMismatch):
        check_rule(lambda x: jax.lax.cond(x[0] > 5, square, cube, x), (X,), thorough=False, dtypes="float32")


def test_rules_that_have_no_part_in_the_derivative_are_an_error():
    with pytest.raises(ValueError, match=r"derivative doesn't depend on its rules \(square at .*stop_gradient"):
        check_rule(lambda x: (x * jax.lax.stop_gradient(square(x))).sum(), (X,), thorough=False)


@jax.custom_vjp
def scaled(x, a):
    return a * x


scaled.defvjp(lambda x, a: (a * x, (x, a)), lambda saved, c: (saved[1] * c, None))


def test_none_for_an_argument_that_has_a_derivative():
    with pytest.raises(GradientMismatch) as caught:
        check_rule(scaled, (X, 1 / X), thorough=False)
    text = " ".join(str(caught.value).split())
    assert "scaled at " in text.split("failing check")[0]
    assert "returns None (or zeros) for argument 1, float32[3]" in text
    assert caught.value.diagnosis[0].name == "no cotangent"


def test_none_for_an_argument_that_is_not_differentiated():
    report = check_rule(scaled, (X, 1 / X), argnums=0, thorough=False)
    assert any("returns None (or zeros) for argument 1" in note for note in report.notes)


def test_none_for_an_argument_that_has_no_derivative():
    @jax.custom_vjp
    def rounded(x, a):
        return x * jnp.round(a)

    rounded.defvjp(lambda x, a: (x * jnp.round(a), a), lambda a, c: (jnp.round(a) * c, None))
    assert not any("None" in note for note in check_rule(rounded, (X, 1 / X), thorough=False).notes)


def test_a_rule_that_returns_another_shape():
    @jax.custom_vjp
    def total(x):
        return x.sum()

    total.defvjp(lambda x: (x.sum(), None), lambda _, c: (c,))
    with pytest.raises(ValueError, match=r"Custom VJP bwd rule .*must produce .* float32\[\]"):
        check_rule(total, (X,), thorough=False)


def test_of_several_rules_the_wrong_one_is_named():
    right_one, wrong_one = sine(1.0), with_rule(lambda x, c: (1.01 * right(x, c)[0],))
    with pytest.raises(GradientMismatch) as caught:
        check_rule(lambda x: right_one(x).sum() * wrong_one(x), (X,), thorough=False)
    assert re.search(r"\nthe rule that is wrong: log_cosh at .*test_rule.py:\d+\n", str(caught.value))
    assert "wrong rule" in [cause.name for cause in caught.value.diagnosis]


def sine(mistake):
    """sin, with a rule that is right or wrong."""
    ruled = jax.custom_vjp(jnp.sin)
    ruled.defvjp(lambda x: (jnp.sin(x), x), lambda x, c: (mistake * jnp.cos(x) * c,))
    return ruled


@pytest.mark.parametrize("mistake", [1.0, 1.1])
def test_a_rule_inside_a_shard_map(mistake):
    mesh, spec = jax.sharding.Mesh(jax.devices()[:1], ("i",)), jax.sharding.PartitionSpec("i")
    f = jax.shard_map(sine(mistake), mesh=mesh, in_specs=spec, out_specs=spec)
    if mistake == 1:
        report = check_rule(f, (X,), thorough=False)
        assert report.passed and report.notes[0].startswith("rules checked: sin")
    else:
        with pytest.raises(GradientMismatch):
            check_rule(f, (X,), thorough=False)


@pytest.mark.parametrize("mistake", [1.0, 1.1])
def test_a_rule_that_can_not_be_taken_away_needs_a_reference(mistake):
    def f(x):
        return jax.lax.platform_dependent(x, cpu=sine(mistake), default=sine(mistake))

    with pytest.raises(ValueError, match=r"sin .*is inside a kernel or a platform_dependent, .*give reference="):
        check_rule(f, (X,))
    if mistake == 1:
        assert check_rule(f, (X,), reference=jnp.sin, thorough=False).passed
    else:
        with pytest.raises(GradientMismatch):
            check_rule(f, (X,), reference=jnp.sin, thorough=False)


def test_a_rule_that_holds_in_a_domain_alone():
    @jax.custom_vjp
    def absolute(x):
        return jnp.abs(x)

    absolute.defvjp(lambda x: (jnp.abs(x), None), lambda _, c: (c,))
    assert check_rule(absolute, (abs(X),), domain={"[0]": "positive"}, thorough=False).passed
    with pytest.raises(GradientMismatch):
        check_rule(absolute, (abs(X),), thorough=False)


@pytest.mark.parametrize("argnums", [1, (0, -1), 7])
def test_argnums_of_what_holds_no_floats(argnums):
    with pytest.raises(ValueError, match=r"argnums holds (1|-1|7), expected places of arguments with floats, of 2"):
        check_rule(lambda x, i: cube(x) * i, (X, 3), argnums=argnums)


def test_a_reference_takes_the_place_of_the_body():
    assert check_rule(cube, (X,), reference=lambda x: (x * x * x).sum(), thorough=False).passed
    with pytest.raises(GradientMismatch):
        check_rule(cube, (X,), reference=lambda x: (x**2).sum(), thorough=False)
    with pytest.raises(ValueError, match=r"reference returns \(\(3,\), 'float32'\), expected what cube returns"):
        check_rule(cube, (X,), reference=lambda x: x**3)


def test_a_function_without_a_rule():
    with pytest.raises(ValueError, match=r"sum_log_cosh has no derivative rule of its own .* use check_gradient"):
        check_rule(sum_log_cosh, (X,))


def test_the_reproduction_asks_the_same_question():
    with pytest.raises(GradientMismatch) as caught:
        check_rule(square, (X,), thorough=False)
    (line,) = (line.strip() for line in str(caught.value).splitlines() if line.strip().startswith("import "))
    with pytest.raises(GradientMismatch, match="the derivative rule of square does not hold"):
        exec(line, {})


def test_the_reproduction_repeats_what_was_asked():
    f = with_rule(lambda x, c: (2 * right(x, c)[0],))
    options = {"argnums": 0, "domain": {"[0]": "positive"}, "dtypes": ["float32"]}
    with pytest.raises(GradientMismatch) as caught:
        check_rule(f, (abs(X),), thorough=False, reference=sum_log_cosh, **options)
    (line,) = (line for line in str(caught.value).splitlines() if line.strip().startswith("import "))
    assert "argnums=0, dtypes=('float32',), thorough=False, domain={'[0]': 'positive'}, seed=0)" in line
    assert "reference=" in line


@pytest.mark.parametrize("thorough", [True, False])
def test_check_gradient_does_not_trust_a_wrong_rule(thorough):
    wrong = WRONG["another function's derivative"]
    with pytest.raises(GradientMismatch) as caught:
        check_gradient(wrong, jax.grad(wrong), (X,), thorough=thorough)
    text = " ".join(str(caught.value).split())
    assert text.startswith("the forward's own rule isn't its derivative: that of log_cosh at ")
    assert caught.value.diagnosis[0].name == "wrong rule"


def test_check_gradient_names_the_one_of_several_rules_that_is_wrong():
    def both(x):
        return cube(x) + square(x)

    with pytest.raises(GradientMismatch) as caught:
        check_gradient(both, jax.grad(both), (X,), thorough=False)
    first = " ".join(str(caught.value).split()).split(". With it")[0]
    assert "square at " in first
    assert "cube at " not in first


def test_a_rule_that_means_something_else_is_trusted_if_that_is_said():
    @jax.custom_vjp
    def reversed_gradient(x):
        return x

    reversed_gradient.defvjp(lambda x: (x, None), lambda _, c: (-c,))

    def forward(x):
        return (reversed_gradient(x) ** 2).sum()

    assert check_gradient(forward, lambda x: -2 * x, (X,), thorough=False, trust_rules=True).passed
    with pytest.raises(GradientMismatch, match="isn't its derivative"):
        check_gradient(forward, lambda x: -2 * x, (X,), thorough=False)


def test_one_rule_of_several_that_is_told_of_zeros_is_enough_to_ask_for_them():
    told, plain = jax.custom_jvp(jnp.sin), jax.custom_jvp(jnp.cos)
    told.defjvp(lambda p, t: (jnp.sin(*p), t[0] * jnp.cos(*p)), symbolic_zeros=True)
    plain.defjvp(lambda p, t: (jnp.cos(*p), -t[0] * jnp.sin(*p)))
    assert has_symbolic_zeros(lambda x: told(plain(x)), np.ones(2))
    assert not has_symbolic_zeros(plain, np.ones(2))
