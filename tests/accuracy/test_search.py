"""The search: it climbs, the same way for the same seed, on both sides of each limit; and the worst that it found."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.accuracy import bounds, search, worst
from manual_grads.accuracy.inputs import Cases
from manual_grads.accuracy.promises import PROMISES
from manual_grads.accuracy.search import Found, Shape
from manual_grads.formulas.stable import quick
from manual_grads.formulas.stable.reductions import widths
from manual_grads.formulas.stable.rows import BLOCK_SIZE, is_quick
from manual_grads.formulas.stable.sums import LARGE_ARRAY_SIZE
from manual_grads.rules import FLOATS, RULES

KEPT = Path(__file__).parent / "worst.json"
FEW = Shape(rows=16, classes=3, above=False)


def climb(steps, seed=0, rule=RULES["softmax"], dtype="float32"):
    return search.climb(rule, dtype, FEW, "index", seed, steps=steps)


@pytest.mark.smoke
def test_a_climb_gets_higher_and_is_the_same_for_the_same_seed_and_steps():
    first, last = climb(1), climb(200)
    assert last.ulp > first.ulp + 0.3
    again = climb(200)
    assert (again.ulp, again.steps) == (last.ulp, 200)
    assert np.array_equal(again.args[0], last.args[0])
    assert not np.array_equal(climb(200, seed=1).args[0], last.args[0])


def lost_at_every_level(classes, share, exponent):
    """A label's loss just below a power of two; beside a 1, each group that joins it is half an ULP, and is lost."""
    row = np.full(classes, -80.0)
    row[:2] = -np.log(np.expm1(0.999 * 2.0**-exponent)), 0
    stride = 1
    for width in widths(classes) or ():
        joined = stride * np.arange(1, width)
        row[joined[joined > 1]] = np.log(share * 2.0**-24)
        stride *= width
    return np.float32(row)


