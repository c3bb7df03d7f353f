"""The search: climbs from the hard families to the inputs at which a rule's error is the largest.

Each row of a batch is a climber. A step changes every row at random, and keeps a change where the error has not become
smaller. The best of a climb is then measured alone, by balls, in a batch that holds nothing else: that is what is told.

The climbers of float32 and of the 16-bit formats are led by the same rule in float64 (which is measured by balls
itself): it is some hundred times as fast, and exact to 2⁻²⁹ of their ULP.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from inspect import signature
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.random import Generator

from manual_grads.accuracy import inputs, survey
from manual_grads.accuracy.inputs import Cases
from manual_grads.accuracy.promises import PROMISES, bound, derived, is_sharp
from manual_grads.accuracy.sweep import as_truth
from manual_grads.accuracy.ulp import errors_of_all
from manual_grads.formulas.stable.parts import MAX_FEW, MIN_GROUPED
from manual_grads.formulas.stable.reductions import MAX_LAST
from manual_grads.formulas.stable.row_sums import MAX_LOGIT, MAX_SUM, MIN_LOGIT, MIN_SUM, MIN_VECTORIZED
from manual_grads.formulas.stable.sums import LARGE_ARRAY_SIZE
from manual_grads.rules import Rule

# Of a climb on one shape: two are compilation, in the worst case.
CLIMB_SECONDS = 5.0
# Of balls at a step, so that a step takes a tenth of a second: each is some 30 µs.
BALLS_PER_STEP = 3000
# Steps after which the worse half of the climbers takes the places of the better half.
STEPS_BETWEEN_SELECTIONS = 25
# Matrices of more classes have more entries than a step has time for.
MAX_CLASSES_OF_MATRICES = 100
# The last with which a form runs, and the first with which the next one does.
CLASSES_AT_LIMITS = tuple(
    classes for limit in (MAX_LAST + 1, MAX_FEW + 1, MIN_VECTORIZED, MIN_GROUPED) for classes in (limit - 1, limit)
)
# Those in whose groups most is lost, by a loss of class indices and of distributions.
CLASSES_THAT_LOSE_MOST = (56, 343)
NUMBERS_OF_CLASSES = tuple(sorted({2, 3, 10, 31, 100, 1000, *CLASSES_THAT_LOSE_MOST, *CLASSES_AT_LIMITS}))


class Shape(NamedTuple):
    """What decides which form is compiled and runs."""

    rows: int
    classes: int
    above: bool  # whether the last row's logits are too large for the quick forms, so that none of its block is quick


class Found(NamedTuple):
    """The largest error of a climb, measured by balls at one example that fills the batch."""

    name: str
    dtype: str
    shape: Shape
    labels: str
    seed: int  # of the climb, which so many steps make again
    steps: int
    ulp: float
    bound: float  # the derived one
    family: str  # from which the climber set out
    args: tuple[np.ndarray, ...]

    @property
    def share(self) -> float:
        """The error as a part of the derived bound, which is to hold for any input."""
        return self.ulp / self.bound

    @property
    def within(self) -> bool:
        """Whether the bound holds."""
        return self.share <= 1


def shapes(rule: Rule) -> list[Shape]:
    """Shapes just below and at each limit of a form; the large ones once for the quick forms, once for the careful."""
    matrices = any(word in rule.name for word in ("jacobian", "hessian"))
    counts = [k for k in NUMBERS_OF_CLASSES if not (matrices and k > MAX_CLASSES_OF_MATRICES)]
    if not takes_logits(rule):
        counts = [10]
    below = [Shape(max(1, (LARGE_ARRAY_SIZE - 1) // k), k, above=False) for k in counts if k < LARGE_ARRAY_SIZE]
    enough = [Shape(max(2, -(-LARGE_ARRAY_SIZE // k)), k, above=False) for k in counts]
    more = [shape._replace(above=True, rows=shape.rows + 1) for shape in enough] if takes_logits(rule) else []
    return below + enough + more


def search(jobs: list[tuple[Rule, str]], seconds: float, seed: int) -> Iterator[Found]:
    """The largest error of each climb: every rule and format in turn, on one shape after the other, until time is up.

    Each is climbed once at least, however short the time.
    """
    end = time.monotonic() + seconds
    turn = 0
    while turn == 0 or time.monotonic() < end:
        for i, (rule, dtype) in enumerate(jobs):
            left = end - time.monotonic()
            if turn and left <= 0:
                return
            random = np.random.default_rng((seed, turn, i))
            every = shapes(rule)
            shape = every[np.random.default_rng((seed, i)).permutation(len(every))[turn % len(every)]]
            kind = str(random.choice(inputs.LABELS if len(rule.label_kinds) > 1 else inputs.LABELS[:1]))
            share = CLIMB_SECONDS if turn else min(CLIMB_SECONDS, left / (len(jobs) - i))
            yield climb(rule, dtype, shape, kind, int(random.integers(2**31)), seconds=share)
        turn += 1


def climb(
    rule: Rule, dtype: str, shape: Shape, labels: str, seed: int, seconds: float = math.inf, steps: float = math.inf
) -> Found:
    """The largest error that climbers find in some seconds or steps; the first step is where they set out from."""
    random = np.random.default_rng(seed)
    cases = start(rule, dtype, shape, labels, random)
    error = judge_of(rule, dtype, shape, cases)
    ranges = [(arg.min(), arg.max()) for arg in cases.args]
    height, step, end = error(cases), 1, time.monotonic() + seconds
    while step < steps and time.monotonic() < end:
        args = changed(cases.args, ranges, random)
        allowed = is_of(rule, shape, args)
        moved = Cases(cases.families, chosen(allowed, args, cases.args))
        new = error(moved)
        better = new >= height
        height = np.where(better, new, height)
        cases = Cases(cases.families, chosen(better, moved.args, cases.args))
        step += 1
        if step % STEPS_BETWEEN_SELECTIONS == 0:
            best = np.resize(np.argsort(-height)[: -(-len(height) // 2)], len(height))
            cases, height = taken(cases, best), height[best]
    top = int(np.argmax(height))
    args = tuple(arg[top] for arg in cases.args)
    found = Found(
        name=rule.name,
        dtype=dtype,
        shape=shape,
        labels=labels,
        seed=seed,
        steps=step,
        ulp=0.0,
        bound=1.0,
        family=cases.families[top],
        args=args,
    )
    return again(found, rule)


def again(found: Found, rule: Rule) -> Found:
    """What a climb found, measured anew by balls."""
    by = survey.known(rule, jnp.dtype(found.dtype), one_row(found.family, found.args))
    got = survey.run(survey.for_each_example(rule), found.dtype, batch_of(rule, found.shape, found.args))
    got = jax.tree.map(lambda leaf: leaf[:1], got)
    worst = survey.worst(got, by)
    return found._replace(ulp=worst.ulp, bound=derived(rule, by.cases.exact(0), jnp.dtype(found.dtype)))


def one_row(family: str, args: Iterable[np.ndarray]) -> Cases:
    """One example as cases."""
    return Cases([family], tuple(np.asarray(arg)[None] for arg in args))


def batch_of(rule: Rule, shape: Shape, args: Iterable[np.ndarray]) -> tuple[np.ndarray, ...]:
    """A batch of one example, repeated; but the last row's logits are large where some are to be."""
    batch = tuple(np.repeat(np.asarray(arg)[None], shape.rows, 0) for arg in args)
    return with_large_logits(rule, shape, batch)


