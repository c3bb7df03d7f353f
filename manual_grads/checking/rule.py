"""`check_rule`: is the derivative rule that a function was given its derivative?"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.arrays import computing_in, quiet
from manual_grads.checking.check import check
from manual_grads.checking.claim import Claim, as_arguments, as_claim
from manual_grads.checking.compiling import traces
from manual_grads.checking.constants import keep_settings_apart
from manual_grads.checking.formats import formats_of
from manual_grads.checking.options import REPAIR_SECONDS, Options
from manual_grads.checking.products import chosen_floats, pulled_back, pushed_forward
from manual_grads.checking.report import GradientMismatch, Hypothesis, Report, wrapped
from manual_grads.checking.reproduction import name_of
from manual_grads.checking.trials.domains import bounds_of
from manual_grads.checking.trials.points import points_of
from manual_grads.checking.truth.oracles import steadiest_differences
from manual_grads.checking.truth.own_rules import (
    arguments_without_cotangent,
    has_forward_mode,
    has_symbolic_zeros,
    over_arrays,
    rules_not_taken_away,
    rules_of,
    without_rules,
)
from manual_grads.checking.truth.reached import reached
from manual_grads.checking.truth.refuted import to_blame

WRONG = "the rule that is wrong: "
MAX_POINTS_BLAMED = 6  # at which rules are tried one by one


def check_rule(
    f: Callable[..., Any],
    args: Any,
    *,
    reference: Callable[..., Any] | None = None,
    argnums: int | Sequence[int] | None = None,
    dtypes: Sequence[Any] | None = None,
    thorough: bool = True,
    domain: dict[str, Any] | None = None,
    scales: Sequence[float] | None = None,
    rtol: float = 0.0,
    products: str | None = None,
    seed: int = 0,
    repair_seconds: float = REPAIR_SECONDS,
) -> Report:
    """Checks that the derivative rules in `f` are its derivative: `vjp(f) == vjp(f without them)`, and `jvp` likewise.

    Args:
        f: a `jax.custom_vjp` or `jax.custom_jvp` function, or any function in which such are called, at any depth.
        args: one example of its arguments, a tuple.
        reference: a plain function that `f` computes; `f` itself without its rules, unless told.
        argnums: the arguments to differentiate; all that hold floats, unless told.
        dtypes: the formats to check in; the example's own and float64 unless told.
        thorough: every oracle and transform; if false, the fewest that find most errors.
        domain: which values an argument may take, by its place, as in `check_gradient`: `{"[0]": "positive"}`.
        scales: the scales to draw at, likewise.
        rtol: what is allowed beside rounding, likewise: for a rule that is as good as its solver or its series.
        products: the format that the operands of products may be rounded to, likewise.
        seed: of the points, the cotangents and the noise.
        repair_seconds: how long to look for the line of a rule that is wrong, and a change that mends it; 0 for not
            at all.

    Returns:
        What was tried. Its notes name the rules that were checked; those that were never reached by these arguments,
        as in a branch that isn't taken, behind a `stop_gradient`, or in a function whose own rule takes their place;
        and what wasn't differentiated.

    Raises:
        GradientMismatch: if a rule is wrong, for any cotangent or tangent; or if it returns another value than `f`.
        ValueError: if no rule is reached with these arguments, `reference` returns other shapes than `f`, or an option
            isn't one.
        Exception: what the rule itself raises, or JAX of what it returns.
    """
    keep_settings_apart()
    options = Options(
        dtypes=dtypes,
        thorough=thorough,
        trust_rules=True,
        domain=domain,
        scales=scales,
        rtol=rtol,
        products=products,
        seed=seed,
        repair_seconds=repair_seconds,
    )
    options.refuse()
    args = as_arguments(args)
    names = rules_of(f, *args)
    if not names:
        raise ValueError(
            f"{name_of(f)} has no derivative rule of its own that these arguments reach: check_rule looks into "
            "jax.custom_vjp and jax.custom_jvp; to check a gradient that you have as a function, use check_gradient"
        )
    _refuse_other_shapes(f, reference, args)
    hidden = rules_not_taken_away(f, *args)
    if hidden and reference is None:
        raise ValueError(
            f"the rule of {', '.join(hidden)} is inside a kernel or a platform_dependent, where it can't "
            "be taken away: give reference=, a plain function that computes the same"
        )
    mine, plain = _floating_results(f), _floating_results(reference or without_rules(f))
    every, notes = _asked(f, mine, args, argnums, thorough)
    given = options._replace(trust_rules=False).given(reference=reference, argnums=argnums)
    # Whether the rules have a part in that.
    followed = [name for name in names if name not in hidden]
    found = hidden + (_reached(every[0], mine, followed, options) if followed else [])
    if not found:
        raise ValueError(
            f"{name_of(f)}'s derivative doesn't depend on its rules ({', '.join(names)}) at any point made from these "
            "arguments: they are in a branch that isn't taken, behind a stop_gradient, or of what isn't differentiated"
        )
    missed = [name for name in names if name not in found]
    notes = [f"rules checked: {', '.join(found)}", *notes]
    notes += [f"rules never reached by these arguments: {', '.join(missed)}"] if missed else []
    # Whether they are right.
    silent = arguments_without_cotangent(f, *args)
    try:
        # Both modes ask the same rule, so the second has little to add, whatever is tried.
        quickly = options._replace(thorough=False)
        reports = [
            _report(products, f, mine, plain, quickly if i else options, given) for i, products in enumerate(every)
        ]
    except GradientMismatch as error:
        titled = len(names) == 1 and names[0].startswith(name_of(f))  # the title names it
        wrong = [] if titled else _wrong_rules(every[0], mine, followed, options)
        causes = [*(f"{WRONG}{name}" for name in wrong), *silent]
        raise (_with_causes(error, causes) if causes else error) from error.__cause__
    return _together(reports, [*notes, *silent])


class _Products(NamedTuple):
    """Products with cotangents, or with tangents, that a rule is asked for."""

    prefix: str  # of what the report says of them
    by: Callable[..., Any]
    args: tuple[Any, ...]  # those of the function, and the cotangents or tangents

    def to_be_had(self, f: Callable[..., Any]) -> bool:
        """Whether JAX can differentiate f so."""
        of_arrays, arrays = over_arrays(self.by(f), self.args)
        return traces(of_arrays, arrays)


def _asked(
    f: Callable[..., Any],
    mine: Callable[..., Any],
    args: tuple[Any, ...],
    argnums: int | Sequence[int] | None,
    thorough: bool,
) -> tuple[list[_Products], list[str]]:
    """The products to ask the rules for, in the modes that are to be had; and notes of what isn't."""
    chosen, notes = chosen_floats(mine, args, argnums)
    of_arrays, arrays = over_arrays(mine, args)
    cotangents = [np.ones(x.shape, x.dtype) for x in jax.eval_shape(of_arrays, *arrays)]
    tangents = [np.ones(np.shape(x), jnp.result_type(x)) for x in (jax.tree.leaves(args)[i] for i in chosen)]
    apart = has_symbolic_zeros(f, *args)
    backwards = _Products("", partial(pulled_back, chosen=chosen, apart=apart), (*args, cotangents))
    if not has_forward_mode(f, *args):
        return [backwards], notes
    forwards = _Products("jvp, ", partial(pushed_forward, chosen=chosen, apart=apart), (*args, tangents))
    if not backwards.to_be_had(mine) and forwards.to_be_had(mine):
        return [forwards], [*notes, "reverse mode: not to be had"]
    # Reverse mode is the transpose of the same rule: quickly, one of them alone.
    return ([backwards, forwards] if thorough or apart else [backwards]), notes


