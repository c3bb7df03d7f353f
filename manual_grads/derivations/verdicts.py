"""Every line of the document, judged: proved by SymPy, confirmed by balls, measured in float64; misprints exposed."""

from collections.abc import Iterator
from functools import partial
from random import Random
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.compiling import QUICK
from manual_grads.derivations import balls, scope, symbols
from manual_grads.derivations.lines import Chain, Line, random_draw
from manual_grads.derivations.numbers import as_objects
from manual_grads.derivations.scope import Proof

# Of a ball's numbers: no line loses more than some 40.
BALL_BITS = 200
# The largest radius of a ball that confirms a line: nothing that is false agrees with the truth to 150 bits.
MAX_BALL_RADIUS = 2.0**-150
# Larger than those that are proved one by one: what is true for few classes alone is false here. And how many cases.
LARGER = {"inputs": 3, "hidden": 4, "features": 3, "K": 11}
LARGER_CASES = 6
# Cases of a chain, drawn by the seed: compiling them all would take most of a minute.
FLOAT64_CASES = 6
# |z| < 2 makes all numbers in a line a few units at most, and no line has more than some 100 roundings of 2⁻⁵³ each.
FLOAT64_TOLERANCE = 100 * 2.0**-53


class LineVerdict(NamedTuple):
    """What became of a line, compared with the one before it and with the first of its chain."""

    task: str
    line: Line
    proved: bool  # equal to the line before for all real arguments, at the sizes tried at least
    confirmed: bool  # its 200-bit balls overlap the first line's, and are narrower than 2⁻¹⁵⁰; at larger sizes as well
    float64_error: float  # jitted, against the first line's balls; where that is a derivative, JAX's is judged as well
    refuted: bool | None  # the misprint differs, by disjoint balls or by its shape; None where there is none
    proof: Proof = Proof("")  # for which sizes it is proved, and by what argument

    @property
    def holds(self) -> bool:
        """Whether the line is true, and what was misprinted in it false."""
        return self.proved and self.confirmed and self.float64_error <= FLOAT64_TOLERANCE and self.refuted is not False

    @property
    def words(self) -> str:
        """The verdict in a word or two."""
        if not self.holds:
            return "FALSE"
        return "misprint" if self.line.misprint else "proved"

    @property
    def said(self) -> str:
        """The verdict in a few words, with the sizes that it is proved for."""
        if not self.holds or not self.proof.sizes:
            return self.words
        return f"{'misprint; ' if self.line.misprint else ''}proved for {self.proof.sizes}"


def judge(chain: Chain, seed: int = 0) -> Iterator[LineVerdict]:
    """The verdicts on a chain's lines, in order."""
    # Over symbols; in float64, a sample of the cases; and over balls.
    symbolic = _evaluate(chain, list(chain.cases(symbols.draw)))
    sample = sorted(Random(seed).sample(range(len(symbolic)), min(FLOAT64_CASES, len(symbolic))))
    floats = _float64(chain, seed, sample)
    proofs = scope.proofs(chain)
    with balls.precision(BALL_BITS):
        cases = list(chain.cases(random_draw(seed, balls.as_balls)))
        exact = _evaluate(chain, cases)
        beyond = _evaluate(chain, _larger(chain, seed))
        for i, line in enumerate(chain.lines):
            proved = all(symbols.equal(case[max(i - 1, 0)], case[i]) for case in symbolic)
            yield LineVerdict(
                task=chain.task,
                line=line,
                proved=proved,
                confirmed=all(_confirms(case[0], case[i]) for case in (*exact, *beyond)),
                float64_error=max(_error(case[i], exact[at][0]) for at, case in zip(sample, floats, strict=True)),
                refuted=line.misprint
                and any(_differs(line, args, case[i]) for args, case in zip(cases, exact, strict=True)),
                proof=proofs[i] if proved else Proof(""),
            )


def _larger(chain: Chain, seed: int) -> list[tuple[Any, ...]]:
    """Some of a chain's cases, over balls, at sizes larger than those tried; none if it has no sizes."""
    if not chain.sizes:
        return []
    cases = list(chain.cases_at(random_draw(seed, balls.as_balls), [LARGER[name] for name in chain.sizes]))
    return Random(seed).sample(cases, min(LARGER_CASES, len(cases)))


def _confirms(first: Any, balls_of_line: Any) -> bool:
    """Whether a line's balls are the first line's, as far as they can tell, and narrow enough to tell."""
    return balls.overlap(first, balls_of_line) and balls.widest(balls_of_line) < MAX_BALL_RADIUS


def _evaluate(chain: Chain, cases: list[tuple[Any, ...]]) -> list[list[Any]]:
    """The value of every line in every case."""
    return [[line.value(*args) for line in chain.lines] for args in cases]


def _float64(chain: Chain, seed: int, sample: list[int]) -> list[list[Any]]:
    """The lines in float64, compiled as one function of the cases' arrays; indices and labels are static."""
    with jax.enable_x64(True):
        every_case = list(chain.cases(random_draw(seed, jnp.asarray)))
        cases = [every_case[i] for i in sample]
        leaves, structure = jax.tree.flatten(cases)
        traced = [isinstance(leaf, jax.Array) for leaf in leaves]

        @partial(jax.jit, compiler_options=QUICK)
        def run(arrays: list[Any]) -> list[list[Any]]:
            remaining = iter(arrays)
            merged = [next(remaining) if is_array else leaf for leaf, is_array in zip(leaves, traced, strict=True)]
            return _evaluate(chain, jax.tree.unflatten(structure, merged))

        return run([leaf for leaf, is_array in zip(leaves, traced, strict=True) if is_array])


def _error(number: Any, truth: Any) -> float:
    """The largest error of an entry, relative to the truth or to one, whichever is more."""
    middle = np.vectorize(lambda ball: float(balls.arb(ball).mid()), otypes=[float])(as_objects(truth))
    return float(np.max(np.abs(np.asarray(number) - middle) / np.maximum(1, np.abs(middle))))


def _differs(line: Line, args: tuple[Any, ...], corrected: Any) -> bool:
    """Whether the printed form is proved to differ from the corrected one: in shape, or by disjoint balls."""
    assert line.misprint
    try:
        printed = line.misprint.value(*args)
    except ValueError:  # the shapes don't multiply
        return True
    return not balls.overlap(printed, corrected)
