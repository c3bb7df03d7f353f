"""A class that is masked, by −∞ or by `where`, is as if it weren't there: in every derivative of every drop-in.

The truth is the same function of the classes that are left, in float64.
"""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manual_grads import nn
from tests.quick import quick_jit

CLASSES = 5
inf = jnp.inf
# Sums of some terms in float64, none of them beyond 100: 10⁻¹³, and two orders for what a second derivative cancels.
RTOL, ATOL = 1e-10, 1e-11
ATOL32 = 1e-6  # of float32: some 16 roundings of numbers up to 1

cross_entropy = nn.softmax_cross_entropy


def logarithms_of_what_is_left(s, y, **mask):
    log_g = nn.log_softmax(s, **mask)
    return jnp.where(log_g > -inf, log_g, 0)


DROP_INS = {
    "softmax": lambda s, y, **mask: nn.softmax(s, **mask),
    "log_softmax": logarithms_of_what_is_left,
    "index": lambda s, y, **mask: nn.softmax_cross_entropy_with_integer_labels(s, jnp.argmax(y, -1), **mask),
    "distribution": cross_entropy,
    "entropy": lambda s, y, **mask: cross_entropy(s, nn.softmax(s, **mask), **mask),
    "labels made of both": lambda s, y, **mask: cross_entropy(s, y * nn.softmax(2 * s, **mask), **mask),
}

# One class is left, or three: each number compiles another truth.
masks = st.permutations(range(CLASSES)).flatmap(lambda order: st.sampled_from([order[:1], order[:3]]))
ways = st.sampled_from(["-inf", "where", "both"])
common = settings(max_examples=25, deadline=None, derandomize=True)


def derivatives(f, s, y, s_dot, y_dot, c):
    """All first derivatives of f, each way, and two second ones along a direction."""

    def total(s, y):
        out = f(s, y)
        return (c * (out + out**2)).sum()

    gradient = jax.grad(total, (0, 1))
    return {
        "value": f(s, y),
        "jvp": jax.jvp(total, (s, y), (s_dot, y_dot))[1],
        "vjp": gradient(s, y),
        "forward over reverse": jax.jvp(gradient, (s, y), (s_dot, y_dot))[1],
        "reverse over forward": jax.grad(lambda s, y: jax.jvp(total, (s, y), (s_dot, y_dot))[1], (0, 1))(s, y),
    }


@cache
def compiled(name):
    """The derivatives of one of the functions, of arguments and a mask."""
    return quick_jit(lambda *args: derivatives(partial(DROP_INS[name], **args[-1]), *args[:-1]))


def arguments(seed, kept):
    """Logits and labels, and a direction of each; the labels have no weight on a masked class, and get none."""
    random = np.random.default_rng(seed)
    s, y, s_dot, y_dot = random.normal(0, 2, (4, CLASSES))
    return s, np.where(kept, abs(y), 0), s_dot, np.where(kept, y_dot, 0)


@pytest.mark.parametrize(
    "name",
    [name if name == "distribution" else pytest.param(name, marks=pytest.mark.slow) for name in DROP_INS],
)
@common
@given(kept=masks, way=ways, seed=st.integers(0, 99), c=st.sampled_from([0.0, 1.0, -0.7]))
def test_what_is_left_has_the_derivatives_that_it_has_alone(name, kept, way, seed, c):
    kept = np.isin(np.arange(CLASSES), kept)
    mask = {} if way == "-inf" else {"where": kept}
    s, y, s_dot, y_dot = arguments(seed, kept)
    masked = np.where(kept, s, s if way == "where" else -inf)
    with jax.enable_x64(True):
        got = compiled(name)(*map(jnp.asarray, (masked, y, s_dot, y_dot)), c, mask)
        want = compiled(name)(*(jnp.asarray(x[kept]) for x in (s, y, s_dot, y_dot)), c, {})
    for key in want:
        for argument, (mine, true) in enumerate(zip(*map(jax.tree.leaves, (got[key], want[key])), strict=True)):
            of_classes = mine.ndim == 1
            mine = np.asarray(mine)
            np.testing.assert_allclose(mine[kept] if of_classes else mine, true, rtol=RTOL, atol=ATOL, err_msg=key)
            # What a masked class's own label costs is ∞: the derivative by it is, and finite if it is weighted by 0.
            if of_classes and (argument == 0 or c == 0 or way != "-inf") and key != "value":
                expected = mine[~kept] if key in SECOND and argument == 1 else 0
                np.testing.assert_array_equal(mine[~kept], expected, err_msg=key)


SECOND = ("forward over reverse", "reverse over forward")


@pytest.mark.smoke
@pytest.mark.parametrize("call", [lambda f: f, jax.jit, lambda f: lambda *args: jax.jit(lambda: f(*args))()])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_a_label_s_direction_at_a_masked_class(dtype, call):
    """0·∞ is 0 and anything else times ∞ is ∞, also where XLA knows the logits when it compiles."""
    s, one_hot = jnp.array([-inf, 0, 1], dtype), jnp.array([0, 1, 0], dtype)
    rate = call(lambda y_dot: jax.jvp(partial(cross_entropy, s), (one_hot,), (y_dot,))[1])
    along = jnp.array([[0, 0, 0], [1e-4, 0, 0], [-1e-4, 2, 0]], dtype)
    assert [float(rate(t)) for t in along] == [0, inf, -inf]
    pull_back = jax.vjp(partial(cross_entropy, s), one_hot)[1]
    (none,), (some,) = call(pull_back)(jnp.zeros((), dtype)), call(pull_back)(jnp.ones((), dtype))
    np.testing.assert_array_equal(none, 0)
    np.testing.assert_array_equal(jnp.isinf(some), [True, False, False])


