"""Inputs that are hard in some way: the families that every rule is measured on, by the names of its arguments."""

import math
from collections.abc import Iterator
from inspect import signature
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.random import Generator

from manual_grads.rules import Rule, Sizes

# How far logits are apart: flat, usual, where exp's argument is rounded, where terms underflow, and float32's largest.
SPREADS = (1e-6, 1e-2, 1.0, 10.0, 40.0, 80.0, 300.0, 1e4, 2e38)
# Of one logit over the others: some near a class that holds half of g; from 16.7, g − 1 is 0 in float32; from 87.3,
# the others underflow.
MARGINS = (0.5, 10.0, 16.7, 20.0, 40.0, 60.0, 80.0, 87.3, 88.0, 100.0)
LABELS = ("index", "distribution")
# Sizes of networks: inputs, hidden units, classes.
NETWORK = (3, 4, 3)
LARGE_NETWORK = (60, 40, 10)
# Classes from which rows are few: the true values of one with more take a second.
MANY_CLASSES = 1000

Named = Iterator[tuple[str, np.ndarray]]


class Cases(NamedTuple):
    """Examples of one shape: the family of each, and the arguments, with one leading axis, in the dtype."""

    families: list[str]
    args: tuple[np.ndarray, ...]

    def exact(self, i: int) -> tuple[Any, ...]:
        """The arguments of one example, floats in float64, which holds every format exactly."""
        return tuple(a[i].astype(np.float64) if jnp.issubdtype(a.dtype, jnp.floating) else a[i] for a in self.args)


def cases(rule: Rule, dtype: Any, classes: int = 10, labels: str = "index", seed: int = 0) -> Cases:
    """The families for a rule's arguments, rounded to the dtype; `classes` is their size, `labels` one of `LABELS`."""
    # The names of the arguments, and how many axes each has for one example.
    names = list(signature(rule.manual).parameters)
    axes = dict(zip(names, (arg.ndim for arg in rule.example(jax.random.key(0), jnp.float32, Sizes())), strict=True))
    # The first of them but the label, from the families; and the scores that say which class a label would saturate.
    random = np.random.default_rng((seed, classes))
    if "A" in names or "weights" in names:
        sizes = NETWORK if classes <= 10 else LARGE_NETWORK
        base = networks(random, *sizes) if "A" in names else layers(random, *sizes[1:])
        families, *columns = zip(*base, strict=True)
        scores = np.zeros((len(families), sizes[-1]))
        scores[:, 0] = 1  # the label that some of them saturate
    else:
        base = {
            "z": vectors if axes.get("z") else numbers,
            "logits": many_logits if classes > MANY_CLASSES else logits,
            "probs": probabilities,
        }[names[0]]
        families, rows = zip(*base(random, dtype, classes), strict=True)
        columns, scores = [rows], np.asarray(rows)
    unlabelled = (name for name in names if name != "labels")
    drawn = {name: np.asarray(x, np.float64).astype(dtype) for name, x in zip(unlabelled, columns, strict=False)}
    # The others, by their names.
    for name in names:
        if name == "labels":
            drawn[name] = draw_labels(random, scores, labels, dtype)
        elif name not in drawn:
            shape = scores.shape[: 1 + axes[name]]
            drawn[name] = (directions(random, shape) if axes[name] else cotangents(random, *shape)).astype(dtype)
    return Cases(list(families), tuple(drawn[name] for name in names))


def logits(random: Generator, dtype: Any, classes: int) -> Named:
    """Rows of logits."""
    limit = float(jnp.finfo(dtype).max) / 4
    for spread in SPREADS:
        row = random.uniform(-1, 1, classes) * min(spread, limit)
        yield f"spread {spread:g}", row
        yield f"spread {spread:g} below 0", row - abs(row).max()
        yield f"spread {spread:g}, sorted", np.sort(row) + 7.3
    for margin in MARGINS:
        for offset in (0.0, -margin, 1.7):
            row = np.full(classes, offset) + random.uniform(0, 1e-3, classes)
            row[-1] = offset + margin
            yield f"margin {margin:g} over {offset:g}", row
        row = -np.exp(random.uniform(-7, math.log(margin), classes))
        row[0] = 0
        yield f"up to {margin:g} below", row
    near_overflow = math.log(float(jnp.finfo(dtype).max)) + random.uniform(-1, 1, classes)
    yield "e^s near overflow", near_overflow
    yield (
        "g near underflow",
        np.where(np.arange(classes), math.log(float(jnp.finfo(dtype).tiny)), 0) + random.uniform(-1, 1, classes),
    )
    yield "largest differences", random.choice([-2.0, 0.0, 1.0, 2.0], classes) * limit
    yield "ties at the top", np.where(np.arange(classes) % 3, 5.0, -random.uniform(0, 9))
    yield "equal", np.zeros(classes)
    yield "signed zeros", np.where(np.arange(classes) % 2, -0.0, 0.0)
    yield "half an ULP each", half_an_ulp_each(random, dtype, classes)
    yield "two tie, the others lost beside them", two_tie(random, classes)
    yield "the others lost beside the second", lost_beside_the_second(random, dtype, classes)