def _reached(products: _Products, mine: Callable[..., Any], names: list[str], options: Options) -> list[str]:
    """The rules that have a part in the products at the points of the first format."""
    claim, arrays = _drawn(products, mine, options)
    return reached(claim, names, arrays, formats_of(arrays, options.dtypes)[0].name)


def _drawn(products: _Products, mine: Callable[..., Any], options: Options) -> tuple[Claim, list[Any]]:
    """The claim that f's products are themselves, and points for it in the first format."""
    claim, example = as_claim(mine, products.by(mine), products.args, products.by)
    fmt, sampling = formats_of(example, options.dtypes)[0], options.sampling(claim, example)
    with computing_in(fmt.name):
        points = points_of(claim, example, fmt.dtypes, options.seed, options.thorough, sampling)
        return claim, fmt.cast(points.arrays)


def _wrong_rules(products: _Products, mine: Callable[..., Any], names: list[str], options: Options) -> list[str]:
    """Of several rules, those that are wrong by themselves, as far as that shows without differences."""
    wrong: list[str] = []
    try:
        with quiet():
            claim, points = _drawn(products, mine, options._replace(dtypes=["float64"], thorough=False))
            for at in range(MAX_POINTS_BLAMED):
                wrong += to_blame(claim, names, [x[at] for x in points])
    except Exception:  # one of them can't be differentiated without its rule
        return []
    return list(dict.fromkeys(wrong))


