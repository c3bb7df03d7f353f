"""What the forward computes on its way: the values that a formula of its gradient is made of."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from manual_grads.checking.claim import Claim
from manual_grads.checking.compiling import compiled
from manual_grads.checking.truth.interpreter import Interpreter
from manual_grads.checking.truth.primitives import Kind, bind, body_of, is_floating_array, kind_of

MAX_VALUES = 24  # of a forward: what is first is nearest to the arguments
MOVING = frozenset("broadcast_in_dim reshape squeeze expand_dims convert_element_type copy neg stop_gradient".split())
LIBRARIES = (str(Path(jax.__file__).parent), str(Path(__file__).parents[2]))


def values_within(claim: Claim, arrays: list[np.ndarray]) -> list[tuple[str, np.ndarray]]:
    """Each value that the forward computes, stacked over the points, by the operation and the line that make it."""
    if not callable(claim.forward):
        return []
    names: list[str] = []

    def all_values(*leaves: Any) -> list[Any]:
        made = _Recorder()
        made.of(claim.value)(*leaves)
        names[:] = [name for name, _ in made.values]
        return [x for _, x in made.values]

    try:
        found = compiled(jax.vmap(all_values), "float64", optimised=False)(*arrays)
    except Exception:  # it can't be looked into: fewer explanations
        return []
    return list(zip(names, [np.asarray(x, np.float64) for x in found], strict=True))


class _Recorder(Interpreter):
    """Evaluates everything as it is, and keeps what isn't only moved; a loop or a branch is one operation."""

    def __init__(self) -> None:
        self.values: list[tuple[str, Any]] = []

    def equation(self, eqn: Any, values: list[Any]) -> list[Any]:
        """One equation's outputs, kept if they are floats."""
        if kind_of(eqn) is Kind.INLINED:
            return self.evaluate(body_of(eqn), values)
        outs = bind(eqn, values)
        if eqn.primitive.name not in MOVING and len(self.values) < MAX_VALUES:
            self.values += [(_described(eqn), x) for x in outs if is_floating_array(jax.typeof(x))]
        return outs


def _described(eqn: Any) -> str:
    """Such as "what exp gives in line 12 of losses.py"."""
    traceback = getattr(eqn.source_info, "traceback", None)
    for frame in traceback.frames if traceback else ():
        if not frame.file_name.startswith(LIBRARIES) and not frame.file_name.startswith("<"):
            return f"what {eqn.primitive.name} gives in line {frame.line_num} of {Path(frame.file_name).name}"
    return f"what {eqn.primitive.name} gives in the forward"
