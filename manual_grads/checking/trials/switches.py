"""Where the forward switches from one form to another: arguments at which two numbers that it compares are equal."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from manual_grads.checking.arrays import is_float
from manual_grads.checking.claim import Claim
from manual_grads.checking.compiling import QUICK
from manual_grads.checking.truth.interpreter import OfCallsAlone
from manual_grads.checking.truth.primitives import Kind, bind

COMPARING = frozenset("lt le gt ge eq ne max min".split())  # two numbers
OF_SIGN = frozenset("abs sign".split())  # a number with zero
ROWS = 64  # arguments that are tried at once: as many parts does a search divide what is left into
ROUNDS = 12  # of these, after which any number of float64 is found
MAX_COMPARED = 6  # comparisons, each of which is a point or two
MAX_ENTRIES = 2**12  # of all arguments: what is compared in larger ones is met by chance
FAR = np.geomspace(1e-3, 1e3, ROWS // 2 - 1)

Candidates = list[np.ndarray]  # for each argument, so many rows of it


def at_switches(claim: Claim, example: list[Any], dtypes: list[Any]) -> Iterator[tuple[str, list[np.ndarray]]]:
    """The example with entries at which the forward compares equals, in the format of the dtypes.

    Those are found of what is compared entry by entry, as by `jnp.where(x < 3.7, …)`, `jnp.clip`, `jnp.abs(2 * x − 3)`.
    To be called where that format is enabled.
    """
    given = [np.asarray(x).astype(d) for x, d in zip(example, dtypes, strict=True)]
    own = [not d for d in claim.directions]
    if not callable(claim.forward) or claim.by_differences or sum(x.size for x in given) > MAX_ENTRIES:
        return
    try:
        compared = _Compared().of(lambda *x: claim.value(*x))
        shapes = [x.shape for x in jax.eval_shape(compared, *given)]
    except Exception:  # it can't be looked into
        return
    mine = [i for i, x in enumerate(given) if own[i] and is_float(x) and claim.differentiated[i] and x.shape in shapes]
    if not mine:
        return
    rows_of_compared = jax.jit(jax.vmap(compared), compiler_options=QUICK)
    for i in mine:

        def gaps(candidates: np.ndarray, i: int = i) -> Candidates:
            rows = [candidates if i == j else np.broadcast_to(x, (ROWS, *x.shape)) for j, x in enumerate(given)]
            return [np.asarray(gap, np.float64) for gap in rows_of_compared(*rows)]

        of_this = [k for k, shape in enumerate(shapes) if shape == given[i].shape]
        for k in of_this[:MAX_COMPARED]:
            root, found = _root(lambda rows, k=k: gaps(rows)[k], given[i])
            if (found & (root != 0)).any():  # zero itself is tried anyway
                yield f"at a switch in args{claim.names[i]}", [root if i == j else x for j, x in enumerate(given)]
                if found.sum() > 1:
                    first = np.arange(found.size).reshape(found.shape) == np.flatnonzero(found)[0]
                    alone = np.where(first, root, given[i])
                    yield (
                        f"one entry at a switch in args{claim.names[i]}",
                        [alone if i == j else x for j, x in enumerate(given)],
                    )


def _root(gap: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The array with those entries at which the gap is exactly zero, and which of them there are.

    Each entry is searched for by itself, as if its gap depended on no other: what isn't so isn't found.
    """
    grid = np.concatenate([-FAR[::-1], [0.0], FAR, [2 * FAR[-1]]]).astype(x.dtype)
    rows = np.broadcast_to(grid.reshape(-1, *[1] * x.ndim), (ROWS, *x.shape))
    low = high = np.zeros_like(x)
    found, root = np.zeros(x.shape, bool), x.copy()
    for _ in range(ROUNDS):
        gaps = gap(rows)
        zero = (gaps == 0) & (np.mean(gaps == 0, 0) < 0.5)  # what is zero all along is no switch
        first = np.take_along_axis(rows, zero.argmax(0)[None], 0)[0]
        root = np.where(zero.any(0) & ~found, first, root)
        found |= zero.any(0)
        crossed = gaps[1:] * gaps[:-1] < 0
        at = crossed.argmax(0)[None]
        low, high = (np.take_along_axis(rows, at + step, 0)[0].astype(np.float64) for step in (0, 1))
        if found.all() or not (crossed.any(0) & ~found).any():
            break
        parts = np.linspace(0, 1, ROWS).reshape(-1, *[1] * x.ndim)
        rows = (low + parts * (high - low)).astype(x.dtype)
    return root, found


class _Compared(OfCallsAlone):
    """Evaluates everything as it is, and returns the gaps between what is compared; not in a loop or a branch."""

    def __init__(self) -> None:
        self.gaps: list[Any] = []

    def of(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """`f`, with these gaps for its results."""

        def gaps(*args: Any) -> list[Any]:
            self.gaps = []
            self.evaluate(jax.make_jaxpr(f)(*args), list(args))
            return self.gaps

        return gaps

    def operation(self, eqn: Any, kind: Kind, values: list[Any]) -> list[Any]:
        """The equation's own outputs; the gap of one that compares floats is kept."""
        name = eqn.primitive.name
        if name in COMPARING and is_float(values[0]):
            self.gaps.append(values[0] - values[1])
        elif name in OF_SIGN and is_float(values[0]):
            self.gaps.append(values[0] + 0.0)
        elif name == "clamp" and is_float(values[1]):
            self.gaps += [values[1] - values[0], values[1] - values[2]]
        return bind(eqn, values)
