"""`check_gradient`: is a hand-written derivative what it is claimed to be, and if not, what is wrong with it?"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking import transforms
from manual_grads.checking.arguments import Claim, as_claim, is_float
from manual_grads.checking.measure import Worst, worst
from manual_grads.checking.mismatch import Finding, mismatch
from manual_grads.checking.probes import Probes, probes
from manual_grads.checking.report import Report, Row, name_of
from manual_grads.checking.rounding import narrowest
from manual_grads.checking.transforms import Got
from manual_grads.checking.truth import SAFETY, Oracles, Truth, _leaves, _spread, oracles, patterns_of_noise, truth


class Format(NamedTuple):
    """A dtype to check in: its name, and that of each array."""

    name: str
    dtypes: list[Any]


def check_gradient(
    forward: Any,
    manual: Callable[..., Any],
    args: Any,
    by: Callable[..., Any] = jax.grad,
    *,
    dtypes: Sequence[Any] | None = None,
    thorough: bool = True,
    seed: int = 0,
) -> Report:
    """Checks the claim `manual == by(forward)`, at points made from one example, in every way to call it.

    Args:
        forward: the function whose derivative is claimed.
        manual: the hand-written derivative; takes what `by(forward)` takes.
        args: one example of the arguments, a tuple; or a callable `key -> args` that draws them.
        by: the JAX-style transform that is reproduced: `jax.grad`, `jax.jacobian`, `vjp`, `jvp` of `manual_grads.rules`.
        dtypes: the formats to check in; the example's own and float64 unless told.
        thorough: every oracle and transform; if false, the fewest that find most errors, in under a second.
        seed: of the points and of the noise.

    Returns:
        What was tried, and the worst error of each in ULP; it prints as a table.

    Raises:
        GradientMismatch: if the claim is false; an `AssertionError` that says where, and what is wrong.
        TypeError: if no argument is floating, or `jax.grad` is asked of a forward that isn't scalar.
        ValueError: if an array is empty, or the forward is finite at no point.
        Exception: what `manual` itself raises, with a note of the check.
    """
    draw = None
    if callable(args):
        drawer = args
        args = drawer(jax.random.key(seed))

        def draw(key: Any) -> list[Any]:
            return as_arrays(claim, drawer(key))

    claim, example = as_claim(forward, manual, args, by)
    found: list[Finding] = []
    rows: list[Row] = []
    notes: list[str] = []
    counted = skipped = 0
    formats = _formats(example, dtypes)
    with jax.enable_x64(True):
        wide = [np.asarray(x, np.float64) if is_float(x) else x for x in example]
        judges = oracles(claim, wide, thorough)
    notes += [f"{name}: not available here" for name in judges.unavailable]
    for number, fmt in enumerate(formats):
        with jax.enable_x64(fmt.name == "float64"):
            cast = _caster(fmt)
            complaint = _structure(claim, cast(example), fmt)
        points = probes(example, fmt.dtypes, seed, thorough, draw)
        if complaint:
            found.append(Finding(f"structure, {fmt.name}", fmt.name, complaint=complaint))
            rows.append(Row(fmt.name, "structure", 0, np.inf, False))
            continue
        judged = _judged(claim, judges, points, fmt, number == 0 or thorough, found, rows, notes, number == 0, thorough, cast)
        counted += len(judged.inside)
        skipped += int((~judged.inside).sum())
    report = Report(_title(claim), rows, counted, skipped, list(dict.fromkeys(notes)), seed)
    if found:
        raise mismatch(claim, found, report, formats, example) from found[0].error
    return report


def as_arrays(claim: Claim, args: Any) -> list[Any]:
    """The arrays among the arguments that a sampler drew."""
    args = tuple(args) if isinstance(args, tuple | list) else (args,)
    return [np.asarray(x) for x, h in zip(jax.tree.leaves(args), claim.held, strict=True) if h is None]


def _formats(example: list[Any], dtypes: Sequence[Any] | None) -> list[Format]:
    """The example's own dtypes and float64, or those asked for."""
    own = [jax.dtypes.canonicalize_dtype(x.dtype) for x in example]
    if dtypes is None:
        name = str(jnp.result_type(*(d for d in own if jnp.issubdtype(d, jnp.floating))))
        formats = [Format(name, own)]
        dtypes = [] if name == "float64" else ["float64"]
    else:
        formats = []
    for dtype in dtypes:
        each = [jnp.dtype(dtype) if is_float(x) else d for x, d in zip(example, own, strict=True)]
        formats.append(Format(str(jnp.dtype(dtype)), each))
    return formats