def with_large_logits(rule: Rule, shape: Shape, batch: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """A batch whose last row has logits that are too large for the quick forms, if the shape says so."""
    if shape.above and takes_logits(rule):
        batch[0][-1] = 2 * MAX_LOGIT
    return batch


def is_of(rule: Rule, shape: Shape, args: tuple[np.ndarray, ...]) -> np.ndarray:
    """Which rows are computed by the forms that a shape is for: one that isn't quick would have its block done again.

    The quick forms do these rows for any label: no sum that they divide by is too large or too small.
    """
    rows = len(args[0])
    if not takes_logits(rule) or shape.above or shape.rows * shape.classes < LARGE_ARRAY_SIZE:
        return np.ones(rows, bool)
    s = np.sort(args[0].astype(np.float64), axis=-1)
    smallest = math.log(MIN_SUM)
    largest = min(MAX_LOGIT, math.log(MAX_SUM / shape.classes))
    labelled = "labels" in signature(rule.manual).parameters
    second = s[:, max(shape.classes - 2, 0)]
    return (
        (s[:, 0] > (smallest if labelled else MIN_LOGIT)) & (second > smallest) & (0 <= s[:, -1]) & (s[:, -1] < largest)
    )


def chosen(which: np.ndarray, these: tuple[np.ndarray, ...], others: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Arguments of which some rows are these, and the rest the others."""
    return tuple(np.where(along(which, a), a, b) for a, b in zip(these, others, strict=True))


def takes_logits(rule: Rule) -> bool:
    """Whether the first argument is a row of logits."""
    return next(iter(signature(rule.manual).parameters)) == "logits"


def start(rule: Rule, dtype: str, shape: Shape, labels: str, random: Generator) -> Cases:
    """Examples of the hard families, of several seeds, whose bounds are in ULP of the value if the rule has such."""
    fast = is_led_by_float64(rule, dtype)
    count = shape.rows if fast else max(1, min(shape.rows, BALLS_PER_STEP // shape.classes))
    drawn: list[Cases] = []
    while sum(len(cases.families) for cases in drawn) < count:
        cases = inputs.cases(rule, jnp.dtype(dtype), shape.classes, labels, int(random.integers(2**31)))
        allowed = np.flatnonzero(is_of(rule, shape, cases.args)).tolist()
        sharp = [i for i in allowed if not fast or is_sharp(rule, cases.exact(i))]
        drawn.append(taken(cases, random.permutation(sharp)))
    families = [family for cases in drawn for family in cases.families]
    args = (np.concatenate(columns) for columns in zip(*(cases.args for cases in drawn), strict=True))
    return taken(Cases(families, tuple(args)), np.arange(count))


def taken(cases: Cases, rows: np.ndarray) -> Cases:
    """Some of the cases."""
    return Cases([cases.families[i] for i in rows], tuple(arg[rows] for arg in cases.args))


def is_led_by_float64(rule: Rule, dtype: str) -> bool:
    """Whether the rule in float64 is the truth of a climb: its bound must be in ULP of the value."""
    return dtype != "float64" and PROMISES[rule.name].ulp is not None


def judge_of(rule: Rule, dtype: str, shape: Shape, like: Cases) -> Callable[[Cases], np.ndarray]:
    """A function to the largest error of each case, as a part of what is promised."""
    function = jax.jit(survey.for_each_example(rule))

    def results(args: tuple[np.ndarray, ...], dtype: str) -> Any:
        batch = tuple(np.resize(arg, (shape.rows, *arg.shape[1:])) for arg in args)
        with jax.enable_x64(dtype == "float64"):
            return jax.tree.map(
                lambda leaf: np.asarray(leaf)[: len(args[0])], function(*with_large_logits(rule, shape, batch))
            )

    def by_float64(cases: Cases) -> np.ndarray:
        wide = tuple(arg.astype(np.float64) if jnp.issubdtype(arg.dtype, jnp.floating) else arg for arg in cases.args)
        truths = [as_truth(leaf, jnp.dtype(dtype)) for leaf in jax.tree.leaves(results(wide, "float64"))]
        return errors_of_all(results(cases.args, dtype), truths).ulp.max(1) / promised

    def by_balls(cases: Cases) -> np.ndarray:
        by = survey.known(rule, jnp.dtype(dtype), cases)
        return errors_of_all(results(cases.args, dtype), by.truths).ulp.max(1) / by.bounds

    promised = bound(rule, like.exact(0), jnp.dtype(dtype))
    return by_float64 if is_led_by_float64(rule, dtype) else by_balls


def changed(args: tuple[np.ndarray, ...], ranges: list[tuple[Any, Any]], random: Generator) -> tuple[np.ndarray, ...]:
    """Every row changed in some way, within the ranges that the families span; labels by those of other rows."""
    rows = len(args[0])
    changed = []
    for arg, (lowest, highest) in zip(args, ranges, strict=True):
        other = arg[random.permutation(rows)]
        if not jnp.issubdtype(arg.dtype, jnp.floating) or is_label_like(arg):
            changed.append(np.where(along(random.random(rows) < 0.1, arg), other, arg))
            continue
        x = arg.astype(np.float64)
        entries = random.random(x.shape) < along(2.0 ** -random.uniform(0, 6, rows), x)
        step = along(2.0 ** random.uniform(0, 24, rows), x) * np.abs(random.normal(size=x.shape))
        ulps = np.where(entries, np.round(step) * random.choice([-1, 1], x.shape), 0) * unit(x, arg.dtype)
        factor = 1 + along(2.0 ** -random.uniform(0, 20, rows), x) * random.normal(size=x.shape)
        shift = along(2.0 ** random.uniform(-24, 5, rows) * random.normal(size=rows), x)
        with np.errstate(over="ignore"):  # what is too large is clipped
            ways = [
                x + ulps,
                x * np.where(entries, factor, 1),
                x + shift,
                np.where(entries, other.astype(np.float64), x),
                np.where(entries, random.permuted(x, axis=-1) if x.ndim > 1 else x, x),
            ]
        way = random.integers(len(ways), size=rows)
        moved = np.select([along(way == i, x) for i in range(len(ways))], ways)
        moved = np.clip(moved, np.float64(lowest), np.float64(highest)).astype(arg.dtype)
        subnormal = np.abs(moved) < float(jnp.finfo(arg.dtype).smallest_normal)  # XLA takes them for zero
        changed.append(np.where(subnormal, np.zeros_like(moved), moved))
    return tuple(changed)


def is_label_like(arg: np.ndarray) -> bool:
    """Whether every row is a one-hot label."""
    return arg.ndim == 2 and bool(((arg == 0) | (arg == 1)).all() and (arg.astype(np.float64).sum(-1) == 1).all())


def unit(x: np.ndarray, dtype: Any) -> np.ndarray:
    """An ULP of each number."""
    info = jnp.finfo(dtype)
    _, exponent = np.frexp(np.maximum(np.abs(x), float(info.smallest_normal)))  # of a mantissa from a half to one
    return np.ldexp(float(info.eps), exponent - 1)


def along(row: np.ndarray, array: np.ndarray) -> np.ndarray:
    """A number a row, with axes of length one for the others of an array."""
    return row.reshape(-1, *[1] * (array.ndim - 1))
