"""Points to try a gradient at, all made from one example: its neighbourhood, every scale, every special case."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.arrays import Leaf, Rows
from manual_grads.checking.claim import Claim
from manual_grads.checking.trials.domains import Law
from manual_grads.checking.trials.switches import at_switches
from manual_grads.checking.trials.values import ExampleLeaf, Values, example_leaf

# How many points are drawn at each scale. A thorough check tries every power of ten at which functions change their
# form (underflow, saturation, overflow); a quick one the fewest that find most errors.
POINTS_AT_SCALE = {1e-8: 1, 1e-6: 1, 1e-4: 2, 1e-2: 2, 0.3: 3, 1.0: 7, 3.0: 4, 10.0: 4, 30.0: 3, 100.0: 2, 1000.0: 1}
POINTS_AT_SCALE_QUICKLY = {0.01: 1, 1.0: 4, 10.0: 2, 30.0: 1, 1000.0: 1}
POINTS_AT_A_SCALE = 6  # where the caller says at which
NARROW_MAX = 1e5  # a format whose largest number is below this, as float16's 65504, can't hold large squares
NARROW_SCALES = 1e-2, 30.0  # whose squares it holds
MIN_POINTS = 6  # however large the arrays are
LARGE_ENTRY = 5.0  # so large that it dominates a softmax of entries of scale 1
FEW = 4  # entries
TAILS = 9.0, 12.0  # beyond where functions are often cut off, and up to three times as far out
LADDER = np.geomspace(0.01, 500, 24)
NEGATIVE_TOO = "negative too, scale "  # where the example is positive
SMALL_INTEGERS, MORE_SMALL_INTEGERS = "from {-1, 0, 1}", 3
IN_TAIL = "in the tail, from "
OTHER_MASKS = "a mask of both values"  # where the example's is of one
USUAL = ("example", "near the example", "random, scale 1", "drawn")  # points that a gradient's size is measured by

Point = tuple[str, list[Any]]  # its name, and the arrays


class Sampling(NamedTuple):
    """What the caller says of the points."""

    draw: Callable[[Any], list[Any]] | None = None  # key -> arrays
    laws: Sequence[Law | None] = ()  # how each array is drawn
    scales: tuple[float, ...] | None = None  # to draw at


AS_THE_EXAMPLE = Sampling()


class Points(NamedTuple):
    """Points: what each is, and the arrays, stacked; floats in float64, which holds every format exactly."""

    names: list[str]
    arrays: list[Leaf]
    usual: Rows  # which of them have the example's scale or that of one
    guessed: Rows  # which of them may lie outside of the domain that the example is meant to show


def points_of(
    claim: Claim,
    example: list[Any],
    dtypes: list[Any],
    seed: int,
    thorough: bool,
    sampling: Sampling = AS_THE_EXAMPLE,
    most: int | None = None,
) -> Points:
    """The points, rounded to the dtypes: made from the example, or drawn as the caller says.

    At `most` so many, but for a few: where the arrays are large, all would not fit into memory.
    """
    draw, laws, scales = sampling
    if draw is None:
        about = zip(example, claim.differentiated, claim.directions, laws or [None] * len(example), strict=True)
        leaves = [example_leaf(*each) for each in about]
        random = np.random.default_rng(seed)
        named = list(
            _made(leaves, claim.names, dtypes, random, thorough) if scales is None else _at(scales, leaves, random)
        )
        if not any(laws):
            named += at_switches(claim, example, dtypes)
    else:  # without the example, which was drawn in a narrower format, it may be
        keys = jax.random.split(jax.random.key(seed + 1), 32 if thorough else 8)
        named = [("drawn", draw(key)) for key in keys]
    named = named if most is None else _some(named, max(MIN_POINTS, most))
    with np.errstate(over="ignore"):
        points = [_rounded(arrays, dtypes) for _, arrays in named]
    for name, x, *others in zip(claim.names, example, *points, strict=True):
        for other in others:
            if np.shape(other) != x.shape:
                raise ValueError(
                    f"args=key -> args drew args{name} of shape {x.shape} and of shape {np.shape(other)}: "
                    "every example has to have the same shapes"
                )
    return Points(
        names=[name for name, _ in named],
        arrays=[np.stack(column) for column in zip(*points, strict=True)],
        usual=np.array([name in USUAL for name, _ in named]),
        guessed=np.array([name.startswith((NEGATIVE_TOO, OTHER_MASKS, IN_TAIL)) for name, _ in named]),
    )


def _some(named: list[Point], most: int) -> list[Point]:
    """So many of the points: the first, half of them usual ones, and the others from all kinds."""
    if len(named) <= most:
        return named
    usual = [i for i, (name, _) in enumerate(named) if name in USUAL][: most // 2]
    others = [i for i in range(len(named)) if i not in usual]
    spaced = [others[i] for i in np.linspace(0, len(others) - 1, most - len(usual)).astype(int)]
    return [named[i] for i in sorted([*usual, *spaced])]


def _rounded(arrays: list[Any], dtypes: list[Any]) -> list[np.ndarray]:
    """Floats rounded to their format, held in float64; integers as they are."""
    return [
        np.asarray(np.asarray(x).astype(d), np.float64) if jnp.issubdtype(d, jnp.floating) else np.asarray(x, d)
        for x, d in zip(arrays, dtypes, strict=True)
    ]


def _made(
    leaves: list[ExampleLeaf], names: tuple[str, ...], dtypes: list[Any], random: np.random.Generator, thorough: bool
) -> Iterator[Point]:
    """Points of the example's shapes; see the names."""
    narrow = min(float(jnp.finfo(d).max) for d in dtypes if jnp.issubdtype(d, jnp.floating)) < NARROW_MAX
    yield "example", [leaf.array for leaf in leaves]
    yield from _random(leaves, random, thorough, narrow)
    if thorough:
        yield from _special(leaves, random, narrow)
        yield from _one_argument_special(leaves, names, random)
    if any(leaf.positive for leaf in leaves):
        yield from _negative_too(leaves, random, thorough, narrow)
    if any(leaf.is_constant_mask for leaf in leaves):
        for _ in range(4 if thorough else 2):
            others = _each(leaves, random, lambda leaf: leaf.fresh(random))
            masked = [
                leaf.of_both(random) if leaf.is_constant_mask else x for leaf, x in zip(leaves, others, strict=True)
            ]
            yield OTHER_MASKS, masked


