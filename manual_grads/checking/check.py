"""`check_gradient`: is a hand-written derivative what it is claimed to be, and if not, what is wrong with it?"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from manual_grads.checking.arrays import calling_back, computing_in, quiet, widened
from manual_grads.checking.claim import Claim, as_arguments, as_claim
from manual_grads.checking.compiling import Job, compile_together, points_at_once
from manual_grads.checking.constants import keep_settings_apart
from manual_grads.checking.formats import asked_for, formats_of, is_own, own_eps
from manual_grads.checking.judging.judge import Finding, Judgement, judge, row_of
from manual_grads.checking.mismatch import mismatch
from manual_grads.checking.options import REPAIR_SECONDS, Options
from manual_grads.checking.patience import told_if_slow
from manual_grads.checking.raised import first_line
from manual_grads.checking.report import Report, Row
from manual_grads.checking.reproduction import title
from manual_grads.checking.trials.behaviour import structure
from manual_grads.checking.trials.domains import bounds_of
from manual_grads.checking.trials.points import Sampling, points_of
from manual_grads.checking.trials.trial import Trial, trial
from manual_grads.checking.truth.compiled import CompiledOracles, compiled_oracles
from manual_grads.checking.truth.differentiable import differentiable

MIN_SHARE_INSIDE = 0.5  # of the points have to be in the forward's domain: with fewer, most was never tried
MAX_TRIED = 2**21  # entries of an array, at all points together: what is kept of them, under noise, is half a gigabyte
MIN_JUDGED_SHARE = 0.02  # of the entries have to be judged, or a check has shown nothing


def check_gradient(
    forward: Any,
    manual: Callable[..., Any],
    args: Any,
    by: Callable[..., Any] = jax.grad,
    *,
    dtypes: Sequence[Any] | None = None,
    thorough: bool = True,
    trust_rules: bool = False,
    domain: dict[str, Any] | None = None,
    scales: Sequence[float] | None = None,
    rtol: float = 0.0,
    products: str | None = None,
    seed: int = 0,
    repair_seconds: float = REPAIR_SECONDS,
) -> Report:
    """Checks the claim `manual == by(forward)`, at points made from one example, in every way to call it.

    Args:
        forward: the function whose derivative is claimed.
        manual: the hand-written derivative; takes what `by(forward)` takes.
        args: one example of the arguments, a tuple; or a callable `key -> args` that draws them. Integers are drawn
            from those that it shows; so are floats that are whole numbers and aren't differentiated (labels, masks);
            rows that are one-hot or sum to one, and aren't differentiated, stay such. What is positive is tried at
            negative values too, where the forward is finite there. Cotangents and tangents are drawn, whatever the
            example's are like. A Python number that isn't differentiated is held.
        by: the JAX-style transform that is reproduced: `jax.grad`, `jax.jacobian`, `manual_grads.rules.vjp`, …
        dtypes: the formats to check in; the example's own and float64 unless told.
        thorough: every oracle and transform; if false, the fewest that find most errors, in under a second.
        trust_rules: whether what the forward's own rules (`jax.custom_jvp`, `jax.custom_vjp`) say is its derivative,
            whatever its slope is: for a straight-through estimator, a gradient that is clipped or reversed.
        domain: which values an argument may take, by its place: `{"[0]": "positive"}`; "probabilities" (along the last
            axis), "symmetric", "positive definite", a pair `(low, high)`, or a callable `key -> array`. It replaces
            what the example shows of that argument.
        scales: the scales to draw at, beside the example's own, instead of all from 10⁻⁸ to 1000: for a forward that
            is defined, or ends in time, at some only.
        rtol: what is allowed beside rounding, relative to the largest entry of a result: for a rule that is as good as
            its solver or its series.
        products: the format that an accelerator may round the operands of float32's products to, as it does unless told
            otherwise: "tensorfloat32" or "bfloat16". What that does to the forward's derivative and to the manual one
            is allowed in float32 and narrower formats; None allows nothing of the kind.
        seed: of the points and of the noise.
        repair_seconds: how long to look for the line that is wrong, and a change that mends it, once the gradient has
            failed; 0 for not at all.

    Returns:
        What was tried, and the worst error of each in ULP; it prints as a table.

    Raises:
        GradientMismatch: if the claim is false, or the forward's own rules aren't its derivative; an `AssertionError`
            that says where, and what is wrong.
        TypeError: if no argument is floating, or `jax.grad` is asked of a forward that isn't scalar.
        ValueError: if an array is empty or holds NaN, an option isn't one, `domain` names no argument or can't be met,
            the forward isn't finite at most of the points, or next to nothing can be judged.
        Exception: what `manual` itself raises, with a note of the check.
    """
    keep_settings_apart()
    options = Options(dtypes, thorough, trust_rules, domain, scales, rtol, products, seed, repair_seconds)
    options.refuse()
    sampler = args if callable(args) else None
    args = as_arguments(args if sampler is None else _drawn(sampler, seed))
    first = None if dtypes is None else asked_for(dtypes)[0]
    try:
        claim, example = as_claim(forward, manual, args, by, first)
    except Exception:
        found = differentiable(forward, by, args, bounds_of(domain or {}))
        if not found.note:
            raise
        claim, example = as_claim(found.forward, manual, args, by, first)
        claim = claim._replace(by_differences=found.by_differences, note=found.note)
    sampling = options.sampling(claim, example, sampler and partial(_arrays_drawn, claim, sampler))
    return check(claim, example, sampling, options, options.given(args=sampler))


class _Tried(NamedTuple):
    """What of a claim is to be judged."""

    claim: Claim
    trials: list[Trial]
    found: list[Finding]  # what is wrong before any number is
    notes: list[str]
    widest: int  # entries of the largest array that either side makes at a point
    calls_back: bool  # whether either side calls back into Python


def check(
    claim: Claim, example: list[Any], sampling: Sampling, options: Options, given: dict[str, Any] | None = None
) -> Report:
    """Checks a claim at points made from the example's arrays; `given` is what a failure repeats of the options."""
    tried = _tried(claim, example, sampling, options)
    claim, trials, found = tried.claim, tried.trials, tried.found
    # What is true, compiled together with the first call of each trial.
    own = (trials[0].format if trials else found[0].format).name
    oracles = compiled_oracles(
        claim, widened(example), own_eps(example), options.thorough, tried.widest, own, options.products_u
    )
    oracles.notes.extend(options.notes + tried.notes)
    with calling_back(tried.calls_back), told_if_slow(f"checking {title(claim)}", bool(options.scales)):
        with quiet():
            compile_together(_first_jobs(oracles, trials))
        # Whether it is right; if not, why not.
        rows = [row_of(finding.outcome, finding.format) for finding in found]
        judgements = [judge(claim, oracles, trial, options.trust_rules, options.rtol) for trial in trials]
        found += [finding for judgement in judgements for finding in judgement.found]
        report = _report(claim, rows, oracles, trials, judgements, options.seed)
        found = [finding for finding in found if finding.worst or not _is_an_average(finding)] or found
        if found:
            complaint = found[0].outcome.complaint
            raise mismatch(claim, found, report, example, given, options.repair_seconds) from (
                complaint and complaint.error
            )
    _refuse_if_unjudged(trials, judgements, report)
    return report