@pytest.mark.parametrize(
    ("name", "labels", "classes", "share", "exponent"),
    [
        ("softmax_cross_entropy", "one-hot", 343, 0.98, 5),  # 17.5 ULP
        ("softmax_cross_entropy", "index", 4096, 1.02, 8),  # 27.3
        ("log_softmax", "", 4096, 1.02, 8),
    ],
)
def test_what_is_lost_at_every_level_is_within_the_bound(name, labels, classes, share, exponent):
    """More than is allowed, for which only hard inputs are drawn: none of those is made for the groups of a row."""
    row = lost_at_every_level(classes, share, exponent)
    args = {"index": (row, np.int32(0)), "one-hot": (row, np.eye(classes, dtype=np.float32)[0]), "": (row,)}[labels]
    shape = Shape(rows=2 * LARGE_ARRAY_SIZE // classes, classes=classes, above=False)
    found = Found(name, "float32", shape, labels, seed=0, steps=1, ulp=0, bound=0, family="", args=args)
    assert search.again(found, RULES[name]).within


def test_an_error_at_one_place_that_no_family_shows_is_climbed_to():
    """A bump of 4000 ULP around s = (1, 2, 3), as wide as a climber must be led to."""

    def bumpy(logits):
        off = ((logits - jnp.arange(1.0, 4.0, dtype=logits.dtype)) ** 2).sum(-1, keepdims=True)
        return RULES["softmax"].manual(logits) * (1 + (logits.dtype == jnp.float32) * 2.0**-11 / (1 + 1e3 * off))

    rule = RULES["softmax"]._replace(manual=bumpy)
    assert climb(1, rule=rule).ulp < 500
    assert max(climb(400, seed, rule).ulp for seed in range(3)) > 2000


def test_balls_lead_where_float64_can_t():
    assert not search.is_led_by_float64(RULES["softmax"], "float64")
    assert not search.is_led_by_float64(RULES["softmax_jvp"], "float32")
    assert search.is_led_by_float64(RULES["softmax"], "float16")
    assert climb(3, dtype="float64").ulp > 0.5


@pytest.mark.parametrize("limit", [17, 33, 64, LARGE_ARRAY_SIZE])
def test_shapes_are_on_both_sides_of_every_limit(limit):
    shapes = search.shapes(RULES["softmax"])
    assert {limit - 1, limit} <= {shape.classes for shape in shapes}
    sizes = [shape.rows * shape.classes for shape in shapes]
    assert any(size == LARGE_ARRAY_SIZE - 1 for size in sizes)
    assert any(size == LARGE_ARRAY_SIZE for size in sizes)
    assert max(s.classes for s in search.shapes(RULES["softmax_jacobian"])) <= search.MAX_CLASSES_OF_MATRICES
    assert {s.classes for s in search.shapes(RULES["logloss"])} == {10}


def test_large_batches_are_climbed_by_the_quick_forms_and_by_the_careful():
    large = [s for s in search.shapes(RULES["softmax"]) if s.rows * s.classes >= LARGE_ARRAY_SIZE]
    assert {s.classes for s in large if s.above} == {s.classes for s in large if not s.above}
    for shape in large:
        assert is_quick(jnp.zeros((shape.rows, shape.classes)))
        assert shape.rows * shape.classes < BLOCK_SIZE  # so that one large row has all of them done with care


def quick_rows(rule, cases):
    """For each row, whether the quick form that the rule calls is right."""
    s, *rest = map(jnp.asarray, cases.args)
    form = {
        "softmax": quick.probabilities,
        "log_softmax": quick.log_probabilities,
        "softmax_vjp": lambda s, t: quick.jacobian_product(s, t, jnp.ones(len(s))),
        "softmax_cross_entropy": quick.index_loss,
        "softmax_cross_entropy_vjp": quick.index_vjp,
        "softmax_cross_entropy_jvp": quick.index_jvp,
    }[rule.name]
    return np.asarray(jax.jit(form)(s, *rest)[1])


@pytest.mark.parametrize(
    "name",
    ["softmax", "log_softmax", "softmax_vjp", "softmax_cross_entropy", "softmax_cross_entropy_vjp"],
)
def test_no_row_of_a_quick_climb_is_one_for_the_careful_forms(name):
    """At the start, and after changes, of which some would go further."""
    rule, random, shape = RULES[name], np.random.default_rng(0), Shape(rows=410, classes=10, above=False)
    cases = search.start(rule, "float32", shape, "index", random)
    ranges = [(-200, 200), *((arg.min(), arg.max()) for arg in cases.args[1:])]
    refused = 0
    for _ in range(10):
        assert quick_rows(rule, cases).all()
        args = search.changed(cases.args, ranges, random)
        allowed = search.is_of(rule, shape, args)
        refused += (~allowed).sum()
        cases = Cases(cases.families, search.chosen(allowed, args, cases.args))
    assert 10 < refused < 2000


def test_the_largest_numbers_are_changed_to_finite_ones():
    largest = float(np.finfo(np.float64).max)
    args = (np.full((50, 3), largest), np.full((50, 3), -largest))
    for _ in range(20):
        for arg in search.changed(args, [(-largest, largest)] * 2, np.random.default_rng(0)):
            assert np.isfinite(arg).all()
    assert search.unit(np.array([largest, 1.0, 1.99, 2.0]), np.float64).tolist() == [
        2.0**971,
        *[2.0**-52] * 2,
        2.0**-51,
    ]


def test_any_row_may_be_climbed_with_care():
    random = np.random.default_rng(0)
    for shape in (Shape(rows=409, classes=10, above=False), Shape(rows=411, classes=10, above=True)):
        cases = search.start(RULES["softmax"], "float64", shape, "index", random)
        assert abs(cases.args[0]).max() > 1e4


def test_the_rows_that_choose_the_form_are_in_the_batch():
    row = np.zeros(3, np.float32)
    (batch,) = search.batch_of(RULES["softmax"], Shape(4, 3, above=True), (row,))
    assert batch.shape == (4, 3)
    assert not batch[:-1].any()
    assert (batch[-1] > search.MAX_LOGIT).all()
    (batch,) = search.batch_of(RULES["softmax"], Shape(4, 3, above=False), (row,))
    assert not batch.any()


def test_what_is_kept_is_the_same_to_the_last_bit(tmp_path):
    one = climb(2)._replace(args=(np.array([0.1, -0.0, 1e-40], jnp.bfloat16), np.int32(7)))
    worst.write(tmp_path / "worst.json", [one], {"versions": {}})
    (read,) = worst.read(tmp_path / "worst.json")
    assert read._replace(args=()) == one._replace(args=())
    for mine, kept in zip(one.args, read.args, strict=True):
        assert mine.tobytes() == kept.tobytes()
        assert (mine.dtype, mine.shape) == (kept.dtype, kept.shape)


def test_the_worst_is_so_relative_to_the_promise():
    one = climb(1)
    near, far = one._replace(ulp=15.0, bound=20.0), one._replace(ulp=4.0, bound=3.0)
    assert worst.worst_of([near, far]) == worst.worst_of([far, near]) == {("softmax", "float32"): far}


def found() -> list:
    """Every find; but for the float32 of the sharpest bounds, they are many compilations for little that is new."""

    def is_daily(one: Found) -> bool:
        return one.dtype == "float32" and one.name in (*bounds.OF_ROWS, "softmax_jvp")

    return [
        pytest.param(
            one,
            id=f"{one.name}-{one.dtype}",
            marks=[
                *([] if is_daily(one) else [pytest.mark.slow]),
            ],
        )
        for one in worst.read(KEPT)
    ]


@pytest.mark.parametrize("one", found())
def test_no_bound_is_exceeded_by_the_worst_that_was_found(one: Found):
    again = search.again(one, RULES[one.name])
    assert again.within, f"{again.ulp:.3g} ULP, bound {again.bound:.3g}, {one.shape}, from {one.family}: {one.args}"


def test_every_rule_and_format_has_been_climbed():
    assert {(one.name, one.dtype) for one in worst.read(KEPT)} == {
        (name, dtype) for name in PROMISES for dtype in FLOATS
    }
