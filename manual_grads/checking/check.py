"""`check_gradient`: is a hand-written derivative what it is claimed to be, and if not, what is wrong with it?"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking import transforms
from manual_grads.checking.arguments import Claim, as_claim, is_float
from manual_grads.checking.compiling import compile_together
from manual_grads.checking.judges import Oracles, oracles
from manual_grads.checking.judging import Finding, Format, Judged, Trial, judge, trial
from manual_grads.checking.mismatch import mismatch
from manual_grads.checking.probes import probes
from manual_grads.checking.report import Report, Row, name_of
from manual_grads.checking.transforms import Got
from manual_grads.rules import batched


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
        by: the JAX-style transform that is reproduced: `jax.grad`, `jax.jacobian`, `manual_grads.rules.vjp`, …
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
    sampler = args if callable(args) else None
    claim, example = as_claim(forward, manual, args if sampler is None else sampler(jax.random.key(seed)), by)
    draw = None if sampler is None else lambda key: as_arrays(claim, sampler(key))
    found: list[Finding] = []
    rows: list[Row] = []
    trials: list[Trial] = []
    for fmt in _formats(example, dtypes):
        points = probes(example, fmt.dtypes, seed, thorough, draw)
        with jax.enable_x64(fmt.name == "float64"):
            complaint = _structure(claim, fmt.cast(example), fmt)
        if complaint:
            found.append(Finding(f"structure, {fmt.name}", fmt, Got("structure", np.arange(0), [], None, complaint)))
            rows.append(Row(fmt.name, "structure", 0, np.inf, np.inf, False))
        else:
            trials.append(trial(claim, points, fmt, thorough and not trials, thorough))
    with jax.enable_x64(True):
        wide = [np.asarray(x, np.float64) if is_float(x) else x for x in example]
        judges = oracles(claim, wide, thorough)._replace(own=_own_eps(example))
    with transforms.quiet():
        compile_together(_first_jobs(judges, trials))
    judged = [judge(claim, judges, tried) for tried in trials]
    found += [f for each in judged for f in each.found]
    rows += [row for each in judged for row in each.rows]
    inside = np.concatenate([each.inside for each in judged] or [np.ones(0, bool)])
    notes = judges.notes + _notes(trials, judged)
    report = Report(_title(claim), rows, len(inside), int((~inside).sum()), notes, seed)
    if found:
        raise mismatch(claim, found, report, example) from found[0].got.error
    return report


def _first_jobs(judges: Oracles, trials: list[Trial]) -> Iterator[tuple[Callable[..., Any], list[Any]]]:
    """What is to be compiled whatever comes of it."""
    if trials:
        with jax.enable_x64(True):
            yield from judges.jobs(trials[0].arrays)
    for tried in trials:
        yield from tried.jobs(tried.calls[:1])


def _notes(trials: list[Trial], judged: list[Judged]) -> list[str]:
    """Each note once, after the formats that it is about."""
    about: dict[str, list[str]] = {}
    for tried, each in zip(trials, judged, strict=True):
        for note in each.notes:
            about.setdefault(note, []).append(tried.format.name)
    return [f"{', '.join(dict.fromkeys(formats))}: {note}" for note, formats in about.items()]


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


def _own_eps(example: list[Any]) -> float:
    """Of the widest of the example's own formats: what a result must at least be good to, in any."""
    own = [jax.dtypes.canonicalize_dtype(x.dtype) for x in example if is_float(x)]
    return min(float(jnp.finfo(d).eps) for d in own)


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
        return (
            f"works eagerly but raises when traced (under jit): {type(traced).__name__}: {str(traced).splitlines()[0]}"
        )


def _title(claim: Claim) -> str:
    forward = name_of(claim.forward) if callable(claim.forward) else "LINKS"
    by = claim.by.keywords["by"] if isinstance(claim.by, partial) and claim.by.func is batched else claim.by
    return f"{name_of(claim.manual)} == {name_of(by)}({forward}){'' if by is claim.by else ' of a batch'}"
