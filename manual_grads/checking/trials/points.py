"""Points to try a gradient at, all made from one example: its neighbourhood, every scale, every special case."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.arrays import Leaf, Rows, is_float
from manual_grads.checking.claim import Claim

# How many points are drawn at each scale. A thorough check tries every power of ten at which functions change their
# form (underflow, saturation, overflow); a quick one the fewest that find most errors.
POINTS_AT_SCALE = {1e-4: 2, 1e-2: 2, 0.3: 3, 1.0: 7, 3.0: 4, 10.0: 4, 30.0: 3, 100.0: 2, 1000.0: 1}
POINTS_AT_SCALE_QUICKLY = {0.01: 1, 1.0: 4, 10.0: 2, 30.0: 1, 1000.0: 1}
MIN_POSITIVE_BY_INTENTION = 4  # entries: so many that are all positive hardly are so by chance (1 in 16)
NARROW_MAX = 1e5  # a format whose largest number is below this, as float16's 65504, can't hold large squares
LARGE_ENTRY = 5.0  # so large that it dominates a softmax of entries of scale 1
USUAL = ("example", "near the example", "random, scale 1", "drawn")  # points that a gradient's size is measured by

Point = tuple[str, list[Any]]  # its name, and the arrays


class Points(NamedTuple):
    """Points: what each is, and the arrays, stacked; floats in float64, which holds every format exactly."""

    names: list[str]
    arrays: list[Leaf]
    usual: Rows  # which of them have the example's scale or that of one


class ExampleLeaf(NamedTuple):
    """An array of the example, and which other values it may take."""

    array: np.ndarray
    free: bool  # whether it may be any float; if not, its values are all that it may have
    size: float  # root mean square of a free one's entries
    positive: bool  # whether all entries are
    stays_positive: bool  # whether they must be

    def fresh(self, random: np.random.Generator) -> np.ndarray:
        """Entries of a normal law; positive ones, if the example is positive throughout, as it may have to be."""
        z = random.normal(size=self.array.shape)
        return abs(z) + 1e-3 if self.positive else z

    def discrete(self, random: np.random.Generator) -> np.ndarray:
        """Integers in the range that the example showed; other values from among its own."""
        x = self.array
        if np.issubdtype(x.dtype, np.integer):
            return random.integers(x.min(), x.max(), x.shape, endpoint=True).astype(x.dtype)
        return x if x.dtype == bool else random.choice(x.ravel(), x.shape)


def points_of(
    claim: Claim,
    example: list[Any],
    dtypes: list[Any],
    seed: int,
    thorough: bool,
    draw: Callable[[Any], list[Any]] | None,
) -> Points:
    """The points, rounded to the dtypes: made from the example, or drawn by `draw(key)` where there is such."""
    if draw is None:
        named = [("example", example), *_made(claim, example, dtypes, np.random.default_rng(seed), thorough)]
    else:  # without the example, which was drawn in a narrower format, it may be
        keys = jax.random.split(jax.random.key(seed + 1), 32 if thorough else 8)
        named = [("drawn", draw(key)) for key in keys]
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
    )


def _rounded(arrays: list[Any], dtypes: list[Any]) -> list[np.ndarray]:
    """Floats rounded to their format, held in float64; integers as they are."""
    return [
        np.asarray(np.asarray(x).astype(d), np.float64) if jnp.issubdtype(d, jnp.floating) else np.asarray(x, d)
        for x, d in zip(arrays, dtypes, strict=True)
    ]


def _made(
    claim: Claim, example: list[Any], dtypes: list[Any], random: np.random.Generator, thorough: bool
) -> Iterator[Point]:
    """Points of the example's shapes; see the names."""
    leaves = [_leaf(x, d) for x, d in zip(example, claim.differentiated, strict=True)]
    narrow = min(float(jnp.finfo(d).max) for d in dtypes if jnp.issubdtype(d, jnp.floating)) < NARROW_MAX
    yield from _random(leaves, random, thorough, narrow)
    if thorough:
        yield from _special(leaves, random, narrow)
        yield from _one_argument_special(leaves, claim.names, random)


def _leaf(x: Any, differentiated: bool) -> ExampleLeaf:
    """What an array of the example shows."""
    # Floats that aren't differentiated and hold whole numbers are labels or masks: their values are all they may have.
    free = is_float(x) and (differentiated or bool((x != np.round(x)).any()))
    array = np.asarray(x, np.float64) if free else np.asarray(x)
    positive = bool(free and (array > 0).all())
    return ExampleLeaf(
        array=array,
        free=free,
        size=float(np.sqrt(np.mean(array**2))) or 1.0 if free else 1.0,
        positive=positive,
        stays_positive=positive and array.size >= MIN_POSITIVE_BY_INTENTION,
    )


def _each(
    leaves: list[ExampleLeaf], random: np.random.Generator, change: Callable[[ExampleLeaf], np.ndarray]
) -> list[np.ndarray]:
    """Every leaf that is free, changed; the others drawn from what they showed; positive what has to be."""
    made = [change(leaf) if leaf.free else leaf.discrete(random) for leaf in leaves]
    return [
        np.where(m == 0, leaf.array, abs(m)) if leaf.stays_positive else m for m, leaf in zip(made, leaves, strict=True)
    ]


def _random(leaves: list[ExampleLeaf], random: np.random.Generator, thorough: bool, narrow: bool) -> Iterator[Point]:
    """What every check tries: all scales, the example's neighbourhood, zeros, small integers, an offset."""

    def each(change: Callable[[ExampleLeaf], np.ndarray]) -> list[np.ndarray]:
        return _each(leaves, random, change)

    for scale, count in (POINTS_AT_SCALE if thorough else POINTS_AT_SCALE_QUICKLY).items():
        if narrow and not 1e-3 < scale < 50:
            continue
        for _ in range(count):
            yield f"random, scale {scale:g}", each(lambda leaf, s=scale: s * leaf.fresh(random))
    for _ in range(6 if thorough else 2):
        yield "near the example", each(lambda leaf: leaf.array + 0.1 * leaf.size * random.normal(size=leaf.array.shape))
    yield "zeros", each(lambda leaf: 0 * leaf.array)
    yield "from {-1, 0, 1}", each(lambda leaf: random.integers(-1, 2, leaf.array.shape).astype(float))
    offset = _offset(narrow)
    yield f"offset {offset:g}", each(lambda leaf: leaf.fresh(random) + offset)


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
    yield "permuted", [random.permutation(leaf.array.ravel()).reshape(leaf.array.shape) for leaf in leaves]
    yield "reversed", [leaf.array[::-1] if leaf.array.ndim else leaf.array for leaf in leaves]


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

        if not leaf.stays_positive:
            yield f"args{name} zero", with_this(lambda x: 0 * x)
        size = leaf.array.size
        for entry in range(size) if size <= 6 else random.integers(size, size=4):
            large = np.zeros(size)
            large[entry] = LARGE_ENTRY if leaf.positive else random.choice([-1.0, 1.0]) * LARGE_ENTRY
            if not leaf.stays_positive:
                yield "one entry alone", with_this(lambda x, large=large: large.reshape(x.shape))
            yield "one entry large", with_this(lambda x, large=large: x + large.reshape(x.shape))
