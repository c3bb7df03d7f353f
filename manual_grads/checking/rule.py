"""`check_rule`: is the derivative rule that a function was given its derivative?"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.check import check
from manual_grads.checking.claim import as_arguments, as_claim
from manual_grads.checking.compiling import traces
from manual_grads.checking.constants import keep_settings_apart
from manual_grads.checking.report import Report
from manual_grads.checking.reproduction import name_of
from manual_grads.checking.truth.oracles import differences
from manual_grads.checking.truth.own_rules import has_forward_mode, rules_of, without_rules
from manual_grads.rules import jvp, value_and_vjp


def check_rule(
    f: Callable[..., Any],
    args: Any,
    *,
    reference: Callable[..., Any] | None = None,
    argnums: int | Sequence[int] | None = None,
    dtypes: Sequence[Any] | None = None,
    thorough: bool = True,
    seed: int = 0,
) -> Report:
    """Checks that the derivative rules in `f` are its derivative: `vjp(f) == vjp(f without them)`, and `jvp` likewise.

    Args:
        f: a `jax.custom_vjp` or `jax.custom_jvp` function, or any function in which such are called, at any depth.
        args: one example of its arguments, a tuple.
        reference: a plain function that `f` computes; `f` itself without its rules, unless told.
        argnums: the arguments to differentiate; all that hold floats, unless told.
        dtypes: the formats to check in; the example's own and float64 unless told.
        thorough: every oracle and transform; if false, the fewest that find most errors.
        seed: of the points, the cotangents and the noise.

    Returns:
        What was tried; its notes name the rules.

    Raises:
        GradientMismatch: if a rule is wrong, for any cotangent or tangent; or if it returns another value than `f`.
        ValueError: if no rule is reached with these arguments, or `reference` returns other shapes than `f`.
    """
    keep_settings_apart()
    args = as_arguments(args)
    rules = rules_of(f, *args)
    if not rules:
        raise ValueError(
            f"{name_of(f)} has no derivative rule of its own that these arguments reach: check_rule looks into "
            "jax.custom_vjp and jax.custom_jvp; to check a gradient that you have as a function, use check_gradient"
        )
    _refuse_other_shapes(f, reference, args)
    which = _differentiated(args, argnums)
    mine, plain = _floating_results(f), _floating_results(reference or without_rules(f))
    cotangents = [np.ones(x.shape, x.dtype) for x in jax.eval_shape(mine, *args)]
    # What can't be differentiated without its rule, as a kernel or a loop, is differenced.
    truth = plain if traces(value_and_vjp(plain, which), [*args, cotangents]) else differences(plain)

    def report_of(by: Callable[..., Any], directions: Sequence[Any]) -> Report:
        claim, example = as_claim(truth, by(mine), (*args, *directions), by)
        claim = claim._replace(ruled=f)
        return check(claim, example, dtypes=dtypes, thorough=thorough, trust_rules=True, seed=seed)

    report = report_of(lambda of: value_and_vjp(of, which), [cotangents])
    if has_forward_mode(f, *args):
        tangents = [jax.tree.map(lambda x: np.ones(np.shape(x), jnp.result_type(x)), args[i]) for i in which]
        forwards = report_of(lambda of: jvp(of, which), tangents)
        rows = report.rows + [row._replace(check=f"jvp, {row.check}") for row in forwards.rows]
        report = report._replace(rows=rows, notes=list(dict.fromkeys(report.notes + forwards.notes)))
    return report._replace(notes=[f"rules checked: {', '.join(rules)}", *report.notes])


def _differentiated(args: tuple[Any, ...], argnums: int | Sequence[int] | None) -> tuple[int, ...]:
    """The positions to differentiate: those asked for, or all whose leaves are floats."""
    if argnums is not None:
        return (argnums,) if isinstance(argnums, int) else tuple(argnums)
    return tuple(
        i for i, arg in enumerate(args) if jax.tree.leaves(arg) and all(map(_is_floating, jax.tree.leaves(arg)))
    )


def _is_floating(x: Any) -> bool:
    return (isinstance(x, float) or _is_array(x)) and jnp.issubdtype(jnp.result_type(x), jnp.floating)


def _is_array(x: Any) -> bool:
    return isinstance(x, jax.Array | np.ndarray | np.generic)


def _floating_results(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`'s results that have cotangents, as a list."""

    def floats(*args: Any) -> list[Any]:
        return [x for x in jax.tree.leaves(f(*args)) if jnp.issubdtype(jnp.result_type(x), jnp.floating)]

    return floats


def _refuse_other_shapes(f: Callable[..., Any], reference: Callable[..., Any] | None, args: tuple[Any, ...]) -> None:
    """Raises if the reference doesn't compute what f does."""
    if reference is None:
        return
    want, got = (jax.tree.map(lambda x: (x.shape, x.dtype.name), jax.eval_shape(g, *args)) for g in (f, reference))
    if want != got:
        raise ValueError(f"reference returns {got}, expected what {name_of(f)} returns: {want}")
