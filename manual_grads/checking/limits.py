"""What can be asked of a format: where the forward itself is good in it, and what a formula's own rounding takes."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.arguments import Claim, is_float, quiet
from manual_grads.checking.judges import Oracles, leaves_of, patterns_of_noise, scaled_spread
from manual_grads.checking.measure import worst
from manual_grads.checking.slopes import scale_of
from manual_grads.checking.transforms import Got
from manual_grads.checking.trials import Trial
from manual_grads.checking.truth import LARGER, Truth, usual_size


def values_in_format(judges: Oracles, tried: Trial) -> list[np.ndarray]:
    """The forward's values in a format other than float64."""
    with jax.enable_x64(False), quiet():
        return leaves_of(judges.value(*tried.format.cast(tried.arrays)))


def depends_on_x64(values: list[np.ndarray], judged: Truth, tried: Trial) -> bool:
    """Whether the forward is another function where float64 is enabled, as one that draws random numbers is."""
    rows = tried.usual & judged.inside
    if not rows.any():
        return False
    gross = max(0.05, 30 * float(jnp.finfo(tried.format.name).eps))
    with quiet():
        apart = [
            usual_size(mine - exact, rows) > gross * usual_size(exact, rows)
            for mine, exact in zip(values, judged.value, strict=True)
        ]
    return any(apart)


def within_format(values: list[np.ndarray], judged: Truth, tried: Trial) -> Truth:
    """Leaves out points where the forward itself, in this format, keeps less than half its digits: they overflow."""
    info, rows, inside = jnp.finfo(tried.format.name), tried.usual & judged.inside, judged.inside.copy()
    with quiet():
        for mine, exact in zip(values, judged.value, strict=True):
            size = np.maximum(scale_of(exact).ravel(), usual_size(exact, rows))
            error = np.max(np.nan_to_num(np.abs(mine - exact), nan=np.inf), tuple(range(1, exact.ndim)), initial=0)
            inside &= error <= float(info.eps) ** 0.5 * size + float(info.smallest_normal)
    decided = [d & inside.reshape(-1, *[1] * (d.ndim - 1)) for d in judged.decided]
    return judged._replace(inside=inside, decided=decided)


def with_own_rounding(claim: Claim, judges: Oracles, judged: Truth, tried: Trial, gots: list[Got]) -> Truth:
    """Allows for what rounding does to the manual gradient's own formula, as it does to σ(1 − σ) in the tails.

    A formula that corrects its own rounding errors can't be measured by noise; then it gets no allowance.
    """
    arrays, fmt = tried.arrays, tried.format
    ratios = [worst(g.leaves, judged, g.points, fmt.name).ratio for g in gots if g.leaves]
    if judged.own or not any(1 < ratio for ratio in ratios):
        return judged
    eps = float(jnp.finfo(fmt.name).eps)
    with jax.enable_x64(True):
        wide = [np.asarray(x[0], np.float64) if is_float(x) else x[0] for x in arrays]
        try:
            # One that computes in float32 whatever it is given is right, where no more is asked of it than bfloat16.
            inside = narrowest(claim.manual_of, *wide)
            u = max(eps, min(inside, judges.own)) / 2
            # What is of the size of the computation's own roundings would be rounded off again.
            larger = LARGER if u <= max(inside, 2.0**-52) / 2 else 1.0
            with quiet():
                patterns = leaves_of(judges.manual(larger * u, patterns_of_noise(), *arrays))
        except Exception:  # not a formula that can be run with noise
            return judged
    tolerance = []
    for i, leaf in enumerate(patterns):
        spread = judges.safety * scaled_spread(leaf, larger)
        axes = tuple(range(1, spread.ndim))
        typical = np.median(np.max(spread, axes, initial=0)[tried.usual & judged.inside])
        extra = spread + judges.safety * u * judged.size[i] * (u > eps)
        tolerance.append(judged.tolerance[i] + (extra if typical <= 1e4 * u * judged.size[i] else 0))
    return judged._replace(tolerance=tolerance, own=True)


def narrowest(f: Callable[..., Any], *args: Any) -> float:
    """The largest ε of the formats that f itself converts to, as one that computes in float32 whatever it is given."""
    closed = jax.make_jaxpr(f)(*args)
    return max([0.0, *(float(jnp.finfo(dtype).eps) for dtype in _formats(closed.jaxpr))])


def _formats(jaxpr: Any) -> list[Any]:
    found = []
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "convert_element_type" and jnp.issubdtype(eqn.invars[0].aval.dtype, jnp.floating):
            found += [eqn.params["new_dtype"]]
        for inner in jax.tree.leaves(
            list(eqn.params.values()), is_leaf=lambda p: hasattr(p, "eqns") or hasattr(p, "jaxpr")
        ):
            inner = getattr(inner, "jaxpr", inner)
            found += _formats(inner) if hasattr(inner, "eqns") else []
    return [dtype for dtype in found if jnp.issubdtype(dtype, jnp.floating)]
