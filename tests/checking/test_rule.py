"""`check_rule`: of a function that brings its own derivative, however deep in it that is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking import GradientMismatch, check_gradient, check_rule

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


@pytest.mark.smoke
@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_rule_is_rejected(kind):
    with pytest.raises(GradientMismatch, match="the derivative rule of log_cosh does not hold"):
        check_rule(WRONG[kind], (X,), thorough=False)


@pytest.mark.parametrize("depth", DEPTHS)
def test_at_any_depth(depth):
    within = DEPTHS[depth]
    report = check_rule(within(with_rule(right)), (X,), thorough=False, dtypes="float32")
    assert any(note.startswith("rules checked: ") and "log_cosh at " in note for note in report.notes)
    with pytest.raises(GradientMismatch):
        check_rule(within(square), (X,), thorough=False, dtypes="float32")


def test_tangents_are_pushed_forward_where_all_rules_can():
    checks = [row.check for row in check_rule(cube, (X,), thorough=False).rows]
    assert "jvp, jit of vmap" in checks
    assert not any(row.check.startswith("jvp") for row in check_rule(with_rule(right), (X,), thorough=False).rows)


def test_thoroughly():
    assert check_rule(with_rule(right), (X,)).passed


def test_what_cannot_be_differentiated_without_its_rule_is_differenced():
    @jax.custom_vjp
    def root(a):  # by Newton's method for √(1 + a²), in a loop that reverse mode can't go through
        b = 1 + a * a
        return jax.lax.while_loop(lambda s: s[0] < 60, lambda s: (s[0] + 1, (s[1] + b / s[1]) / 2), (0, b))[1]

    root.defvjp(lambda a: (root(a), (a, root(a))), lambda saved, c: (c * saved[0] / saved[1],))
    assert check_rule(root, (X[0],), thorough=False, dtypes=["float64"]).passed


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
