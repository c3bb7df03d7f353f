"""Whether the forward's own derivative rules are its derivative: beside the same function without them."""

from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from manual_grads.checking.arrays import Leaf, along_leaf, computing_in, leaves_of, rows_of, scale_of
from manual_grads.checking.claim import Claim
from manual_grads.checking.truth.compiled import MAX_POINTS_DIFFERENCED, CompiledOracles
from manual_grads.checking.truth.evaluated import Evaluated
from manual_grads.checking.truth.own_rules import value_when_differentiated, without_rules
from manual_grads.checking.truth.slopes import stepped_slopes

# Relative to the derivative's largest entry at a point: a rule that is as good as a solver's tolerance isn't refuted.
ROUGH = 1e-4


class RefutedRule(NamedTuple):
    """A point at which the forward's own rule isn't its derivative, or returns another value than the forward."""

    what: Literal["derivative", "value"]
    point: int
    by_rule: float
    without: float


def refuted_rule(oracles: CompiledOracles, points: list[Leaf], found: Evaluated) -> RefutedRule | None:
    """The clearest point at which the value or the derivative by the rules is another than without them.

    Kinks are left out, as there a rule may choose; so is what the forward without rules can't be differentiated at.
    """
    inside = np.flatnonzero(found.inside)
    if found.value_by_rules is not None:
        apart = [_apart(rule, value) for rule, value in zip(found.value_by_rules, found.value, strict=True)]
        if refuted := _clearest("value", apart, found.value_by_rules, found.value, inside):
            return refuted
    if found.without_rules is None:
        return None
    claimed = [leaf[:, 0] for leaf in found.autodiff]
    leaves = zip(claimed, found.without_rules, found.kinks, strict=True)
    apart = [_apart(rule, plain) & along_leaf(found.smooth, rule) & ~kink.at for rule, plain, kink in leaves]
    suspicious = np.flatnonzero(np.any([rows_of(leaf) for leaf in apart], axis=0))[:MAX_POINTS_DIFFERENCED]
    if not len(suspicious):
        return None
    # The forward's body may be bad at being differentiated, which is a reason to have a rule: the slope decides.
    if oracles.confirming is not None:
        slopes = stepped_slopes(oracles.confirming, points, suspicious, claimed, found.value)
        sides = zip(apart, claimed, found.without_rules, slopes.of, slopes.errors, strict=True)
        apart = [where & _confirmed(*others) for where, *others in sides]
    return _clearest("derivative", apart, claimed, found.without_rules, suspicious)


def _apart(rule: Leaf, plain: Leaf) -> np.ndarray:
    """Where two derivatives differ by more than a solver's tolerance."""
    scale = np.maximum(scale_of(rule), scale_of(plain))
    with np.errstate(invalid="ignore"):
        return np.isfinite(rule) & np.isfinite(plain) & (np.abs(rule - plain) > ROUGH * scale)


def _confirmed(rule: Leaf, plain: Leaf, slope: Leaf, error: Leaf) -> np.ndarray:
    """Where the slope is known, is that of the function without rules, and isn't that of the rule."""
    scale = np.maximum(scale_of(rule), scale_of(plain))
    with np.errstate(invalid="ignore"):
        known = 30 * error <= 0.1 * ROUGH * scale
        return known & (np.abs(plain - slope) <= 0.5 * ROUGH * scale) & (np.abs(rule - slope) > 0.5 * ROUGH * scale)


def _clearest(
    what: Literal["derivative", "value"],
    apart: list[np.ndarray],
    claimed: list[Leaf],
    plain: list[Leaf],
    rows: np.ndarray,
) -> RefutedRule | None:
    """Of the entries that differ at these points, the one that differs most, relative to its leaf at its point."""
    best, found = 0.0, None
    for where, rule, other in zip(apart, claimed, plain, strict=True):
        scale = np.maximum(scale_of(rule), scale_of(other))
        with np.errstate(all="ignore"):
            gap = np.where(where, np.abs(rule - other) / scale, 0.0)[rows]
        if gap.size and gap.max() > best:
            at = np.unravel_index(int(gap.argmax()), gap.shape)
            place = (rows[at[0]], *at[1:])
            best, found = float(gap.max()), RefutedRule(what, int(place[0]), float(rule[place]), float(other[place]))
    return found


def to_blame(
    claim: Claim, names: list[str], point: list[Any], what: Literal["derivative", "value"] = "derivative"
) -> list[str]:
    """Which of the forward's rules are wrong at a point, each tried alone."""

    def of(but: str) -> list[np.ndarray]:
        with_one = claim._replace(forward=jax.tree.map(lambda f: without_rules(f, but), claim.forward))
        asked = with_one.claimed if what == "derivative" else value_when_differentiated(with_one.value)
        return leaves_of(asked(*point))

    with computing_in("float64"):
        plain = of("")
        return [
            name for name in names if any(_apart(a[None], b[None]).any() for a, b in zip(of(name), plain, strict=True))
        ]
