"""What an array of the example shows of the values that it may take: any number, a distribution, a label, a mask."""

from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from manual_grads.checking.arrays import eps_of, is_float
from manual_grads.checking.trials.domains import Law

MIN_POSITIVE_BY_INTENTION = 4  # entries: so many that are all positive hardly are so by chance (1 in 16)


class Values(Enum):
    """Which values an array of the example may take."""

    ANY = "any float, of any scale"
    POSITIVE = "any positive float"  # as by intention
    DISTRIBUTIONS = "rows of non-negative floats that sum to one"
    ONE_HOT = "rows of zeros and a one"
    SEEN = "the values that the example shows"
    DOMAIN = "what the caller's law draws"


class ExampleLeaf(NamedTuple):
    """An array of the example, and which other values it may take."""

    array: np.ndarray
    values: Values
    size: float  # root mean square of the entries of one that may be any float
    positive: bool  # whether all entries are, so that they may have to be
    law: Law | None = None  # how it is drawn, if the caller says so
    is_direction: bool = False  # whether it is a cotangent or a tangent

    @property
    def free(self) -> bool:
        """Whether it may be any float, or any positive one."""
        return self.values in (Values.ANY, Values.POSITIVE)

    @property
    def is_indices(self) -> bool:
        """Whether it may be indices, of which some may be the same."""
        return bool(np.issubdtype(self.array.dtype, np.integer)) and self.array.size > 1

    @property
    def is_constant_mask(self) -> bool:
        """Whether it is a mask that shows one of the two values that it may take."""
        return self.array.dtype == bool and self.law is None and bool((self.array == self.array.flat[0]).all())

    def of_both(self, random: np.random.Generator) -> np.ndarray:
        """A mask of both values, or of the other one if it has one entry; most entries stay what they are."""
        flipped = random.uniform(size=self.array.shape) < 1 / 4
        flipped.flat[random.integers(flipped.size)] = True
        return self.array ^ flipped

    def fresh(self, random: np.random.Generator) -> np.ndarray:
        """Entries of a normal law; positive ones, if the example is positive throughout, as it may have to be."""
        z = random.normal(size=self.array.shape)
        return abs(z) + 1e-3 if self.positive else z

    def in_tail(self, scale: float, random: np.random.Generator) -> np.ndarray:
        """Entries from the scale to three times that, all of its sign; of a cotangent or a tangent, any."""
        if self.is_direction:
            return self.fresh(random)
        return (abs(scale) if self.positive else scale) * random.uniform(1, 3, self.array.shape)

    def nearby(self, random: np.random.Generator) -> np.ndarray:
        """The example's array, a tenth of its size off."""
        return self.array + 0.1 * self.size * random.normal(size=self.array.shape)

    def drawn(self, random: np.random.Generator) -> np.ndarray:
        """An array of the same kind, for one that may not be any float."""
        x = self.array
        if self.law is not None:
            return self.law(random)
        if self.values is Values.ONE_HOT:
            hot = random.integers(x.shape[-1], size=x.shape[:-1])
            return (hot[..., None] == np.arange(x.shape[-1])).astype(x.dtype)
        if self.values is Values.DISTRIBUTIONS:
            weights = random.exponential(size=x.shape)  # normalised, these are uniform over all distributions
            return weights / weights.sum(-1, keepdims=True)
        return x if x.dtype == bool else random.choice(x.ravel(), x.shape)

    def permuted(self, random: np.random.Generator) -> np.ndarray:
        """Its entries in another order; within each row, if its rows mean something."""
        if self.law is not None:
            return self.law(random)
        if self.values in (Values.ONE_HOT, Values.DISTRIBUTIONS):
            return random.permuted(self.array, axis=-1)
        return random.permutation(self.array.ravel()).reshape(self.array.shape)

    def reversed(self) -> np.ndarray:
        """Its first axis the other way round."""
        return self.array[::-1] if self.array.ndim and self.law is None else self.array


def example_leaf(x: Any, differentiated: bool, is_direction: bool, law: Law | None = None) -> ExampleLeaf:
    """What an array of the example shows, if the caller doesn't say which values it may take."""
    if law is not None:
        return ExampleLeaf(np.asarray(x, np.float64) if is_float(x) else x, Values.DOMAIN, 1.0, False, law)
    values = _values(x, differentiated, is_direction)
    free = values in (Values.ANY, Values.POSITIVE)
    array = np.asarray(x, np.float64) if is_float(x) and values is not Values.SEEN else np.asarray(x)
    if values is Values.DISTRIBUTIONS:
        array = array / array.sum(-1, keepdims=True)  # to one in float64, too
    return ExampleLeaf(
        array=array,
        values=values,
        size=float(np.sqrt(np.mean(array**2))) or 1.0 if free else 1.0,
        positive=bool(free and not is_direction and (array > 0).all()),
        is_direction=is_direction,
    )


def _values(x: Any, differentiated: bool, is_direction: bool) -> Values:
    """Which values an array may take, by what the example shows; of a cotangent or a tangent that says nothing."""
    if not is_float(x):
        return Values.SEEN
    if is_direction:
        return Values.ANY
    wide = np.asarray(x, np.float64)
    if not differentiated and wide.ndim and wide.shape[-1] > 1:
        if ((wide == 0) | (wide == 1)).all() and (wide.sum(-1) == 1).all():
            return Values.ONE_HOT
        if (wide >= 0).all() and (abs(wide.sum(-1) - 1) <= wide.shape[-1] * eps_of(x.dtype)).all():
            return Values.DISTRIBUTIONS
    if not differentiated and (wide == np.round(wide)).all():
        return Values.SEEN  # a label or a mask
    by_intention = (wide > 0).all() and wide.size >= MIN_POSITIVE_BY_INTENTION
    return Values.POSITIVE if by_intention else Values.ANY