def _at(scales: tuple[float, ...], leaves: list[ExampleLeaf], random: np.random.Generator) -> Iterator[Point]:
    """Points at these scales, and near the example, alone."""
    yield "example", [leaf.array for leaf in leaves]
    for scale in scales:
        for _ in range(POINTS_AT_A_SCALE):
            yield f"random, scale {scale:g}", _each(leaves, random, lambda leaf, s=scale: s * leaf.fresh(random))
    for _ in range(POINTS_AT_A_SCALE):
        yield "near the example", _each(leaves, random, lambda leaf: leaf.nearby(random))


def _each(
    leaves: list[ExampleLeaf], random: np.random.Generator, change: Callable[[ExampleLeaf], np.ndarray]
) -> list[np.ndarray]:
    """Every leaf that is free, changed; the others drawn from what they showed; positive what has to be."""
    made = [change(leaf) if leaf.free else leaf.drawn(random) for leaf in leaves]
    return [
        np.where(m == 0, leaf.array, abs(m)) if leaf.values is Values.POSITIVE else m
        for m, leaf in zip(made, leaves, strict=True)
    ]


def _random(leaves: list[ExampleLeaf], random: np.random.Generator, thorough: bool, narrow: bool) -> Iterator[Point]:
    """What every check tries: all scales, the example's neighbourhood, zeros, small integers, an offset."""

    def each(change: Callable[[ExampleLeaf], np.ndarray]) -> list[np.ndarray]:
        return _each(leaves, random, change)

    for scale, count in (POINTS_AT_SCALE if thorough else POINTS_AT_SCALE_QUICKLY).items():
        if narrow:  # as many points as in other formats, whose compiled functions serve here too
            scale = float(np.clip(scale, *NARROW_SCALES))
        for _ in range(count):
            yield f"random, scale {scale:g}", each(lambda leaf, s=scale: s * leaf.fresh(random))
    # In the tails on one side, all entries together: beside larger ones, what is wrong there would be next to nothing.
    apart, of_integers = random.spawn(2)  # drawn apart, which leaves the other points what they were
    for sign, scale in itertools.product((-1, 1), TAILS):
        tail = _each(leaves, apart, lambda leaf, s=sign * scale: leaf.in_tail(s, apart))
        yield f"{IN_TAIL}{sign * scale:g}", tail
    for _ in range(6 if thorough else 2):
        yield "near the example", each(lambda leaf: leaf.nearby(random))
    # Under a cotangent of zeros nothing would be seen; that is tried alone.
    yield "zeros", each(lambda leaf: leaf.fresh(random) if leaf.is_direction else 0 * leaf.array)
    yield SMALL_INTEGERS, each(lambda leaf: _small_integers(leaf.array.shape, random))
    # Where sums of products are 0, as residuals and margins are at their kinks, one point seldom shows.
    for _ in range(MORE_SMALL_INTEGERS if thorough else 0):
        yield SMALL_INTEGERS, _each(leaves, of_integers, lambda leaf: _small_integers(leaf.array.shape, of_integers))
    offset = _offset(narrow)
    yield f"offset {offset:g}", each(lambda leaf: leaf.fresh(random) + offset)
    if any(leaf.is_indices for leaf in leaves):
        others = each(lambda leaf: leaf.fresh(random))
        repeated = [
            np.full_like(x, x.ravel()[0]) if leaf.is_indices else x for leaf, x in zip(leaves, others, strict=True)
        ]
        yield "repeated indices", repeated


