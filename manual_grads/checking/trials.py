"""What is to be tried in one format: the points and the calls to make there."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking import transforms
from manual_grads.checking.arguments import Claim
from manual_grads.checking.probes import Probes
from manual_grads.checking.transforms import Call


class Format(NamedTuple):
    """A dtype to check in: its name, and that of each array."""

    name: str
    dtypes: list[Any]

    def cast(self, arrays: list[Any]) -> list[Any]:
        """The arrays in this format."""
        return [jnp.asarray(x, d) for x, d in zip(arrays, self.dtypes, strict=True)]


class Trial(NamedTuple):
    """What is to be tried in one format: the points, stacked, and the calls to make there."""

    format: Format
    names: list[str]  # of the points
    arrays: list[np.ndarray]
    usual: np.ndarray  # which points have the example's scale, or that of one
    calls: list[Call]

    def jobs(self, calls: list[Call]) -> Iterator[tuple[Callable[..., Any], list[Any]]]:
        """What is to be compiled for these calls, under this format's setting of x64."""
        with jax.enable_x64(self.format.name == "float64"):
            for call in calls:
                yield call.function, next(transforms.arguments(call, self.arrays, self.format.cast))


def trial(claim: Claim, points: Probes, fmt: Format, every_call: bool, thorough: bool) -> Trial:
    """The trial of a format; the fewest points and calls that find most errors, unless it is to be thorough."""
    owners, usual = claim.owners(), points.ordinary()
    some = np.resize(np.flatnonzero(usual)[: transforms.SOME], transforms.SOME).tolist()
    count, arrays, names = len(points.names), points.arrays, list(points.names)
    if thorough:
        for argument, origin in transforms.mixtures(owners, some):
            arrays = [
                np.concatenate([x, points.arrays[i][o]]) for i, (x, o) in enumerate(zip(arrays, origin, strict=True))
            ]
            names += [f"args[{argument}] alone varied"] * len(some)
    calls = transforms.calls(claim, arrays, some, count, every_call)
    return Trial(fmt, names, arrays, np.pad(usual, (0, len(names) - count)), calls)
