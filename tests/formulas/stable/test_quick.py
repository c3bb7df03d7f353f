"""The quick forms: right in every row that they say they are, at numbers of classes on both sides of each limit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads as mg
from manual_grads.formulas.stable import cross_entropy, quick, row_sums, rows, softmax
from manual_grads.formulas.stable.sums import ADDS_IN_BLOCKS, LARGE_ARRAY_SIZE
from tests.quick import quick_jit

# One reduction; in groups; a prime number; many. The rest is at the other side of a limit.
CLASSES = [5, 17, 64, *(pytest.param(k, marks=pytest.mark.slow) for k in (2, 4, 24, 16, 32, 33, 63, 65, 1000, 4096))]
RANDOM = np.random.default_rng(0)
# A form, the quick one of it, and what they take beside the logits.
FORMS = {
    "softmax": (softmax.probabilities, quick.probabilities, ""),
    "log-softmax": (softmax.log_probabilities, quick.log_probabilities, ""),
    "both": (softmax.both_probabilities, quick.both_probabilities, ""),
    "Jacobian product": (softmax.jacobian_product, quick.jacobian_product, "tc"),
    "index loss": (cross_entropy.index_loss, quick.index_loss, "i"),
    "index vjp": (cross_entropy.index_vjp, quick.index_vjp, "ic"),
    "index jvp": (cross_entropy.index_jvp, quick.index_jvp, "it"),
    "index loss and gradient": (cross_entropy.index_loss_and_gradient, quick.index_loss_and_gradient, "i"),
    "distribution loss": (cross_entropy.distribution_loss, quick.distribution_loss, "y"),
    "distribution vjp": (cross_entropy.distribution_vjp, quick.distribution_vjp, "yc"),
    "distribution loss and gradient": (
        cross_entropy.distribution_loss_and_gradient,
        quick.distribution_loss_and_gradient,
        "y",
    ),
}
# Sums of up to 32 terms one after the other, and a few roundings; of sums that cancel, relative to terms below 10.
RTOL, ATOL = 2e-6, 2e-5


def draw(classes, examples=12):
    """Logits of several sizes, with labels and the rest."""
    scale = np.geomspace(0.1, 12, examples)[:, None]
    s = RANDOM.normal(size=(examples, classes)) * scale + np.linspace(-25, 25, examples)[:, None]
    s[0] = 0  # a tie
    return {
        "s": np.float32(s),
        "i": RANDOM.integers(classes, size=examples).astype(np.int32),
        "y": np.float32(RANDOM.dirichlet(np.ones(classes), examples) * RANDOM.uniform(0.5, 2, (examples, 1))),
        "t": np.float32(RANDOM.normal(size=s.shape)),
        "c": np.float32(RANDOM.normal(size=examples)),
    }


def taken(rest, drawn):
    """The arguments of a form: the logits, and what it takes beside them."""
    return [drawn[x] for x in ("s", *rest)]


def in_float64(names, drawn):
    """What the careful forms of these names give for what is drawn."""
    with jax.enable_x64(True):
        exact = {x: jnp.asarray(a, np.float64 if a.dtype == np.float32 else a.dtype) for x, a in drawn.items()}
        forms = {name: (FORMS[name][0].careful, FORMS[name][2]) for name in names}
        return quick_jit(lambda exact: {name: form(*taken(rest, exact)) for name, (form, rest) in forms.items()})(exact)


@pytest.mark.smoke
@pytest.mark.parametrize("classes", CLASSES)
def test_every_form_is_right_where_it_says_so(classes):
    drawn = draw(classes)
    found = quick_jit(lambda drawn: {name: form(*taken(rest, drawn)) for name, (_, form, rest) in FORMS.items()})(drawn)
    wanted = in_float64(FORMS, drawn)
    for name, (results, right) in found.items():
        assert right.mean() > 0.5, name
        for result, want in zip(jax.tree.leaves(results), jax.tree.leaves(wanted[name]), strict=True):
            np.testing.assert_allclose(result[right], np.asarray(want)[right], rtol=RTOL, atol=ATOL, err_msg=name)


@pytest.mark.parametrize("classes", [3, 10, 17, 100, 101])
def test_a_saturated_example_keeps_its_digits(classes):
    """Class 1 is 20 above the rest; t is 3 there, and 1 elsewhere."""
    s = jnp.zeros((2, classes)).at[:, 1].set(20)
    i, one_hot = jnp.ones(2, jnp.int32), jnp.zeros((2, classes)).at[:, 1].set(1)
    others = (classes - 1) * np.exp(-20.0)
    small = others / (1 + others)
    wanted = {
        "index loss and gradient": np.log1p(others),
        "index loss": np.log1p(others),
        "log-softmax": -np.log1p(others),
        "index vjp": -small,
        "index jvp": -2 * small,
        "distribution loss": np.log1p(others),
        "distribution vjp": -small,
        "Jacobian product": 2 * small * (1 - small),
    }
    drawn = {"s": s, "i": i, "y": one_hot, "t": 1 + 2 * one_hot, "c": jnp.ones(2)}
    found = quick_jit(lambda drawn: {name: FORMS[name][1](*taken(FORMS[name][2], drawn)) for name in wanted})(drawn)
    for name, want in wanted.items():
        result, right = found[name]
        result = result[0] if name == "index loss and gradient" else result
        assert right.all(), name
        np.testing.assert_allclose(result if result.ndim == 1 else result[:, 1], want, rtol=RTOL, err_msg=name)


@pytest.mark.parametrize("classes", [3, 10, 17, 100])
def test_rows_that_need_care_are_said_to(classes):
    """Overflow, underflow of everything, of all but one class, of a class that matters; NaN and infinity."""
    s = np.zeros((8, classes), np.float32)
    s[0, 1], s[1], s[2, 0], s[5, 1], s[6, 1] = 90, -100, 70, np.nan, np.inf
    s[3], s[3, 0] = -40, -89.5  # e^−89.5 is flushed to 0, and beside e^−40 it is 10⁻²²
    s[4], s[4, :2] = -50, (-200, 0.5)  # flushed, too, but then so is its g
    s = jnp.asarray(s)
    zero = jnp.zeros(8, jnp.int32)
    one_hot = jax.nn.one_hot(zero + 1, classes)

    @quick_jit
    def is_right(s):
        masked = s[7:].at[:, 0].set(-jnp.inf)
        return {
            "softmax": quick.probabilities(s)[1],
            "index vjp": quick.index_vjp(s, zero + 1, jnp.ones(8))[1],
            "distribution vjp": quick.distribution_vjp(s, one_hot, jnp.ones(8))[1],
            "one row alone": quick.probabilities(s[3:4])[1],  # whatever the other rows' smallest logits are
            "a sum of a half": quick.probabilities(jnp.full((1, classes), -87.5).at[:, 0].set(-0.7))[1],
            "both": quick.both_probabilities(s)[1],
            "distribution loss and gradient": quick.distribution_loss_and_gradient(s, one_hot)[1],
            "log-softmax": quick.log_probabilities(s)[1],
            "index loss": quick.index_loss(s, zero)[1],
            "index loss and gradient": quick.index_loss_and_gradient(s, zero)[1],
            "Jacobian product": quick.jacobian_product(s, jnp.zeros_like(s), jnp.ones(8))[1],
            "no weight on no probability": quick.distribution_loss(masked, one_hot[7:])[1],
            "the same beside the gradient": quick.distribution_loss_and_gradient(masked, one_hot[7:])[1],
        }

    right = {name: rows_right.tolist() for name, rows_right in is_right(s).items()}
    for name in ("softmax", "Jacobian product", "index vjp", "distribution vjp"):
        of_logits = name in ("softmax", "Jacobian product")
        assert right[name] == [False, False, False, False, of_logits, False, False, True], name
    assert right["one row alone"] == right["a sum of a half"] == [False]
    assert right["log-softmax"] == [False, False, False, True, False, False, False, True]
    # A label whose exponential is 0 has an infinite loss by that; and a gradient of 0, where that of row 3 is 10⁻²².
    for name in ("index loss", "index loss and gradient", "both", "distribution loss and gradient"):
        assert right[name] == [False, False, False, False, False, False, False, True], name
    # 0 · ∞
    assert right["no weight on no probability"] == right["the same beside the gradient"] == [False]


@pytest.mark.parametrize("classes", [3, 17, 100])
def test_two_classes_that_tie(classes):
    r"""Neither dominates: $\ln g = -\ln(2 + \sum_{others} e^{-10})$."""
    s = jnp.full((2, classes), -10.0).at[:, :2].set(0)
    log_g, right = quick_jit(quick.log_probabilities)(s)
    assert right.all()
    np.testing.assert_allclose(log_g[:, :2], -np.log(2 + (classes - 2) * np.exp(-10)), rtol=RTOL)


@pytest.mark.parametrize("classes", [3, 17, 31, 100])
def test_two_classes_that_tie_divide_each_other_to_the_last_bit(classes):
    """The error of an exponential, computed once more for the quotient, would be in ln 2 one of 2 ULP and more."""
    m = np.linspace(-8, 8, 4000, dtype=np.float32)[:, None]
    s = np.where(np.arange(classes) < classes - 2, m - 30, m)  # e⁻³⁰ of them is less than half an ULP of 2
    log_g, right = jax.jit(quick.log_probabilities)(s)
    assert right.all()
    of_two = np.asarray(log_g[:, -2:])
    np.testing.assert_array_max_ulp(of_two, np.full_like(of_two, -np.log(2)), maxulp=1)


@pytest.fixture(params=[row_sums.MIN_FRESH, 0], ids=["stored", "not stored"])
def product(request, monkeypatch):
    """`quick.jacobian_product`, with the differences of a direction stored, and not."""
    monkeypatch.setattr(row_sums, "MIN_FRESH", request.param)
    return quick_jit(lambda *args: quick.jacobian_product(*args))  # traced anew


@pytest.mark.parametrize("classes", [3, 17, 24, 100])
def test_a_direction_s_common_part_costs_no_digits(classes, product):
    """Class 0 is 20 above the rest, and all of t is near 1000: its entry is the sum of the others' differences."""
    t = (1000 + RANDOM.normal(size=(2, classes))).astype(np.float32)
    s = jnp.zeros((2, classes)).at[:, 0].set(20)
    found, right = product(s, t, jnp.ones(2))
    assert right.all()
    mean = (t[:, 1:].astype(float) - t[:, :1]).sum(1) * np.exp(-20) / (1 + (classes - 1) * np.exp(-20))
    want = -mean / (1 + (classes - 1) * np.exp(-20))
    np.testing.assert_allclose(found[:, 0], want, rtol=RTOL)