def _caster(fmt: Format) -> Callable[[list[Any]], list[Any]]:
    return lambda arrays: [jnp.asarray(x, d) for x, d in zip(arrays, fmt.dtypes, strict=True)]


def _structure(claim: Claim, example: list[Any], fmt: Format) -> str:
    """What is wrong with the shapes; what the manual gradient raises eagerly too is its own error."""
    try:
        return transforms.structure(claim, example)
    except Exception as traced:
        try:
            with transforms.quiet():
                claim.manual_of(*example)
        except Exception as error:
            error.add_note(f"raised by the manual gradient; check: eager, {fmt.name}, at the example")
            raise error from None
        return f"works eagerly but raises when traced (under jit): {type(traced).__name__}: {str(traced).splitlines()[0]}"


def _judged(
    claim: Claim,
    judges: Oracles,
    points: Probes,
    fmt: Format,
    behave: bool,
    found: list[Finding],
    rows: list[Row],
    notes: list[str],
    first: bool,
    thorough: bool,
    cast: Callable[[list[Any]], list[Any]],
) -> Truth:
    """One format's calls beside the truth; what is wrong is added to `found`, and every check to `rows`."""
    owners = claim.owners()
    ordinary = np.flatnonzero(points.ordinary())
    some = (ordinary[: transforms.SOME].tolist() * transforms.SOME)[: transforms.SOME]
    count = len(points.names)
    arrays, names = points.arrays, list(points.names)
    if thorough:
        for argument, origin in transforms.mixtures(owners, some):
            arrays = [np.concatenate([x, points.arrays[i][o]]) for i, (x, o) in enumerate(zip(arrays, origin, strict=True))]
            names += [f"args[{argument}] alone varied"] * len(some)
    usual = np.pad(points.ordinary(), (0, len(names) - count))
    with jax.enable_x64(True):
        with transforms.quiet():
            judged = truth(judges, arrays, usual, fmt.name)
    with jax.enable_x64(fmt.name == "float64"):
        judged = _within_format(judges, judged, arrays, usual, fmt, cast)
        if not judged.inside.any():
            raise ValueError(
                "the forward is finite at no point that was tried, the example included: give an example inside its "
                "domain, or args=key -> args that draws from it"
            )
        calls = transforms.calls(claim, arrays, some, count, thorough and first)
        gots = [transforms.run(call, arrays, owners, cast) for call in calls]
    extras = None
    worsts = [worst(g.leaves, judged, g.points, fmt.name) if g.leaves else None for g in gots]
    if any(w is not None and 1 < w.ratio < np.inf for w in worsts):
        extras = _own_rounding(claim, judges, arrays, judged, usual, fmt)
        worsts = [worst(g.leaves, judged, g.points, fmt.name, extras) if g.leaves else None for g in gots]
    if thorough and first:
        with jax.enable_x64(fmt.name == "float64"):
            gots += list(transforms.behaviour(claim, cast([x[some[0]] for x in arrays])))
    for got, w in zip(gots, [*worsts, *[None] * len(gots)], strict=False):
        _record(got, w, judged, fmt, arrays, names, found, rows)
    _oracle_rows(judged, gots, fmt, rows)
    notes += [f"{fmt.name}: {note}" for note in judged.notes]
    undecided = sum(int((~d & judged.inside.reshape(-1, *[1] * (d.ndim - 1))).sum()) for d in judged.decided)
    entries = sum(d.size for d in judged.decided)
    if undecided:
        notes.append(f"{fmt.name}: {undecided} of {entries} entries not judged: ill-conditioned, a kink, or out of range")
    return judged


