"""Every rule keeps its promise on every family of inputs: jitted, one example at a time, batched, and by vmap."""

import math
from collections import Counter
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads as mg
from manual_grads.accuracy import bounds, inputs, promises, search, survey, sweep
from manual_grads.accuracy.promises import PROMISES, bound, floor_of, values_and_magnitudes
from manual_grads.accuracy.ulp import as_truth, certified, errors, errors_of_all
from manual_grads.derivations import balls
from manual_grads.formulas.stable.sums import LARGE_ARRAY_SIZE
from manual_grads.rules import FLOATS, RULES
from tests.registry import PROMISED_RULES

FORWARDS_AND_GRADIENT = ("softmax", "log_softmax", "softmax_cross_entropy", "softmax_cross_entropy_grad")
MATRICES = ("softmax_jacobian", "softmax_cross_entropy_hessian")


# The sizes that stand for all: where there are others beside, they show what few and many classes do.
USUAL, MANY = 10, 200


def sizes(name, dtype):
    """The numbers of classes to try; those of a network stand for a small and a large one."""
    if name in FORWARDS_AND_GRADIENT:
        return (1, 2, USUAL, MANY)
    if name in MATRICES:
        return (1, 2, USUAL)
    if name.startswith(("sigmoid", "logloss")):
        return (USUAL,)
    return (USUAL, MANY) if dtype in ("float32", "float64") else (USUAL,)


def kinds(rule):
    return inputs.LABELS if len(rule.label_kinds) > 1 else inputs.LABELS[:1]


# By these, it is shown daily that float64 takes the same steps as float32, and that 16 bits are its result, rounded.
IN_EVERY_FORMAT = ("softmax", "softmax_cross_entropy_grad", "two_layer_grads")


def is_daily(rule, dtype, classes, kind):
    """In float32 each rule with the usual number of classes, and some with others; in other formats some."""
    if dtype == "float32":
        usual = classes == USUAL and (kind == kinds(rule)[-1] or not rule.name.endswith(("vjp", "jvp", "hvp")))
        return usual or (rule.name in FORWARDS_AND_GRADIENT and kind == kinds(rule)[0])
    return rule.name in IN_EVERY_FORMAT and classes == USUAL and kind == kinds(rule)[-1]


def marks(rule, dtype, classes, kind):
    """When a combination is tried."""
    if is_daily(rule, dtype, classes, kind):
        return ()
    shown = classes == USUAL and (dtype == "float64" or (dtype == "bfloat16" and kind == kinds(rule)[-1]))
    is_slow = shown or dtype == "float32" or (dtype == "float64" and rule.name in FORWARDS_AND_GRADIENT)
    return pytest.mark.slow if is_slow else pytest.mark.everything


EVERYTHING = [
    pytest.param(
        *(rule, dtype, classes, kind),
        id=f"{rule.name}-{dtype}-{classes}-{kind}",
        marks=marks(rule, dtype, classes, kind),
    )
    for rule in PROMISED_RULES
    for dtype in FLOATS
    for classes in sizes(rule.name, dtype)
    for kind in kinds(rule)
    if not (rule.name.startswith("two_layer") and (classes, kind) == (MANY, "distribution"))  # slow, and nothing new
]
BY_VMAP = ("sigmoid_grad", "softmax_vjp", "softmax_cross_entropy_grad", "logloss_grad", "two_layer_grads")
EACH_RULE = pytest.mark.parametrize("rule", PROMISED_RULES, ids=lambda rule: rule.name)


@cache
def known(rule, dtype, classes, kind="index"):
    cases = inputs.cases(rule, jnp.dtype(dtype), classes, kind)
    if (
        classes == MANY
    ):  # every third row: labels of each kind are among them, and the true values take a third of the time
        cases = inputs.Cases(cases.families[::3], tuple(arg[::3] for arg in cases.args))
    return survey.known(rule, jnp.dtype(dtype), cases)


def one_by_one(rule, dtype, args):
    """The results for each example on its own, jitted."""
    with jax.enable_x64(dtype == "float64"):
        compiled = jax.jit(rule.manual)
        results = [compiled(*row) for row in zip(*args, strict=True)]
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *results)


def assert_kept(got, by):
    assert all(leaf.dtype == truth.dtype for leaf, truth in zip(jax.tree.leaves(got), by.truths, strict=True))
    worst = survey.worst(got, by)
    assert worst.within, (
        f"{worst.ulp:.3g} ULP, bound {worst.bound:.3g}, at {worst.family} [{worst.entry}], {worst.args}"
    )
    assert worst.false_zeros == 0


