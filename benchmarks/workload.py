"""What is measured: a workload, its contenders, and the program that a contender becomes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

Inputs = tuple[np.ndarray, ...]

KINDS = {
    "hand": "written by hand: the function of this package",
    "autodiff": "JAX's autodiff of a forward function with no derivative of ours",
    "drop-in": "JAX's autodiff through manual_grads.nn, whose derivative rules are ours",
    "peer": "another library's",
}


class Program(NamedTuple):
    """A contender made ready for inputs of one shape."""

    place: Callable[[Inputs], Any]  # from NumPy to where the program wants its arguments
    run: Callable[[Any], Any]  # returns when every output is there
    outputs: Callable[[Any], list[np.ndarray]]  # of `run`, as NumPy arrays
    compile_seconds: float
    temporaries: int | None  # bytes beside arguments and results, where the framework knows them


class Contender(NamedTuple):
    """One way to compute a workload's result."""

    name: str
    kind: str  # one of KINDS
    function: Callable[..., Any]
    build: Callable[[Callable[..., Any], Inputs], Program]


class Workload(NamedTuple):
    """A result to be computed, of inputs of given sizes."""

    family: str  # such as "softmax vjp"
    sizes: dict[str, int]  # by the document's letters
    inputs: str  # what they are like: "random", "peaked", …
    draw: Callable[[np.random.Generator], Inputs]
    contenders: tuple[Contender, ...]  # the first is the hand-written one
    reference: Callable[..., Any] | None  # run in float64; None where that takes too much memory
    flops: float  # in closed form; an exponential, a logarithm and a division count as one
    terms: int  # additions on the way to an output: the lengths of its sums, and the width of the logits' product
    largest_logit: float = 1.0
    dtype: str = "float32"  # of the floats that are drawn

    @property
    def name(self) -> str:
        """The family, the sizes, the inputs and the format."""
        unusual = [self.inputs] * (self.inputs != "random") + [self.dtype] * (self.dtype != "float32")
        return ", ".join([f"{self.family} {self.size}", *unusual])

    @property
    def size(self) -> str:
        """The sizes, such as 1024×1000."""
        return "×".join(str(n) for n in self.sizes.values())

    @property
    def tolerance(self) -> float:
        r"""How far a result may be from the float64 one, relative to the largest entry: 8 u √terms (1 + L).

        u is half an ULP of 1. A sum of n terms is rounded n times; if the rounding errors are independent, they come to
        u √n of the sum's own scale, and 8 standard deviations are enough for the largest of 10⁹ entries. An error of
        the logits' last digit is a relative one of u L of their exponentials, L being the largest logit. An actual
        mistake, such as a lost term or factor, is some 10⁻² and more, and the tolerance below 10⁻³; of 16 bits, in
        which autodiff adds, a mistake is what's off by a quarter.
        """
        unit = float(jnp.finfo(self.dtype).eps) / 2
        return min(float(8 * unit * self.terms**0.5 * (1 + self.largest_logit)), 0.25)


def in_format(workload: Workload, dtype: str) -> Workload:
    """The workload of the same numbers, rounded to another format; other libraries' contenders are for float32."""
    if dtype == workload.dtype:
        return workload

    def draw(random: np.random.Generator) -> Inputs:
        return tuple(a.astype(jnp.dtype(dtype)) if a.dtype == np.float32 else a for a in workload.draw(random))

    contenders = tuple(c for c in workload.contenders if c.kind != "peer")
    return workload._replace(draw=draw, contenders=contenders, dtype=dtype)