def _within_format(judges: Oracles, judged: Truth, arrays: list[Any], usual: Any, fmt: Format, cast: Any) -> Truth:
    """Leaves out points where the forward itself, in this format, keeps less than half its digits: they overflow."""
    if fmt.name == "float64" or not judged.value:
        return judged
    with transforms.quiet():
        values = _leaves(judges.value(*cast(arrays)))
        inside = judged.inside.copy()
        for mine, exact in zip(values, judged.value, strict=True):
            axes = tuple(range(1, exact.ndim))
            size = np.max(np.abs(exact), axes, initial=0)
            size = np.maximum(size, np.median(size[usual & judged.inside]) if (usual & judged.inside).any() else 0)
            error = np.max(np.nan_to_num(np.abs(mine - exact), nan=np.inf), axes, initial=0)
            inside &= error <= float(jnp.finfo(fmt.name).eps) ** 0.5 * size + float(jnp.finfo(fmt.name).smallest_normal)
    decided = [d & inside.reshape(-1, *[1] * (d.ndim - 1)) for d in judged.decided]
    return judged._replace(inside=inside, decided=decided)


def _own_rounding(claim: Claim, judges: Oracles, arrays: list[Any], judged: Truth, usual: Any, fmt: Format) -> list[Any] | None:
    """What rounding does to the manual gradient's own formula, as it does to σ(1 − σ) in the tails.

    A formula that corrects its own rounding errors can't be measured by noise; then it gets no allowance.
    """
    eps = float(jnp.finfo(fmt.name).eps)
    with jax.enable_x64(True):
        wide = [np.asarray(x[0], np.float64) if is_float(x) else x[0] for x in arrays]
        own = min(float(jnp.finfo(d).eps) for d in (claim_dtypes(claim, fmt)))
        try:
            u = max(eps, min(narrowest(claim.manual_of, *wide), own)) / 2
            patterns = _leaves(judges.manual(u, patterns_of_noise(), *arrays))
        except Exception:  # not a formula that can be run with noise
            return None
    extras = []
    for i, leaf in enumerate(patterns):
        spread = SAFETY * _spread(leaf)
        axes = tuple(range(1, spread.ndim))
        typical = np.median(np.max(spread, axes, initial=0)[usual & judged.inside])
        extras.append(spread if typical <= 1e4 * u * judged.size[i] else 0 * spread)
    return extras


def claim_dtypes(claim: Claim, fmt: Format) -> list[Any]:
    """The formats of the example's own floats: what a result must at least be good to."""
    del claim
    return [d for d in fmt.dtypes if jnp.issubdtype(d, jnp.floating)]


def _record(
    got: Got, w: Worst | None, judged: Truth, fmt: Format, arrays: Any, names: Any, found: list[Finding], rows: list[Row]
) -> None:
    """A row of the table, and a finding if it isn't right."""
    wrong = got.error is not None or bool(got.complaint) or (w is not None and w.ratio > 1)
    rows.append(Row(fmt.name, got.name, len(got.points), w.ulp if w else (np.inf if wrong else 0.0), not wrong))
    if wrong:
        found.append(
            Finding(f"{got.name}, {fmt.name}", fmt.name, got, w, judged, arrays, names, got.error, got.complaint)
        )


def _oracle_rows(judged: Truth, gots: list[Got], fmt: Format, rows: list[Row]) -> None:
    """The distance from each oracle, at the points where it is to be had."""
    everything = next((g for g in gots if g.name == "jit of vmap" and g.leaves), None)
    if everything is None:
        return
    for name, leaves in judged.by_oracle.items():
        against = judged._replace(
            want=leaves, decided=[d & np.isfinite(leaf) for d, leaf in zip(judged.decided, leaves, strict=True)]
        )
        ulp = worst(everything.leaves, against, everything.points, fmt.name).ulp
        rows.append(Row(fmt.name, f"against {name}", len(everything.points), ulp, True))


def _title(claim: Claim) -> str:
    return f"{name_of(claim.manual)} == {name_of(claim.by)}({name_of(claim.forward)})"