def _report(
    products: _Products,
    f: Callable[..., Any],
    mine: Callable[..., Any],
    plain: Callable[..., Any],
    options: Options,
    given: dict[str, Any],
) -> Report:
    """Whether the products of f are those of f without rules; its rows say which products."""
    # What can't be differentiated without its rule, as a kernel or a loop, is differenced.
    differenced = not products.to_be_had(plain)
    truth = steadiest_differences(plain, bounds=bounds_of(options.domain or {})) if differenced else plain
    claim, example = as_claim(truth, products.by(mine), products.args, products.by)
    claim = claim._replace(ruled=f, differenced=differenced)
    report = check(claim, example, options.sampling(claim, example), options, given)
    return report._replace(rows=[row._replace(check=products.prefix + row.check) for row in report.rows])


def _with_causes(error: GradientMismatch, causes: list[str]) -> GradientMismatch:
    """The mismatch, with what is known of the rule before anything that is guessed from numbers."""
    title, failing, rest = str(error).partition("\nfailing check: ")
    text = "\n".join([title, *(line for cause in causes for line in wrapped(cause, ""))])
    named = [Hypothesis("wrong rule" if cause.startswith(WRONG) else "no cotangent", cause) for cause in causes]
    return GradientMismatch(text + failing + rest, error.check, [*named, *error.diagnosis], error.report, error.repairs)


def _together(reports: list[Report], notes: list[str]) -> Report:
    """The reports as one."""
    every = list(dict.fromkeys([*notes, *(note for report in reports for note in report.notes)]))
    return reports[0]._replace(rows=[row for report in reports for row in report.rows], notes=every)


def _floating_results(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`'s results that have cotangents, as a list."""

    def floats(*args: Any) -> list[Any]:
        return [x for x in jax.tree.leaves(f(*args)) if jnp.issubdtype(jnp.result_type(x), jnp.floating)]

    return floats


def _refuse_other_shapes(f: Callable[..., Any], reference: Callable[..., Any] | None, args: tuple[Any, ...]) -> None:
    """Raises if the reference doesn't compute what f does."""
    if reference is None:
        return
    (of_f, arrays), (of_reference, _) = over_arrays(f, args), over_arrays(reference, args)
    want, got = (jax.eval_shape(g, *arrays) for g in (of_f, of_reference))
    want, got = (jax.tree.map(lambda x: (x.shape, x.dtype.name), shapes) for shapes in (want, got))
    if want != got:
        raise ValueError(f"reference returns {got}, expected what {name_of(f)} returns: {want}")