@pytest.mark.parametrize("rows", [slice(None), slice(3)], ids=["one dominates in some rows", "none does"])
def test_a_direction_of_a_large_array(rows, product):
    drawn = draw(100)
    drawn["s"][5, 7] += 25  # nearly everything
    drawn = {x: array[rows] for x, array in drawn.items()}
    found, right = product(*taken("tc", drawn))
    want = np.asarray(in_float64(["Jacobian product"], drawn)["Jacobian product"])
    assert right.sum() > right.size / 2
    np.testing.assert_allclose(found[right], want[right], rtol=RTOL, atol=ATOL)


@pytest.mark.skipif(not ADDS_IN_BLOCKS, reason="before, so many classes are all computed with care")
def test_large_arrays_are_not_stored_beside_the_result():
    """The temporaries of a vjp, a jvp and Hessian·t, whatever dominates."""
    s = jax.ShapeDtypeStruct((row_sums.MIN_FRESH // 4000 + 1, 1000), jnp.float32)
    labels = jax.ShapeDtypeStruct(s.shape[:1], jnp.int32)
    for f, args in (
        (mg.softmax_vjp, (s, s)),
        (mg.softmax_jvp, (s, s)),
        (mg.softmax_cross_entropy_hvp, (s, labels, s)),
    ):
        analysis = jax.jit(f).lower(*args).compile().memory_analysis()
        assert analysis
        assert analysis.temp_size_in_bytes < 0.05 * 4 * s.size, f


@pytest.mark.parametrize("classes", [5, 17, 100])
def test_a_mean_that_overflows_is_said_to(classes, product):
    """Of a direction of 0.9 F, by a sum that is rounded to more than F; what isn't finite is done with care."""
    s = jnp.asarray(RANDOM.normal(0, 0.3, (200, classes)), jnp.float32)
    t = jnp.full_like(s, 0.9 * float(jnp.finfo("float32").max))
    found, right = product(s, t, jnp.ones(200))
    assert not right.all()
    assert jnp.isfinite(found[right]).all()


def test_a_mean_that_underflows_in_part_is_said_to(product):
    """Of an exponential of 2⁻⁵⁸ and a direction of 2⁻⁷⁰ nothing is left, but of all hundred half a digit would be."""
    s = jnp.full((2, 100), -40.0)
    t = jnp.full_like(s, 2.0**-70).at[:, 0].set(2.0**-66)
    assert not product(s, t, jnp.ones(2))[1].any()


def test_few_exponentials_are_added_with_what_the_additions_round_off():
    x = np.full((4096, 16), 2.0**-25, np.float32)
    x[:, 0] = 1  # beside which each of the others is lost
    np.testing.assert_array_equal(jax.jit(row_sums.summed)(x), np.float32(1 + 15 * 2.0**-25))


@pytest.mark.parametrize("classes", [3, 10, 17, 100])
def test_a_negative_one_hot_distribution_keeps_the_label_s_digits(classes):
    s = jnp.zeros((2, classes)).at[:, 1].set(20)
    y = -jax.nn.one_hot(jnp.ones(2, int), classes)
    for form in (quick.distribution_vjp, lambda s, y, c: quick.distribution_loss_and_gradient(s, y)[0][1:]):
        gradient = quick_jit(form)(s, y, jnp.ones(2))[0]
        others = (classes - 1) * np.exp(-20.0)
        np.testing.assert_allclose(gradient[:, 1], others / (1 + others), rtol=RTOL)


def test_directions_may_be_of_a_wider_format():
    with jax.enable_x64(True):
        s, t = jnp.zeros((1000, 10), jnp.float32), jnp.ones((1000, 10), jnp.float64)
        assert jax.jit(softmax.jacobian_product)(s, t, s[:, 0]).dtype == jnp.float32


@pytest.mark.parametrize("classes", [3, 17, 100, *(pytest.param(k, marks=pytest.mark.slow) for k in (10, 40))])
@pytest.mark.parametrize(("offset", "size"), [(-40, 1e-25), (35, 1e25), (35, 1e-25)])
def test_products_of_an_exponential_lose_nothing_that_its_share_would_not(classes, offset, size):
    """$e^{-40} 10^{-25}$ is flushed to 0, and so is 10⁻²⁵ over $Σe^{35}$; $e^{35} 10^{25}$ overflows."""
    drawn = draw(classes, examples=LARGE_ARRAY_SIZE // classes + 2)
    size = np.float32(size)
    drawn["s"] = np.float32(offset + drawn["t"] / 2)  # near one another: a row done with care is one with its block
    drawn["t"], drawn["y"] = drawn["t"] * size, drawn["y"] * size
    names = ("Jacobian product", "index jvp", "distribution vjp")
    found = quick_jit(lambda drawn: {name: FORMS[name][0](*taken(FORMS[name][2], drawn)) for name in names})(drawn)
    for name, want in in_float64(names, drawn).items():
        got = np.asarray(found[name], np.float64) / size
        np.testing.assert_allclose(got, np.asarray(want) / size, rtol=RTOL, atol=ATOL, err_msg=name)


@pytest.mark.parametrize(
    "name", ["both", "Jacobian product", "index loss and gradient", "distribution loss and gradient"]
)
def test_what_is_chosen_is_right_in_every_row(name):
    """Many rows on a CPU: the quick form, and with care the rows that it isn't right for."""
    chosen, _, rest = FORMS[name]
    drawn = draw(5, examples=1200)
    drawn["s"][:6, 0], drawn["s"][700] = (-95, 95, 300, -300, 70, 45), -95
    assert rows.is_quick(jnp.asarray(drawn["s"]))
    found, wanted = quick_jit(chosen)(*taken(rest, drawn)), in_float64([name], drawn)[name]
    for got, want in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(got, want, rtol=RTOL, atol=ATOL)


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 3, 5, 40, 100])
def test_rows_of_odd_numbers_are_those_of_the_careful_form(classes):
    """NaN, ±∞, ±F, overflow, underflow, labels of no class, weights of 0: what is finite is so by either.

    Logits are odd in the first block alone, which is done with care; the rest is in every block.
    """
    random, largest = np.random.default_rng(classes), np.finfo(np.float32).max
    odd = [np.nan, np.inf, -np.inf, largest, -largest, 90, -90, -104, 60, 42, 41, -60, 300, 1e-40]
    block = rows.BLOCK_SIZE // classes
    drawn = draw(classes, examples=3 * block)
    s = drawn["s"]
    for row in range(0, block, 3):
        s[row, random.integers(classes)] = random.choice(odd)
    s[5], s[8], s[11] = -np.inf, -88, 100
    s[block:] = drawn["t"][block:]  # no row of these blocks needs care
    drawn["i"][::7], drawn["y"][1::9], drawn["c"][::13], drawn["t"][3::17, 1] = classes, 0, 0, np.inf
    for name, (chosen, _, rest) in FORMS.items():
        args = list(map(jnp.asarray, taken(rest, drawn)))
        alone = quick_jit(jax.vmap(chosen.careful))(*args)
        for got, want in zip(jax.tree.leaves(quick_jit(chosen)(*args)), jax.tree.leaves(alone), strict=True):
            for kind in (np.isnan, np.isposinf, np.isneginf):
                np.testing.assert_array_equal(kind(got), kind(want), err_msg=name)
            finite = np.isfinite(want)
            scale = np.abs(np.where(finite, want, 0)).max(-1, keepdims=True, initial=1)
            np.testing.assert_array_less(np.abs(got - want)[finite], np.broadcast_to(1e-5 * scale, want.shape)[finite])