def quick_ones(rule, by):
    """The examples that the quick forms do, as often as it takes for these to be chosen."""
    classes = by.cases.args[0].shape[-1]
    shape = search.Shape(-(-LARGE_ARRAY_SIZE // classes), classes, above=False)
    quick = np.flatnonzero(search.is_of(rule, shape, by.cases.args))
    rows = np.resize(quick, max(len(quick), shape.rows))
    cases = inputs.Cases([by.cases.families[row] for row in rows], tuple(arg[rows] for arg in by.cases.args))
    truths = [truth._replace(high=truth.high[rows], low=truth.low[rows], unit=truth.unit[rows]) for truth in by.truths]
    return survey.Known(cases, truths, by.bounds[rows])


def of_few_numbers(rule, dtype, by):
    """The same with the bounds that are derived for few numbers, where these are less: their sums are rounded once."""
    if not bounds.is_derived(rule.name):
        return by
    derived = bounds.derived(rule.name, jnp.dtype(dtype), by.cases.args[0].shape[-1], few=True)
    sharp = np.array([promises.is_sharp(rule, by.cases.exact(i)) for i in range(len(by.bounds))])
    return by._replace(bounds=np.where(sharp, np.minimum(by.bounds, derived), by.bounds))


@pytest.mark.parametrize(("rule", "dtype", "classes", "kind"), EVERYTHING)
def test_promise(rule, dtype, classes, kind):
    by = known(rule, dtype, classes, kind)
    assert_kept(survey.run(survey.for_each_example(rule), jnp.dtype(dtype), by.cases.args), by)
    # One or two classes would show nothing else.
    if dtype in ("float32", "float64") and classes >= USUAL and is_jitted(rule):
        many = quick_ones(rule, by)
        assert_kept(survey.run(rule.manual, jnp.dtype(dtype), many.cases.args), many)
    # The sigmoid is elementwise: one number at a time would show nothing else.
    if dtype in ("float32", "float64") and classes == USUAL and len(by.cases.families) < 1000:
        assert_kept(one_by_one(rule, dtype, by.cases.args), of_few_numbers(rule, dtype, by))


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("name", "classes"),
    [
        *(("softmax", classes) for classes in (29, 77, 107)),
        *(("softmax_cross_entropy_grad", classes) for classes in (29, 74, 110)),
        *(pytest.param("softmax_jacobian", classes, marks=pytest.mark.slow) for classes in (29, 77)),
    ],
)
def test_wherever_the_term_stands_that_the_others_are_lost_beside(name, classes, dtype):
    """Numbers of classes of which some position was the worst that was found."""
    rule, half = RULES[name], math.log(float(jnp.finfo(dtype).eps) / 2)
    for smaller in (half, np.nextafter(np.dtype(dtype).type(half), np.dtype(dtype).type(0))):
        logits = np.where(np.eye(classes, dtype=bool), 0, smaller).astype(dtype)
        labels = [np.roll(np.arange(classes, dtype=np.int32), -2)] if "grad" in name else []
        by = survey.known(
            rule, jnp.dtype(dtype), inputs.Cases([f"1 at {i}" for i in range(classes)], (logits, *labels))
        )
        many = quick_ones(rule, by)
        assert_kept(survey.run(rule.manual, jnp.dtype(dtype), many.cases.args), many)


def ordinary(random, classes, rows):
    """Logits as at the start of training and later; two that tie, the others near or far below; others lost."""
    yield random.normal(0, 1, (rows, classes))
    yield random.normal(0, 3, (rows, classes))
    for below in (2, 8, 17):
        s = random.uniform(-below - 0.5, -below, (rows, classes))
        s[:, :2] = 0
        yield random.permuted(s, axis=1) + random.uniform(-5, 5, (rows, 1))
    yield np.stack([inputs.lost_beside_the_second(random, np.float32, classes) for _ in range(rows)])


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("softmax_cross_entropy", 48),
        ("log_softmax", 8),
        ("softmax_cross_entropy_grad", 32),
        *(pytest.param("softmax_cross_entropy", classes, marks=pytest.mark.slow) for classes in (3, 11)),
        *(pytest.param("log_softmax", classes, marks=pytest.mark.slow) for classes in (31, 100)),
        pytest.param("softmax_cross_entropy_grad", 24, marks=pytest.mark.slow),
    ],
)
def test_ordinary_rows(name, classes):
    """400,000 numbers of each kind, of as many classes as were found to be the worst."""
    rows, random = 400_000 // classes, np.random.default_rng(0)
    by_label = name != "log_softmax"
    promised = PROMISES[name].ulp
    function = jax.jit(RULES[name].manual)
    for s in ordinary(random, classes, rows):
        s = s.astype(np.float32)
        label = np.where(np.arange(rows) % 2, random.integers(classes, size=rows), s.argmax(-1)).astype(np.int32)
        got = function(s, label) if by_label else function(s)
        is_label = np.arange(classes) == label[:, None]
        e = np.exp(s.astype(np.float64))
        others = np.where(is_label, 0, e).sum(-1, keepdims=True)
        if name == "softmax_cross_entropy":
            want = np.log1p(others / e[is_label][:, None])[:, 0]
        elif name == "log_softmax":
            largest = np.arange(classes) == s.argmax(-1)[:, None]
            log_sum = np.log1p(np.where(largest, 0, e).sum(-1, keepdims=True) / e.max(-1, keepdims=True))
            want = (s.astype(np.float64) - s.max(-1, keepdims=True)) - log_sum
        else:
            want = np.where(is_label, -others, e) / e.sum(-1, keepdims=True)
        worst = errors_of_all(np.asarray(got), [sweep.as_truth(want, np.dtype("float32"))]).ulp.max()
        assert worst <= promised