def _negative_too(
    leaves: list[ExampleLeaf], random: np.random.Generator, thorough: bool, narrow: bool
) -> Iterator[Point]:
    """What is positive in the example, of either sign and at every scale; the first entry is negative.

    A few entries alone are tried densely: where a function changes its form, or should, a few points show nothing.
    """
    scales = POINTS_AT_SCALE if thorough else POINTS_AT_SCALE_QUICKLY
    few = all(leaf.array.size <= FEW for leaf in leaves if leaf.positive)
    for scale in LADDER if few else [scale for scale, count in scales.items() for _ in range(count)]:
        scale = float(np.clip(scale, *NARROW_SCALES)) if narrow else float(scale)

        def either(leaf: ExampleLeaf, scale: float = scale) -> np.ndarray:
            if leaf.positive and few:
                return -scale * random.uniform(1, LADDER[1] / LADDER[0], leaf.array.shape)
            z = random.normal(size=leaf.array.shape)
            if leaf.positive:
                z.flat[0] = -abs(z.flat[0])
            return scale * z

        yield f"{NEGATIVE_TOO}{scale:.3g}", [either(leaf) if leaf.free else leaf.drawn(random) for leaf in leaves]


def _small_integers(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    return random.integers(-1, 2, shape).astype(float)


def _offset(narrow: bool) -> float:
    """So large that what should be shift-invariant and isn't shows."""
    return 10.0 if narrow else 100.0


def _special(leaves: list[ExampleLeaf], random: np.random.Generator, narrow: bool) -> Iterator[Point]:
    """Ties, signs, multiples and other orders."""

    def each(change: Callable[[ExampleLeaf], np.ndarray]) -> list[np.ndarray]:
        return _each(leaves, random, change)

    offset = _offset(narrow)
    yield "constant", each(lambda leaf: np.full(leaf.array.shape, random.normal()))
    yield "ties", each(lambda leaf: random.choice(leaf.fresh(random).ravel()[:2], leaf.array.shape))
    yield f"offset -{offset:g}", each(lambda leaf: leaf.fresh(random) - offset)
    yield "negated", each(lambda leaf: -leaf.array)
    yield "absolute", each(lambda leaf: abs(leaf.array))
    yield "all negative", each(lambda leaf: -abs(leaf.array))
    yield "example × 10", each(lambda leaf: 10 * leaf.array)
    yield "example / 10", each(lambda leaf: leaf.array / 10)
    yield "permuted", [leaf.permuted(random) for leaf in leaves]
    yield "reversed", [leaf.reversed() for leaf in leaves]


def _one_argument_special(
    leaves: list[ExampleLeaf], names: tuple[str, ...], random: np.random.Generator
) -> Iterator[Point]:
    """One array is zero, or has one entry that stands out; the others are of scale 1."""
    for i, (leaf, name) in enumerate(zip(leaves, names, strict=True)):
        if not leaf.free:
            continue
        others = _each(leaves, random, lambda leaf: leaf.fresh(random))

        def with_this(
            change: Callable[[np.ndarray], np.ndarray], i: int = i, others: list[np.ndarray] = others
        ) -> list[np.ndarray]:
            return [change(x) if i == j else x for j, x in enumerate(others)]

        if leaf.values is not Values.POSITIVE:
            yield f"args{name} zero", with_this(lambda x: 0 * x)
        size = leaf.array.size
        for entry in range(size) if size <= 6 else random.integers(size, size=4):
            large = np.zeros(size)
            large[entry] = LARGE_ENTRY if leaf.positive else random.choice([-1.0, 1.0]) * LARGE_ENTRY
            if leaf.values is not Values.POSITIVE:
                yield "one entry alone", with_this(lambda x, large=large: large.reshape(x.shape))
            yield "one entry large", with_this(lambda x, large=large: x + large.reshape(x.shape))
