"""Which results of a claim are gradients, and by which arguments."""

from typing import Any, NamedTuple

import jax
import numpy as np

from manual_grads.checking.claim import Claim

# The transforms whose last results are gradients, of a scalar forward or of its product with a cotangent.
GRADIENTS = ("grad", "value_and_grad", "jacobian", "jacrev", "vjp", "value_and_vjp", "pulled_back")
MAX_ENTRIES = 2**12  # of all gradients together: of more, random directions say little about any one


class Gradient(NamedTuple):
    """A result that is the gradient by an argument."""

    result: int
    argument: int


def gradients_in(claim: Claim, example: list[Any]) -> tuple[Gradient, ...]:
    """Which results are gradients by autodiff, and by which arguments; none, if the claim isn't about such."""
    if claim.by_differences or claim.differenced:  # whose steps are too long to show the sides of a kink
        return ()
    by = getattr(claim.by, "func", claim.by)
    arguments = [i for i, d in enumerate(claim.differentiated) if d]
    if getattr(by, "__name__", "") not in GRADIENTS or sum(np.size(example[i]) for i in arguments) > MAX_ENTRIES:
        return ()
    shapes = [x.shape for x in jax.tree.leaves(jax.eval_shape(claim.claimed, *example))]
    first = len(shapes) - len(arguments)
    if shapes[max(first, 0) :] != [np.shape(example[i]) for i in arguments]:
        return ()
    return tuple(Gradient(first + k, argument) for k, argument in enumerate(arguments))