@pytest.mark.parametrize("dtype", ["float32", pytest.param("bfloat16", marks=pytest.mark.everything)])
@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(rule, id=rule.name, marks=() if rule.name in BY_VMAP else pytest.mark.slow)
        for rule in PROMISED_RULES
    ],
)
def test_promise_by_vmap_and_eagerly(rule, dtype):
    by = known(rule, dtype, USUAL, kinds(rule)[-1])
    if survey.for_each_example(rule) is rule.manual:
        assert_kept(survey.run(jax.vmap(rule.manual), jnp.dtype(dtype), by.cases.args), by)
    if not is_jitted(rule):
        eager = survey.for_each_example(rule)(*map(jnp.asarray, by.cases.args))
        assert_kept(jax.tree.map(np.asarray, eager), by)


def is_jitted(rule):
    """Whether it is nothing but a form that chooses the quick one, which is compiled in eager calls, too."""
    return rule.name.startswith(("softmax", "log_softmax")) and rule.name not in MATRICES


@pytest.mark.parametrize(
    ("classes", "dtype"),
    [
        pytest.param(classes, dtype, marks=pytest.mark.slow if dtype == "float32" else pytest.mark.everything)
        for classes in (10_000, 100_000)
        for dtype in FLOATS
    ],
)
def test_promise_for_many_classes(classes, dtype):
    for name in FORWARDS_AND_GRADIENT:
        by = known(RULES[name], dtype, classes)
        assert_kept(one_by_one(RULES[name], dtype, by.cases.args), by)


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        pytest.param("two_layer_grads", dtype, marks=() if "float32" in dtype else pytest.mark.everything)
        for dtype in FLOATS
    ]
    + [
        pytest.param("two_layer_vjp", dtype, marks=() if dtype in ("float64", "bfloat16") else pytest.mark.everything)
        for dtype in FLOATS
    ],
)
def test_sums_over_a_batch(name, dtype):
    """The gradients of shared weights: a sum over examples, each with its true value and its magnitude."""
    rule = RULES[name]
    cases = inputs.cases(rule, jnp.dtype(dtype), 10)
    n = len(cases.families)
    _, A, B, *_ = (arg[8] for arg in cases.args)  # hidden units at ±17
    args = [arg if name not in "AB" else {"A": A, "B": B}[name] for name, arg in zip("xAByc", cases.args, strict=False)]
    with jax.enable_x64(dtype == "float64"):
        got = jax.tree.map(np.asarray, jax.jit(rule.manual)(*args))
    exact = [np.asarray(arg, np.float64) if arg.dtype == jnp.dtype(dtype) else arg for arg in args]
    examples = [[arg if i in (1, 2) else arg[k] for i, arg in enumerate(exact)] for k in range(n)]

    def totals():
        pairs = [values_and_magnitudes(rule, tuple(example), floor_of(dtype)) for example in examples]
        return [(sum(pair[i][0] for pair in pairs), sum(pair[i][1] for pair in pairs)) for i in (1, 2)]

    allowed = bound(rule, tuple(examples[0]), jnp.dtype(dtype)) + n / 2 * (dtype in ("float32", "float64"))
    for result, truth in zip(got[1:], certified(totals, jnp.dtype(dtype)), strict=True):
        assert errors(result, truth).ulp.max() <= allowed


