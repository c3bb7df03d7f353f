"""Whether the derivative rules of a function are linear in the cotangent: `jax.grad(f)` alone asks for that of 1."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.arrays import leaves_of
from manual_grads.checking.claim import Claim
from manual_grads.checking.compiling import traces
from manual_grads.checking.products import chosen_floats, of_chosen
from manual_grads.checking.trials.calls import Complaint
from manual_grads.checking.truth.own_rules import rules_of

OTHER_COTANGENT = -1.75  # than 1, for which a rule that ignores it is right
NOT_LINEAR = 1e-2  # of the largest entry: so much no format's rounding makes of it


def other_cotangents(claim: Claim, example: list[Any]) -> Complaint | None:
    """Whether the rules in f are linear in the cotangent, where the manual gradient is `jax.grad(f)`, of f's example.

    One that ignores its cotangent is right for that of `jax.grad`, and wrong wherever f is a part of something.
    """
    f, args = getattr(claim.manual, "__wrapped__", None), claim.tree(example)
    if f is None or not traces(f, list(args)) or not (rules := rules_of(f, *args)):
        return None
    try:
        of_floats, floats = of_chosen(f, args, chosen_floats(f, args, None)[0])
        value, pull = jax.vjp(of_floats, *floats)
        ones = jax.tree.map(jnp.ones_like, value)
        of_one, of_other = pull(ones), pull(jax.tree.map(lambda c: OTHER_COTANGENT * c, ones))
    except Exception:  # a result that has no cotangent, or what other calls tell
        return None
    for one, other in zip(leaves_of(of_one), leaves_of(of_other), strict=True):
        wrong = np.abs(other - OTHER_COTANGENT * one) > NOT_LINEAR * np.max(np.abs(other) + np.abs(one), initial=0)
        if wrong.any():
            at = np.unravel_index(int(wrong.argmax()), wrong.shape)
            text = (
                f"the forward's own rule isn't linear in its cotangent: that of {' and '.join(rules)}. For the "
                f"cotangent {OTHER_COTANGENT:g} it returns {other[at]:.6g}, where {OTHER_COTANGENT:g} times what it "
                f"returns for 1 is {OTHER_COTANGENT * one[at]:.6g}. check_rule looks into a function's rules. If that "
                "is on purpose, give trust_rules=True"
            )
            return Complaint("wrong rule", text)
    return None