def _tried(claim: Claim, example: list[Any], sampling: Sampling, options: Options) -> _Tried:
    """The trials of a claim in each format, and what is wrong with the shapes and dtypes that it returns there."""
    tried = _Tried(claim, [], [], [], widest=1, calls_back=claim.by_differences)
    for fmt in formats_of(example, options.dtypes):
        with computing_in(fmt.name):
            try:
                shaped = structure(tried.claim, fmt.cast(example), fmt.name)
                if shaped.complaint and shaped.complaint.kind == "in NumPy":
                    tried = tried._replace(claim=claim._replace(eager=True))
                    shaped = structure(tried.claim, fmt.cast(example), fmt.name)
                    tried.notes.append(
                        "the gradient is written in NumPy: called point by point; jit, vmap, … weren't tried"
                    )
            except Exception as error:
                if options.dtypes is not None or not (tried.trials or tried.found):
                    raise
                # Not asked for, and one of them runs in its own format only, as a kernel does.
                tried.notes.append(f"{fmt.name}: not tried, as it can't be run in it ({first_line(error)})")
                continue
            widest = max(tried.widest, shaped.widest)
            tried = tried._replace(widest=widest, calls_back=tried.calls_back or shaped.calls_back)
            points = points_of(
                tried.claim,
                example,
                fmt.dtypes,
                options.seed,
                options.thorough,
                sampling,
                most=MAX_TRIED // widest,
            )
        if shaped.complaint:
            tried.found.append(Finding(f"{shaped.check}, {fmt.name}", fmt, shaped))
        else:
            first, at_once = not tried.trials, points_at_once(widest, copies=1)
            # In the other formats the formula is the same, and what XLA makes of it; it is compiled for one run.
            every_call, as_run = options.thorough and first, first or is_own(fmt, example)
            tried.trials.append(trial(tried.claim, points, fmt, every_call, options.thorough, at_once, as_run))
    return tried