@EACH_RULE
def test_never_further_from_the_truth_than_autodiff_by_more_than_one_ulp(rule):
    """Over each kind of family (spreads, margins, …): of a single row, any formula may be lucky.

    In float16 and bfloat16 it follows from the promise, which is half an ULP.
    """
    dtype = jnp.dtype("float32")
    by = known(rule, "float32", USUAL, kinds(rule)[-1])
    mine = largest_by_kind(survey.run(survey.for_each_example(rule), dtype, by.cases.args), by)
    for name, got in survey.run(survey.autodiff(rule, dtype), dtype, by.cases.args).items():
        theirs = largest_by_kind(got, by)
        behind = {kind: (mine[kind], theirs[kind]) for kind in mine if mine[kind] > theirs[kind] + 1}
        assert not behind, f"by hand, by autodiff of {name}: {behind}"


def largest_by_kind(got, by):
    """The largest error of each kind of family that has at least five rows, and of all others together."""
    rows = errors_of_all(got, by.truths).ulp.max(1, initial=0)
    kinds = [family.split(" ")[0] for family in by.cases.families]
    count = Counter(kinds)
    largest = dict.fromkeys(kinds, 0.0)
    for kind, row in zip(kinds, rows, strict=True):
        kind = kind if count[kind] >= 5 else "others"
        largest[kind] = max(largest.get(kind, 0.0), row)
    return largest


def known_softmax():
    return known(RULES["softmax"], "float32", MANY)


def test_a_softmax_of_the_usual_kind_would_fail():
    """What the bound is for: at a spread of 80, `jax.nn.softmax` is wrong by tens of ULP."""
    by = known_softmax()
    usual = survey.worst(survey.run(jax.nn.softmax, jnp.dtype("float32"), by.cases.args), by)
    assert not usual.within
    assert usual.ulp > 20
    assert usual.family.startswith("spread")


@pytest.mark.smoke
@pytest.mark.parametrize("off", [13, -13, 2**22], ids=str)
def test_a_planted_error_of_a_few_ulp_in_one_entry_is_found_where_it_is(off):
    by = known_softmax()
    got = np.array(survey.run(mg.softmax, jnp.dtype("float32"), by.cases.args))
    case = by.cases.families.index("margin 10 over 1.7")
    got.view(np.int32)[case, 17] += off
    worst = survey.worst(got, by)
    assert not worst.within
    assert (worst.family, worst.entry) == ("margin 10 over 1.7", 17)
    assert worst.ulp == pytest.approx(abs(off), abs=3.1)
    assert np.array_equal(worst.args[0], by.cases.args[0][case])


def test_a_false_zero_and_nan_are_found():
    by = known_softmax()
    got = np.array(survey.run(mg.softmax, jnp.dtype("float32"), by.cases.args))
    got[0, 3] = 0
    assert survey.worst(got, by).false_zeros == 1
    got[0, 3] = np.nan
    assert survey.worst(got, by).ulp == np.inf


def test_autodiff_has_false_zeros_where_the_label_is_saturated():
    rule, dtype = RULES["softmax_cross_entropy_grad"], jnp.dtype("float32")
    by = known(rule, "float32", USUAL)
    found = survey.run(survey.autodiff(rule, dtype), dtype, by.cases.args)
    assert survey.worst(found["jax.nn"], by).false_zeros >= 10


def test_the_worse_of_two_is_the_one_that_breaks_its_promise_more():
    near, far = survey.Worst(ulp=15.0, bound=20.0, false_zeros=1), survey.Worst(ulp=4.0, bound=3.0, false_zeros=2)
    assert survey.worse(near, far) == survey.worse(far, near) == far._replace(false_zeros=3)
    truth = as_truth(np.array([[balls.arb(1)], [balls.arb(1)]]), np.array([[balls.arb(1)], [balls.arb(1)]]), np.float32)
    cases = inputs.Cases(["near", "far"], (np.zeros(2),))
    by = survey.Known(cases, [truth], np.array([20.0, 3.0]))
    got = np.array([[1 + 15 * 2.0**-23], [1 + 4 * 2.0**-23]], np.float32)
    assert survey.worst(got, by)[:4] == (4.0, 3.0, 0, "far")
