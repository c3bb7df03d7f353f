"""Points to try a gradient at, all made from one example: its neighbourhood, every scale, every special case."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.arguments import Claim, is_float

SCALES = {1e-4: 2, 1e-2: 2, 0.3: 3, 1.0: 7, 3.0: 4, 10.0: 4, 30.0: 3, 100.0: 2, 1000.0: 1}
FEW = {0.01: 1, 1.0: 4, 10.0: 2, 30.0: 1, 1000.0: 1}
MANY = 4  # entries that are all positive are so by intention


class Probes(NamedTuple):
    """Points: what each is, and the arrays, stacked; floats in float64, which holds every format exactly."""

    names: list[str]
    arrays: list[np.ndarray]

    def ordinary(self) -> np.ndarray:
        """Which of them have the example's scale or that of one: what a gradient's size is measured by."""
        return np.array([name in ("example", "near the example", "random, scale 1", "drawn") for name in self.names])


def rounded(arrays: list[Any], dtypes: list[Any]) -> list[np.ndarray]:
    """Floats rounded to their format, held in float64; integers as they are."""
    return [
        np.asarray(np.asarray(x).astype(d), np.float64) if jnp.issubdtype(d, jnp.floating) else np.asarray(x, d)
        for x, d in zip(arrays, dtypes, strict=True)
    ]


def probes(
    claim: Claim,
    example: list[Any],
    dtypes: list[Any],
    seed: int,
    thorough: bool,
    draw: Callable[[Any], list[Any]] | None,
) -> Probes:
    """The points, rounded to the dtypes."""
    random = np.random.default_rng(seed)
    named = [("example", example)]
    if draw is None:
        named += list(_made(claim, example, dtypes, random, thorough))
    else:
        keys = jax.random.split(jax.random.key(seed + 1), 32 if thorough else 8)
        named = [("drawn", draw(key)) for key in keys]  # the example was drawn in a narrower format, it may be
    with np.errstate(over="ignore"):
        points = [rounded(arrays, dtypes) for _, arrays in named]
    for name, x, *others in zip(claim.names(), example, *points[1:], strict=True):
        for other in others:
            if np.shape(other) != x.shape:
                raise ValueError(
                    f"args=key -> args drew args{name} of shape {x.shape} and of shape {np.shape(other)}: "
                    "every example has to have the same shapes"
                )
    return Probes([name for name, _ in named], [np.stack(column) for column in zip(*points, strict=True)])


def _made(
    claim: Claim, example: list[Any], dtypes: list[Any], random: np.random.Generator, thorough: bool
) -> Iterator[tuple[str, list[Any]]]:
    """Points of the example's shapes; see the names."""
    # Floats that aren't differentiated and hold whole numbers are labels or masks: their values are all they may have.
    floats = [is_float(x) and (m or (x != np.round(x)).any()) for x, m in zip(example, claim.moved, strict=True)]
    base = [np.asarray(x, np.float64) if f else np.asarray(x) for x, f in zip(example, floats, strict=True)]
    sizes = [float(np.sqrt(np.mean(x**2))) or 1.0 if f else 1.0 for x, f in zip(base, floats, strict=True)]
    positive = [bool(f and (x > 0).all()) for x, f in zip(base, floats, strict=True)]
    bounded = [plus and x.size >= MANY for x, plus in zip(base, positive, strict=True)]

    def discrete(x: np.ndarray) -> np.ndarray:
        """Integers in the range that the example showed; other values from among its own."""
        if np.issubdtype(x.dtype, np.integer):
            return random.integers(x.min(), x.max(), x.shape, endpoint=True).astype(x.dtype)
        return x if x.dtype == bool else random.choice(x.ravel(), x.shape)

    def each(change: Callable[[np.ndarray, float, bool], np.ndarray]) -> list[np.ndarray]:
        made = [
            change(x, size, plus) if f else discrete(x)
            for x, size, plus, f in zip(base, sizes, positive, floats, strict=True)
        ]
        return [np.where(m == 0, x, abs(m)) if b else m for m, x, b in zip(made, base, bounded, strict=True)]

    def fresh(x: np.ndarray, plus: bool) -> np.ndarray:
        z = random.normal(size=x.shape)
        return abs(z) + 1e-3 if plus else z  # an example that is positive throughout may have to be

    narrow = min(float(jnp.finfo(d).max) for d in dtypes if jnp.issubdtype(d, jnp.floating)) < 1e5
    for scale, count in (SCALES if thorough else FEW).items():
        if narrow and not 1e-3 < scale < 50:
            continue  # float16: squares would leave its range
        for _ in range(count):
            yield f"random, scale {scale:g}", each(lambda x, _, plus, s=scale: s * fresh(x, plus))
    for _ in range(6 if thorough else 2):
        yield "near the example", each(lambda x, size, _: x + 0.1 * size * random.normal(size=x.shape))
    yield "zeros", each(lambda x, *_: 0 * x)
    yield "from {-1, 0, 1}", each(lambda x, *_: random.integers(-1, 2, x.shape).astype(float))
    offset = 10.0 if narrow else 100.0
    yield f"offset {offset:g}", each(lambda x, _, plus: fresh(x, plus) + offset)
    if not thorough:
        return
    yield "constant", each(lambda x, *_: np.full(x.shape, random.normal()))
    yield "ties", each(lambda x, _, plus: random.choice(fresh(x, plus).ravel()[:2], x.shape))
    yield f"offset -{offset:g}", each(lambda x, _, plus: fresh(x, plus) - offset)
    yield "negated", each(lambda x, *_: -x)
    yield "absolute", each(lambda x, *_: abs(x))
    yield "all negative", each(lambda x, *_: -abs(x))
    yield "example × 10", each(lambda x, *_: 10 * x)
    yield "example / 10", each(lambda x, *_: x / 10)
    yield "permuted", [_permuted(x, random) for x in base]
    yield "reversed", [x[::-1] if x.ndim else x for x in base]
    for i in [i for i, f in enumerate(floats) if f]:
        others = each(lambda x, _, plus: fresh(x, plus))
        if not bounded[i]:
            yield f"args{claim.names()[i]} zero", [0 * x if i == j else x for j, x in enumerate(others)]
        for entry in range(base[i].size) if base[i].size <= 6 else random.integers(base[i].size, size=4):
            large = np.zeros(base[i].size)
            large[entry] = 5.0 if positive[i] else random.choice([-1.0, 1.0]) * 5.0
            if not bounded[i]:
                yield "one entry alone", [large.reshape(x.shape) if i == j else x for j, x in enumerate(others)]
            yield "one entry large", [x + large.reshape(x.shape) if i == j else x for j, x in enumerate(others)]


def _permuted(x: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return random.permutation(x.ravel()).reshape(x.shape)