def _is_an_average(finding: Finding) -> bool:
    """Whether it is only on average that results are wrong, of which single ones say more."""
    return finding.outcome.complaint is not None and finding.outcome.complaint.kind == "wrong factor"


def _drawn(sampler: Callable[..., Any], key: Any) -> Any:
    """What the sampler draws, by a key or the seed of one."""
    try:
        return sampler(jax.random.key(key) if isinstance(key, int) else key)
    except Exception as error:
        error.add_note("raised by args, which is called as args(key) to draw an example's arguments")
        raise


def _arrays_drawn(claim: Claim, sampler: Callable[..., Any], key: Any) -> list[Any]:
    """The arrays among the arguments that a sampler draws."""
    leaves = jax.tree.leaves(as_arguments(_drawn(sampler, key)))
    return [np.asarray(x) for x, h in zip(leaves, claim.held, strict=True) if h is None]


def _first_jobs(oracles: CompiledOracles, trials: list[Trial]) -> Iterator[Job]:
    """What is to be compiled whatever comes of it."""
    if trials:
        yield from oracles.jobs(trials[0].arrays)
    for tried in trials:
        yield from tried.jobs(tried.calls[:1])


def _report(
    claim: Claim,
    rows: list[Row],
    oracles: CompiledOracles,
    trials: list[Trial],
    judgements: list[Judgement],
    seed: int,
) -> Report:
    """What was tried, of all formats."""
    # What was only guessed to be in the domain, and isn't, doesn't count.
    inside = np.concatenate(
        [judged.inside[judged.inside | ~tried.guessed] for tried, judged in zip(trials, judgements, strict=True)]
        or [np.ones(0, bool)]
    )
    return Report(
        claim=title(claim),
        rows=rows + [row for judgement in judgements for row in judgement.rows],
        points=len(inside),
        skipped=int((~inside).sum()),
        judged=float(np.mean([judgement.share for judgement in judgements] or [1.0])),
        notes=oracles.notes + _notes(trials, judgements),
        seed=seed,
        ranges=_ranges(claim, trials, judgements),
    )


def _ranges(claim: Claim, trials: list[Trial], judgements: list[Judgement]) -> tuple[str, ...]:
    """Of each argument, the least and the largest number that was tried where the forward is finite."""
    found = []
    for i, name in enumerate(claim.names):
        tried = [tried.arrays[i][judged.inside] for tried, judged in zip(trials, judgements, strict=True)]
        numbers = np.concatenate([x.ravel() for x in tried] or [np.zeros(0)])
        if numbers.size and numbers.dtype != bool:
            found.append(f"args{name} from {numbers.min():.4g} to {numbers.max():.4g}")
    return tuple(found)


def _notes(trials: list[Trial], judgements: list[Judgement]) -> list[str]:
    """Each note once, after the formats that it is about."""
    about: dict[str, list[str]] = {}
    for tried, judgement in zip(trials, judgements, strict=True):
        for note in judgement.notes:
            about.setdefault(note, []).append(tried.format.name)
    return [f"{', '.join(dict.fromkeys(formats))}: {note}" for note, formats in about.items()]


def _refuse_if_unjudged(trials: list[Trial], judgements: list[Judgement], report: Report) -> None:
    """A check that could judge next to nothing has shown nothing, nor has one that could try next to nothing."""
    if report.points - report.skipped < MIN_SHARE_INSIDE * report.points:
        raise ValueError(
            f"only {report.points - report.skipped} of {report.points} points are in the forward's domain: at the "
            "others its value isn't finite. Give args=key -> args, which draws examples from the domain"
        )
    shares = [judgement.share for judgement in judgements]
    worst = shares.index(min(shares))
    if shares[worst] < MIN_JUDGED_SHARE:
        name = trials[worst].format.name
        raise ValueError(f"only {shares[worst]:.1%} of the entries can be judged in {name}: {'; '.join(report.notes)}")