def lost_beside_the_second(random: Generator, dtype: Any, classes: int) -> np.ndarray:
    r"""Beside an exponential of 1, each of the others is rounded up to an ULP of it; a larger one is the label's.

    Its loss is just below a power of two, so that an ULP of it is as small as it can be.
    """
    row = np.full(classes, math.log(1.02 * half_an_ulp(dtype)))
    row[:1] = 0
    row[1:2] = -math.log(math.expm1(0.999 * 2.0 ** -random.integers(1, 8)))
    return random.permutation(row)


def two_tie(random: Generator, classes: int) -> np.ndarray:
    """Two logits are the largest by some 17: to add another's exponential to theirs in float32 rounds it off."""
    return random.permutation(np.where(np.arange(classes) < 2, 0, random.uniform(-17.5, -16.5, classes)))


def half_an_ulp_each(random: Generator, dtype: Any, classes: int) -> np.ndarray:
    """One exponential is 1, and each of the others is just lost beside it, wherever it is added to it."""
    return np.where(np.arange(classes) == random.integers(classes), 0.0, math.log(half_an_ulp(dtype)))


def half_an_ulp(dtype: Any) -> float:
    """That of 1, in the format that a dtype is computed in."""
    return float(jnp.finfo(jnp.promote_types(dtype, jnp.float32)).eps) / 2


def many_logits(random: Generator, dtype: Any, classes: int) -> Named:
    """Two rows of very many logits: the true values of more would take minutes."""
    row = random.normal(0, 3, classes)
    row[17] = row.max() + 12
    yield "dominant, but not by far", row
    yield "half an ULP each", half_an_ulp_each(random, dtype, classes)


def numbers(random: Generator, dtype: Any, classes: int) -> Named:
    """Numbers z, of all sizes up to where σ underflows, and beyond."""
    del classes
    info = jnp.finfo(dtype)
    edge = -math.log(float(info.smallest_normal))
    tiny, largest = float(info.smallest_normal), float(info.max)
    sizes = {
        "even": np.linspace(0, edge, 1500),
        "of all sizes": np.exp(random.uniform(-20, math.log(edge), 1500)),
        "edge of underflow": np.linspace(edge - 1, edge + 1, 100),
        "smallest and largest": np.array([0.0, tiny, largest / 2, largest]),
    }
    for name, size in sizes.items():
        for z in (*size, *-size):
            yield name, z


def vectors(random: Generator, dtype: Any, classes: int) -> Named:
    """Vectors of the numbers z that `numbers` gives."""
    named = list(numbers(random, dtype, classes))
    n = min(classes, 4)
    for i in range(0, len(named) - n, 7 * n):  # one in seven is enough: it is the same function
        yield named[i][0], np.array([z for _, z in named[i : i + n]])


def probabilities(random: Generator, dtype: Any, classes: int) -> Named:
    """Rows of probabilities; nothing here needs them to sum to one."""
    info = jnp.finfo(dtype)
    eps, tiny = float(info.eps), float(info.smallest_normal)
    for _ in range(40):
        yield "down to e^-9", np.exp(-random.uniform(0, 9, classes))
        yield "near one", 1 - np.minimum(0.5, eps / 2 * np.floor(np.exp(random.uniform(0, 6, classes))))
        yield "of all sizes", np.exp(random.uniform(math.log(tiny), 0, classes))
    yield "smallest", np.full(classes, tiny)
    yield "one", np.ones(classes)


