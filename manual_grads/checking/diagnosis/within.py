"""What the forward computes on its way: the values that a formula of its gradient is made of."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.claim import Claim
from manual_grads.checking.compiling import compiled
from manual_grads.checking.diagnosis.evidence import Named
from manual_grads.checking.diagnosis.repair.frames import frames_of
from manual_grads.checking.truth.interpreter import OfCallsAlone
from manual_grads.checking.truth.primitives import Kind, bind, is_floating_array

MAX_VALUES = 24  # of a forward: what is first is nearest to the arguments
MOVING = frozenset("broadcast_in_dim reshape squeeze expand_dims convert_element_type copy neg stop_gradient".split())
PACKAGE = str(Path(__file__).parents[2])


def values_within(claim: Claim, arrays: list[np.ndarray]) -> tuple[list[Named], list[Named]]:
    """Each value that the forward computes, by the operation and the line that make it; and the gradient there.

    The gradient is that of the forward's result, times the cotangent if the claim has one: what is handed back to the
    operation in a backward pass.
    """
    if not callable(claim.forward):
        return [], []
    names: list[str] = []
    own = sum(not d for d in claim.directions)

    def value_and_within(moved: list[Any], *leaves: Any) -> tuple[Any, list[Any]]:
        made = _Recorder(moved)
        results = jax.tree.leaves(made.of(claim.value)(*leaves))
        names[:] = [name for name, _ in made.values]
        weights = (
            leaves[own:] if [x.shape for x in leaves[own:]] == [x.shape for x in results] else [1.0] * len(results)
        )
        return sum((x * w).sum() for x, w in zip(results, weights, strict=True)), [x for _, x in made.values]

    def both(*leaves: Any) -> tuple[Any, Any]:
        shapes = jax.eval_shape(lambda *given: value_and_within([], *given)[1], *leaves)
        zeros = [jnp.zeros(x.shape, x.dtype) for x in shapes]
        gradients, values = jax.grad(value_and_within, has_aux=True)(zeros, *leaves)
        return values, gradients

    try:
        values, gradients = compiled(jax.vmap(both), "float64", optimised=False)(*arrays)
    except Exception:  # it can't be differentiated, or looked into
        gradients = []
        try:
            values = compiled(jax.vmap(lambda *x: value_and_within([], *x)[1]), "float64", optimised=False)(*arrays)
        except Exception:
            return [], []
    backward = [name.replace("what ", "the gradient at what ", 1) for name in names]
    return _named(names, values), _named(backward[: len(gradients)], gradients)


def _named(names: list[str], arrays: list[Any]) -> list[Named]:
    return [(name, np.asarray(x, np.float64)) for name, x in zip(names, arrays, strict=True)]


class _Recorder(OfCallsAlone):
    """Evaluates everything as it is, and keeps what isn't only moved; a loop or a branch is one operation.

    What is kept is moved by the first of `moved` that is left, which gives the gradient there.
    """

    def __init__(self, moved: list[Any]) -> None:
        self.values: list[Named] = []
        self.moved = list(moved)

    def operation(self, eqn: Any, kind: Kind, values: list[Any]) -> list[Any]:
        """The equation's own outputs, kept if they are floats."""
        outs = bind(eqn, values)
        if eqn.primitive.name not in MOVING and len(self.values) < MAX_VALUES:
            for i, x in enumerate(outs):
                if is_floating_array(jax.typeof(x)):
                    outs[i] = x + self.moved.pop(0) if self.moved else x
                    self.values.append((_described(eqn), outs[i]))
        return outs


def _described(eqn: Any) -> str:
    """Such as "what exp gives in line 12 of losses.py"."""
    for frame in frames_of(eqn):
        if not frame.file.startswith((PACKAGE, "<")):
            return f"what {eqn.primitive.name} gives in line {frame.line} of {Path(frame.file).name}"
    return f"what {eqn.primitive.name} gives in the forward"
