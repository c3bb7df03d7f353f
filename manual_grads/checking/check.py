"""`check_gradient`: is a hand-written derivative what it is claimed to be, and if not, what is wrong with it?"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking import transforms
from manual_grads.checking.arguments import Claim, as_arguments, as_claim, is_float, quiet
from manual_grads.checking.compiling import compile_together
from manual_grads.checking.judges import Oracles, oracles
from manual_grads.checking.judging import Finding, Judged, judge
from manual_grads.checking.mismatch import mismatch
from manual_grads.checking.probes import probes
from manual_grads.checking.report import Report, Row, name_of
from manual_grads.checking.transforms import Got
from manual_grads.checking.trials import Format, Trial, trial
from manual_grads.rules import FLOATS, batched

LEAST = 0.02  # of the entries have to be judged, or a check has shown nothing


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
        args: one example of the arguments, a tuple; or a callable `key -> args` that draws them. Integers are tried in
            the range that they show; so are floats that are whole numbers and aren't differentiated (labels, masks);
            floats that are all positive, four or more, stay so; a Python number that isn't differentiated is held.
        by: the JAX-style transform that is reproduced: `jax.grad`, `jax.jacobian`, `manual_grads.rules.vjp`, …
        dtypes: the formats to check in; the example's own and float64 unless told.
        thorough: every oracle and transform; if false, the fewest that find most errors, in under a second.
        seed: of the points and of the noise.

    Returns:
        What was tried, and the worst error of each in ULP; it prints as a table.

    Raises:
        GradientMismatch: if the claim is false; an `AssertionError` that says where, and what is wrong.
        TypeError: if no argument is floating, or `jax.grad` is asked of a forward that isn't scalar.
        ValueError: if an array is empty, the forward is finite at no point, or next to nothing can be judged.
        Exception: what `manual` itself raises, with a note of the check.
    """
    sampler = args if callable(args) else None
    claim, example = as_claim(forward, manual, args if sampler is None else _drawn(sampler, seed), by)
    found: list[Finding] = []
    rows: list[Row] = []
    trials: list[Trial] = []
    for fmt in _formats(example, dtypes):
        with jax.enable_x64(fmt.name == "float64"):
            points = probes(claim, example, fmt.dtypes, seed, thorough, sampler and partial(_arrays_of, claim, sampler))
            complaint = _structure(claim, fmt.cast(example), fmt)
        if complaint:
            found.append(Finding(f"structure, {fmt.name}", fmt, Got("structure", np.arange(0), [], None, complaint)))
            rows.append(Row(fmt.name, "structure", 0, np.inf, np.inf, False))
        else:
            trials.append(trial(claim, points, fmt, thorough and not trials, thorough))
    with jax.enable_x64(True):
        wide = [np.asarray(x, np.float64) if is_float(x) else x for x in example]
        judges = oracles(claim, wide, _own_eps(example), thorough)
    with quiet():
        compile_together(_first_jobs(judges, trials))
    judged = [judge(claim, judges, tried) for tried in trials]
    found += [f for each in judged for f in each.found]
    rows += [row for each in judged for row in each.rows]
    inside = np.concatenate([each.inside for each in judged] or [np.ones(0, bool)])
    notes = judges.notes + _notes(trials, judged)
    share = np.array([each.share for each in judged] or [1.0])
    report = Report(_title(claim), rows, len(inside), int((~inside).sum()), float(share.mean()), notes, seed)
    if not found and share.min() < LEAST:
        raise ValueError(
            f"only {share.min():.1%} of the entries can be judged in {trials[int(share.argmin())].format.name}: "
            f"{'; '.join(notes)}"
        )
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


def _drawn(sampler: Callable[..., Any], key: Any) -> Any:
    """What the sampler draws, by a key or the seed of one."""
    try:
        return sampler(jax.random.key(key) if isinstance(key, int) else key)
    except Exception as error:
        error.add_note("raised by args, which is called as args(key) to draw an example's arguments")
        raise


def _arrays_of(claim: Claim, sampler: Callable[..., Any], key: Any) -> list[Any]:
    """The arrays among the arguments that a sampler draws."""
    leaves = jax.tree.leaves(as_arguments(_drawn(sampler, key)))
    return [np.asarray(x) for x, h in zip(leaves, claim.held, strict=True) if h is None]


def _formats(example: list[Any], dtypes: Sequence[Any] | None) -> list[Format]:
    """The example's own dtypes and float64, or those asked for."""
    own = [jax.dtypes.canonicalize_dtype(x.dtype) for x in example]
    if dtypes is None:
        name = str(jnp.result_type(*(d for d in own if jnp.issubdtype(d, jnp.floating))))
        formats = [Format(name, own)]
        dtypes = [] if name == "float64" else ["float64"]
    else:
        formats, dtypes = [], [dtypes] if isinstance(dtypes, str) or not isinstance(dtypes, Sequence) else dtypes
        if not dtypes:
            raise ValueError(f"dtypes is empty, expected some of {', '.join(FLOATS)}, or None for the example's own")
    for dtype in dtypes:
        try:
            name = jnp.dtype(dtype).name
        except TypeError:
            name = ""
        if name not in FLOATS:
            raise TypeError(f"dtypes holds {dtype!r}, expected some of {', '.join(FLOATS)}")
        formats.append(Format(name, [jnp.dtype(name) if is_float(x) else d for x, d in zip(example, own, strict=True)]))
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
            with quiet():
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