def networks(random: Generator, inputs: int, hidden: int, classes: int) -> Iterator[tuple[Any, ...]]:
    """Networks: family, x, A and B."""
    for scale in (0.01, 0.3, 1.0, 1.0, 1.0, 3.0):
        x, A, B = (random.normal(0, scale, shape) for shape in ((inputs,), (hidden, inputs), (classes, hidden)))
        yield f"scale {scale:g}", x, A / math.sqrt(inputs), B
    for w in (8.0, 17.0, 20.0, 30.0):
        x, B = random.uniform(0.5, 1, inputs), random.normal(size=(classes, hidden))
        signs = np.where(np.arange(hidden) % 2, -1, 1)
        A = np.outer(signs * w + random.normal(0, 0.1, hidden), x / (x @ x))
        yield f"hidden at ±{w:g}", x, A, B
        for margin in (20.0, 40.0):
            favour = np.where(np.arange(classes) == 0, margin, 0)[:, None] / (hidden / 2)
            yield f"hidden ±{w:g}, margin {margin:g}", x, A, B / hidden + favour
    for margin in (10.0, 17.0, 20.0, 30.0, 60.0):
        x, A, B = (random.normal(size=shape) for shape in ((inputs,), (hidden, inputs), (classes, hidden)))
        h = 1 / (1 + np.exp(-A @ x))
        B[0] += (margin + (B[1:] @ h).max() - B[0] @ h) * h / (h @ h)
        yield f"margin {margin:g}", x, A, B


def layers(random: Generator, hidden: int, classes: int) -> Iterator[tuple[Any, ...]]:
    """Linear layers with every option: family, h, B, b, α, w, c, ε and λ; of smoothing and z-loss, sometimes none.

    The first class leads by a margin in some, of logits that are hardly capped.
    """
    for scale in (0.01, 0.3, 1.0, 1.0, 1.0, 3.0):
        for cap in (3.0, 30.0):
            h, B, b = (random.normal(0, scale, shape) for shape in ((hidden,), (classes, hidden), (classes,)))
            alpha, w = random.normal(), random.uniform(0, 2, classes)
            yield f"scale {scale:g}, cap {cap:g}", h, B, b, alpha, w, cap, random.uniform(0, 0.9), random.random()
    # Each twice: the label of the one, but not of the other, is the class that leads.
    for margin in np.repeat((10.0, 17.0, 20.0, 30.0, 60.0), 2):
        for eps, lam in ((0.0, 0.0), (0.1, 0.0), (0.0, 1e-3)):
            h, B = (random.normal(size=shape) for shape in ((hidden,), (classes, hidden)))
            b, w = random.normal(size=classes), random.uniform(0.5, 2, classes)
            B[0] += (margin + b.max() - b[0] + (B[1:] @ h).max() - B[0] @ h) * h / (h @ h)
            yield f"margin {margin:g}, ε {eps:g}, λ {lam:g}", h, B, b, 1.0, w, 100.0, eps, lam
        # The one that leads has a logit of 0: so is ln Z, nearly.
        first = np.arange(classes) == 0
        B, b = np.where(first[:, None], 0, B / 10), np.where(first, 0, -margin)
        yield f"normalizer 1, margin {margin:g}", h, B, b, 1.0, w, 100.0, 0.0, 0.3


def draw_labels(random: Generator, scores: np.ndarray, kind: str, dtype: Any) -> np.ndarray:
    """Labels, of which every second is the class of the largest score: that is where `g − y` cancels."""
    n, classes = scores.shape
    index = random.integers(classes, size=n)
    index[::2] = scores[::2].argmax(-1)
    if kind == "index":
        return index.astype(np.int32)
    y = (np.arange(classes) == index[:, None]).astype(float)
    y[1::4] = random.uniform(0.1, 1, y[1::4].shape)  # sums to more than one
    y[2::4] = 0.9 * y[2::4] + 0.1 / classes  # smoothed
    y[5::8] = np.where(random.uniform(size=y[5::8].shape) < 0.5, 0, y[5::8])
    return y.astype(dtype)


def directions(random: Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Tangents of logits, or cotangents of probabilities: normal, with a large offset, constant, and one-hot."""
    t = random.normal(0, 2, shape)
    t[1::4] += 1000
    t[2::8] = random.normal(size=t[2::8, :1].shape)
    t[3::8] = np.arange(shape[1]) == random.integers(shape[1], size=(len(t[3::8]), 1))
    return t


def cotangents(random: Generator, n: int) -> np.ndarray:
    """Cotangents of losses: normal, and as small and large as a mean or a loss scale makes them."""
    c = random.normal(0, 2, n)
    c[1::4], c[2::4] = 1 / 1024, 1024
    return c
