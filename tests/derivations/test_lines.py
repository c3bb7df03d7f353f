"""Every line of the document, and every misprint; and that the judges can tell a false line from a true one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy

from manual_grads.derivations import CHAINS, balls, symbols, task18, task19_1, task19_2, task19_3, task21, verdicts
from manual_grads.derivations.lines import Line, Misprint, random_draw
from manual_grads.derivations.numbers import derivative, exp, log, vector
from manual_grads.derivations.verdicts import FLOAT64_TOLERANCE, LineVerdict, judge

NAMES = [f"{chain.task} {chain.lines[0].text}" for chain in CHAINS]
CHAIN = pytest.mark.parametrize("chain", CHAINS, ids=NAMES)
MISPRINTS = [(chain, line, line.misprint) for chain in CHAINS for line in chain.lines if line.misprint]
MISPRINT = pytest.mark.parametrize(
    ("chain", "line", "misprint"),
    MISPRINTS,
    ids=[f"{chain.task} {misprint.printed}" for chain, _, misprint in MISPRINTS],
)


# The command judges every line, and CI runs it: here, daily, the first derivation of each task.
FIRST = {chain.task: chain for chain in reversed(CHAINS)}.values()


@pytest.mark.parametrize(
    "chain",
    [pytest.param(chain, marks=() if chain in FIRST else pytest.mark.everything) for chain in CHAINS],
    ids=NAMES,
)
def test_every_line_holds(chain):
    for verdict in judge(chain, seed=1):
        assert verdict.proved, verdict.line.text
        assert verdict.confirmed, verdict.line.text
        assert verdict.float64_error <= FLOAT64_TOLERANCE, verdict.line.text
        assert verdict.refuted is (None if verdict.line.misprint is None else True), verdict.line.text
        assert verdict.holds
        assert verdict.words == ("misprint" if verdict.line.misprint else "proved")


@MISPRINT
def test_a_misprinted_line_would_be_judged_false(chain, line, misprint):
    """The printed form in the place of the corrected one: no judge may let it pass."""
    position = chain.lines.index(line)
    assert position > 0 or chain.lines[0].text.startswith("the k-th term's share")
    printed = Line(misprint.printed, misprint.value)
    # What it is compared with: the first line and the one before, or, if it is the first itself, the next.
    neighbours = (chain.lines[0], chain.lines[position - 1], printed) if position else (printed, chain.lines[1])
    planted = chain._replace(lines=neighbours)
    try:
        verdicts = list(judge(planted))
    except (ValueError, TypeError):  # the printed shapes don't multiply
        return
    assert not all(verdict.holds for verdict in verdicts)
    assert not all(verdict.confirmed for verdict in verdicts)
    assert not all(verdict.proved for verdict in verdicts)
    assert max(verdict.float64_error for verdict in verdicts) > 1e-3


@pytest.mark.smoke
@MISPRINT
def test_a_correct_line_is_not_refuted(chain, line, misprint):
    """What is called a misprint must really differ: the corrected form in the printed one's place isn't refuted."""
    harmless = line._replace(misprint=misprint._replace(value=line.value))
    (verdict,) = judge(chain._replace(lines=(harmless,)))
    assert verdict.refuted is False
    assert not verdict.holds
    assert verdict.words == "FALSE"


def test_a_misprint_whose_shapes_never_multiply_is_refuted_by_that():
    def refuses(*args):
        raise ValueError("shapes don't fit")

    chain, line, misprint = MISPRINTS[0]
    (verdict,) = judge(chain._replace(lines=(line._replace(misprint=misprint._replace(value=refuses)),)))
    assert verdict.refuted is True


def test_the_known_misprints_are_all_there():
    printed = {(chain.task, misprint.printed) for chain, _, misprint in MISPRINTS}
    assert printed >= {
        ("19.2", "−I(y)/g_k"),
        ("19.2", "−I(y) ∂/∂g_k Σ_k ln g_k"),
        ("19.3", "−Σ_k I(y=k) ln(e^s_k / (Σe^s_i)²)"),
        ("19.3", "I(y=l)·g_l"),
        ("19.3", "∂R/∂s_l, k = l"),
        ("19.3", "∂R/∂s_l, k ≠ l"),
        ("21", "(g − y) · B · diag(σ') · x"),
        ("21", "(g − y) · σ(Ax)"),
    }


def test_with_the_printed_square_the_gradient_would_be_2g_minus_y():
    s = symbols.draw("s", 3)
    misprint = next(misprint for _, _, misprint in MISPRINTS if "²" in misprint.printed)
    for y, k in np.ndindex(3, 3):
        gradient = sympy.diff(misprint.value(s, y), s[k])
        assert symbols.is_zero(gradient - (2 * task19_1.g(s, k) - int(y == k)))


@pytest.mark.parametrize(("chain", "what"), [(task21.A_GRADIENT, "A"), (task21.B_GRADIENT, "B")], ids=["dA", "dB"])
def test_the_printed_shapes_of_task_21_don_t_multiply(chain, what):
    x, A, B = jnp.ones(5), jnp.ones((4, 5)), jnp.ones((3, 4))
    line = chain.lines[-1]
    assert line.value(x, A, B, 0).shape == {"A": A, "B": B}[what].shape
    assert line.misprint is not None
    with pytest.raises((ValueError, TypeError)):
        line.misprint.value(x, A, B, 0)


LITERAL = {
    "18": (task18.SIGMOID_DERIVATIVE, lambda z: jax.grad(task18.sigma)(z)),
    "19.1": (task19_1.SOFTMAX_JACOBIAN, lambda s, k, l: jax.grad(lambda s: task19_1.g(s, k))(s)[l]),
    "19.2": (task19_2.LOGLOSS_GRADIENT, lambda g, y, k: jax.grad(lambda g: task19_2.R(g, y))(g)[k]),
    "19.3": (task19_3.CROSS_ENTROPY_GRADIENT, lambda s, y, l: jax.grad(lambda s: task19_3.R(s, y))(s)[l]),
    "21 x": (task21.INPUT_GRADIENT, lambda *args: jax.grad(task21.R)(*args)),
    "21 A": (task21.A_GRADIENT, lambda *args: jax.grad(task21.R, argnums=1)(*args)),
    "21 B": (task21.B_GRADIENT, lambda *args: jax.grad(task21.R, argnums=2)(*args)),
}


@pytest.mark.smoke
@pytest.mark.parametrize(
    "name", [pytest.param(x, marks=pytest.mark.slow if x in ("19.1", "21 x") else ()) for x in LITERAL]
)
def test_every_line_is_jax_grad_of_the_literal_forward(name):
    chain, autodiff = LITERAL[name]
    with jax.enable_x64(True):
        for args in list(chain.cases(random_draw(7, jnp.asarray)))[
            ::5
        ]:  # all sizes and kinds of classes are among them
            want = autodiff(*args)
            for line in chain.lines:
                np.testing.assert_allclose(line.value(*args), want, rtol=1e-13, atol=1e-15, err_msg=line.text)


def test_factor_by_factor_in_the_row_vector_convention():
    with jax.enable_x64(True):
        for x, A, B, y in task21.INPUT_GRADIENT.cases(random_draw(8, jnp.asarray)):
            w, sigma = A @ x, task18.sigma(A @ x)
            factors = (
                (task21.FACTOR_R_V, jax.jacobian(lambda v: task19_2.R(task21.g(v), y))(B @ sigma)),  # noqa: B023
                (task21.FACTOR_V_SIGMA, jax.jacobian(lambda h: B @ h)(sigma)),  # noqa: B023
                (task21.FACTOR_SIGMA_W, jax.jacobian(task18.sigma)(w)),
                (task21.FACTOR_W_X, jax.jacobian(lambda x: A @ x)(x)),  # noqa: B023
            )
            product = jnp.ones(())
            for chain, jacobian in factors:
                factor = chain.lines[-1].value(x, A, B, y)
                assert factor.shape == jacobian.shape
                np.testing.assert_allclose(factor, jacobian, rtol=1e-13, atol=1e-15)
                product = product * factor if product.ndim == 0 else product @ factor
            np.testing.assert_allclose(product, jax.grad(task21.R)(x, A, B, y), rtol=1e-13, atol=1e-15)


def test_too_few_bits_confirm_nothing(monkeypatch):
    monkeypatch.setattr(verdicts, "BALL_BITS", 60)
    assert not any(verdict.confirmed for verdict in judge(task18.SIGMOID_DERIVATIVE))


def test_a_wide_ball_confirms_nothing():
    """A line that is off by an error which its own ball admits: it may be true, and isn't shown to be."""

    def vague(z):
        return task18.sigma(z) * (1 - task18.sigma(z)) + (balls.arb(0, 1e-30) if isinstance(z, balls.arb) else 0)

    def vague_in_one_entry(x, A, B, y):
        return np.concatenate([B[:1] + vague(B[0, 0]) - vague(B[0, 0]), B[1:]]) if isinstance(B, np.ndarray) else B

    for chain, value in (task18.SIGMOID_DERIVATIVE, vague), (task21.FACTOR_V_SIGMA, vague_in_one_entry):
        *_, verdict = judge(chain._replace(lines=(*chain.lines, Line("vague", value))))
        assert verdict.proved
        assert not verdict.confirmed
        assert not verdict.holds


