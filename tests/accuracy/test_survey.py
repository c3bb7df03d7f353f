"""Every rule keeps its promise on every family of inputs: jitted, one example at a time, batched, and by vmap."""

import inspect
from collections import Counter
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads as mg
from manual_grads.accuracy import inputs, survey
from manual_grads.accuracy.promises import bound, floor_of, values_and_magnitudes
from manual_grads.accuracy.ulp import certified, errors, errors_of_all
from manual_grads.formulas.sums import MANY
from manual_grads.rules import FLOATS, RULES
from tests.registry import PROMISED_RULES

FORWARDS_AND_GRADIENT = ("softmax", "log_softmax", "softmax_cross_entropy", "softmax_cross_entropy_grad")
MATRICES = ("softmax_jacobian", "softmax_cross_entropy_hessian")


def sizes(name, dtype):
    """The numbers of classes to try; those of a network stand for a small and a large one."""
    if name in FORWARDS_AND_GRADIENT:
        return (1, 2, 10, 200)
    if name in MATRICES:
        return (1, 2, 10)
    if name.startswith(("sigmoid", "logloss")):
        return (3,)
    return (3, 200) if dtype in ("float32", "float64") else (3,)


def kinds(rule):
    return inputs.LABELS if "labels" in inspect.signature(rule.manual).parameters else inputs.LABELS[:1]


EVERYTHING = [
    pytest.param(
        *(rule, dtype, classes, kind),
        id=f"{rule.name}-{dtype}-{classes}-{kind}",
        # In 16 bits it is float32's result, rounded: for every day, one size shows that.
        marks=pytest.mark.everything if classes in (1, 2, 200) and dtype in ("float16", "bfloat16") else (),
    )
    for rule in PROMISED_RULES
    for dtype in FLOATS
    for classes in sizes(rule.name, dtype)
    for kind in kinds(rule)
    if not (rule.name.startswith("two_layer") and (classes, kind) == (200, "distribution"))  # slow, and nothing new
]


def known(rule, dtype, classes, kind="index"):
    return survey.known(rule, jnp.dtype(dtype), inputs.cases(rule, jnp.dtype(dtype), classes, kind))


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


def repeated_below_64(by):
    """The examples with no logit above 64, as often as it takes for the faster exponentials to be chosen."""
    logits = by.cases.args[0].astype(float)
    below = np.flatnonzero(logits.max(-1) < 64)
    rows = np.resize(below, max(len(below), -(-MANY // logits.shape[-1])))
    cases = inputs.Cases([by.cases.families[row] for row in rows], tuple(arg[rows] for arg in by.cases.args))
    truths = [truth._replace(high=truth.high[rows], low=truth.low[rows], unit=truth.unit[rows]) for truth in by.truths]
    return survey.Known(cases, truths, by.bounds[rows])


@pytest.mark.parametrize(("rule", "dtype", "classes", "kind"), EVERYTHING)
def test_promise(rule, dtype, classes, kind):
    by = known(rule, dtype, classes, kind)
    assert_kept(survey.run(survey.for_each_example(rule), jnp.dtype(dtype), by.cases.args), by)
    if rule.name.startswith(("softmax", "log_softmax")):
        many = repeated_below_64(by)
        assert_kept(survey.run(rule.manual, jnp.dtype(dtype), many.cases.args), many)
    if len(by.cases.families) < 1000:  # sigmoid is elementwise: one number at a time would show nothing else
        assert_kept(one_by_one(rule, dtype, by.cases.args), by)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("rule", PROMISED_RULES, ids=lambda rule: rule.name)
def test_promise_by_vmap_and_eagerly(rule, dtype):
    by = known(rule, dtype, 3)
    assert_kept(survey.run(jax.vmap(rule.manual), jnp.dtype(dtype), by.cases.args), by)
    eager = survey.for_each_example(rule)(*map(jnp.asarray, by.cases.args))
    assert_kept(jax.tree.map(np.asarray, eager), by)


@pytest.mark.parametrize(
    ("classes", "dtype"),
    [
        pytest.param(classes, dtype, marks=() if dtype == "float32" else pytest.mark.everything)
        for classes in (10_000, 100_000)
        for dtype in FLOATS
    ],
)
def test_promise_for_many_classes(classes, dtype):
    for name in FORWARDS_AND_GRADIENT:
        by = known(RULES[name], dtype, classes)
        assert_kept(one_by_one(RULES[name], dtype, by.cases.args), by)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["two_layer_grads", "two_layer_vjp"])
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


@pytest.mark.parametrize("rule", PROMISED_RULES, ids=lambda rule: rule.name)
def test_never_further_from_the_truth_than_autodiff_by_more_than_one_ulp(rule):
    """Over each kind of family (spreads, margins, …): of a single row, any formula may be lucky.

    In float16 and bfloat16 it follows from the promise, which is half an ULP.
    """
    dtype = jnp.dtype("float32")
    by = known(rule, dtype, 10, kinds(rule)[-1])
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


@cache
def known_softmax():
    return known(RULES["softmax"], "float32", 200)


def test_a_softmax_of_the_usual_kind_would_fail():
    """What the bound is for: at a spread of 80, `jax.nn.softmax` is wrong by tens of ULP."""
    by = known_softmax()
    usual = survey.worst(survey.run(jax.nn.softmax, jnp.dtype("float32"), by.cases.args), by)
    assert not usual.within
    assert usual.ulp > 20
    assert usual.family.startswith("spread")


@pytest.mark.parametrize("off", [8, -8, 2**22], ids=str)
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
    by = known(rule, dtype, 3)
    found = survey.run(survey.autodiff(rule, dtype), dtype, by.cases.args)
    assert survey.worst(found["jax.nn"], by).false_zeros > 10