@pytest.mark.smoke
def test_the_entropy_of_a_masked_softmax():
    s = jnp.array([-inf, 0, 1])
    for call in (lambda f: f, jax.jit):
        gradient = call(jax.grad(lambda s: cross_entropy(s, nn.softmax(s))))(s)
        g = np.exp(1) / (1 + np.exp(1))
        np.testing.assert_allclose(gradient, [0, g * (1 - g), -g * (1 - g)], rtol=1e-6)


def test_second_derivatives_at_a_masked_class_s_label_are_the_same_in_either_order():
    """The rate itself is ∞; how it changes with the logits is not: −ẏ + (Σẏ) g."""
    s, y, along = jnp.array([-inf, 0, 1]), jnp.array([0.0, 1, 0]), jnp.array([1.0, 0.5, 0])

    def rate(s):
        return jax.jvp(partial(cross_entropy, s), (y,), (along,))[1]

    g = np.exp(s) / np.exp(s).sum()
    of_labels = jax.jvp(lambda y: jax.grad(cross_entropy)(s, y), (y,), (along,))[1]
    np.testing.assert_allclose(of_labels, 1.5 * g - along, rtol=1e-6)
    np.testing.assert_allclose(quick_jit(jax.grad(rate))(s), 1.5 * g - along, rtol=1e-6)


@pytest.mark.parametrize("y", [[0.25, 0.25, 0.25, 0.25], [0.25, 0.5, 0.25, 0.0]])
@pytest.mark.parametrize("kept", [[True] * 4, [True, True, True, False]])
def test_a_gradient_of_zero_changes(y, kept):
    """An included class that has its label's share has no gradient; and yet one that changes with logits and labels."""
    s, y, kept = jnp.log(jnp.array([1.0, 1, 2, 1])), jnp.array(y), jnp.array(kept)
    loss = partial(cross_entropy, where=kept)
    by_logits, by_labels = quick_jit(jax.jacrev(jax.grad(loss), (0, 1)))(s, y)
    from_labels = quick_jit(jax.jacfwd(jax.grad(loss, 1), 0))(s, y)
    g = np.where(kept, np.exp(s), 0) / np.exp(s)[kept].sum()
    weight = y[kept].sum()
    np.testing.assert_allclose(by_logits, weight * (np.diag(g) - np.outer(g, g)), atol=ATOL32)
    want = np.where(kept, g[:, None] - np.eye(4), 0)
    np.testing.assert_allclose(by_labels, want, atol=ATOL32)
    np.testing.assert_allclose(from_labels, want.T, atol=ATOL32)


def test_the_cost_of_a_saturated_class_s_label_changes_with_another_s_logit():
    """Of two classes, one has everything to the last bit: its cost is $e^{-50}$, and changes by as much."""
    s, y, kept = jnp.array([50.0, 0.0]), jnp.array([1.0, 0.0]), jnp.ones(2, bool)
    rate = jax.jvp(jax.grad(partial(cross_entropy, where=kept), 1), (s, y), (jnp.array([0.0, 1]), y))[1]
    np.testing.assert_allclose(rate[0], np.exp(-50), rtol=1e-6)


@pytest.mark.parametrize("kept", [[True, True, False], [True, False, False], [False] * 3])
def test_a_masked_label_counts_where_any_class_does(kept):
    r"""$\ln \sum_l e^{s_l} - s_1$ over the included classes; an infinite direction of another is none."""
    s, kept = jnp.array([1.0, 2.0, 3.0]), jnp.array(kept)
    loss = partial(nn.softmax_cross_entropy_with_integer_labels, labels=jnp.int32(1), where=kept)
    along = jnp.where(kept, 1, inf).at[1].set(1 if kept.any() else inf)
    rate = quick_jit(lambda t: jax.jvp(loss, (s,), (t,))[1])(along)
    second = quick_jit(jax.hessian(loss))(s)
    g = np.where(kept, np.exp(s), 0) / max(np.exp(s)[kept].sum(), 1e-9)
    np.testing.assert_allclose(rate, 0, atol=ATOL32)
    np.testing.assert_allclose(second, np.diag(g) - np.outer(g, g), atol=ATOL32)


def test_an_infinite_direction_of_a_masked_class_is_none():
    s, y, kept = jnp.array([1.0, 2, 3]), jnp.array([0.5, 0.5, 0]), jnp.array([True, True, False])
    loss = partial(cross_entropy, where=kept)
    with_gradients = jax.value_and_grad(loss, (0, 1))
    finite, infinite = (
        quick_jit(lambda t: [jax.jvp(f, (s, y), (t, t))[1] for f in (loss, with_gradients)])(jnp.array([1.0, 2, last]))
        for last in (0, inf)
    )
    jax.tree.map(np.testing.assert_array_equal, infinite, finite)


def test_a_sigmoid_at_its_ends_has_derivatives_of_zero_along_anything():
    x = jnp.array([-inf, inf])
    first, second = jax.grad(lambda x: nn.sigmoid(x).sum()), lambda x: jax.jvp(first, (x,), (jnp.ones(2),))[1]
    np.testing.assert_array_equal(quick_jit(first)(x), 0)
    np.testing.assert_array_equal(quick_jit(second)(x), 0)