def test_what_is_false_is_proved_for_nothing():
    false = Line("", lambda z: 2 * task18.sigma(z))
    verdict = list(judge(task18.SIGMOID._replace(lines=(*task18.SIGMOID.lines, false))))[-1]
    assert not verdict.proved
    assert verdict.proof == ("", "")


@pytest.mark.parametrize(
    "failing", [{"proved": False}, {"confirmed": False}, {"float64_error": 2e-14}, {"refuted": False}], ids=str
)
@pytest.mark.parametrize("refuted", [None, True], ids=["as printed", "misprint"])
def test_a_line_holds_only_if_every_judge_says_so(failing, refuted):
    misprint = Misprint("", abs, "") if refuted else None
    right = LineVerdict(
        task="", line=Line("", abs, misprint), proved=True, confirmed=True, float64_error=1e-14, refuted=refuted
    )
    assert right.holds
    assert right.words == ("misprint" if refuted else "proved")
    assert not right._replace(**failing).holds
    assert right._replace(**failing).words == "FALSE"


def test_symbolic_equality_is_not_gullible():
    a, b = sympy.symbols("a b", real=True)
    assert symbols.is_zero(sympy.exp(2 * a + 2 * b) - sympy.exp(a + b) ** 2)
    assert symbols.is_zero(sympy.log(sympy.exp(a)) - a)
    assert symbols.is_zero(1 / (1 + sympy.exp(-a)) - sympy.exp(a) / (1 + sympy.exp(a)))
    assert not symbols.is_zero(sympy.exp(a) - sympy.exp(b))
    assert not symbols.is_zero(1 / (1 + sympy.exp(-a)) - 1 / (1 + sympy.exp(a)))
    assert not symbols.is_zero(sympy.Rational(1, 10**30) * a)
    assert not symbols.equal(np.array([a, b]), np.array([a]))
    assert not symbols.equal(np.array([a, b]), np.array([a, a]))


@pytest.mark.smoke
def test_balls_are_not_gullible():
    with balls.precision(200):
        one, nearly = balls.as_balls(np.array(1.0)), balls.as_balls(np.array(1.0 + 2**-52))
        assert balls.overlap(one, one)
        assert not balls.overlap(one, nearly)
        assert balls.overlap(balls.arb(1, 0.1), balls.arb(1.1, 0.05))  # their middles differ, and they may be equal
        assert not balls.overlap(np.array([one]), one)
        assert balls.widest(one / 3) < 2**-190
    assert balls.flint.ctx.prec == 53


def test_power_series_differentiate():
    with balls.precision(200):
        x = balls.as_balls(np.array([0.5, 2.0]))
        got = derivative(lambda x: vector([exp(x[0]) * x[1], log(x[1])]), x)
        want = np.array([[exp(x[0]) * x[1], exp(x[0])], [x[0] * 0, 1 / x[1]]])
        assert balls.overlap(got, want)
        assert balls.overlap(derivative(lambda z: z * z, x[0]), 2 * x[0])
