"""The failure, told: which check, where, by how much, with what inputs, how to see it again, and why."""

from typing import Any

import jax
import numpy as np

from manual_grads.checking.arguments import Claim, is_float, quiet
from manual_grads.checking.compiling import QUICK
from manual_grads.checking.diagnosis import diagnose
from manual_grads.checking.evidence import evidence
from manual_grads.checking.judging import Finding
from manual_grads.checking.measure import Worst, ulps
from manual_grads.checking.report import GradientMismatch, Hypothesis, Report, hexed, reproduction, wrapped


def mismatch(claim: Claim, found: list[Finding], report: Report, example: list[Any]) -> GradientMismatch:
    """The error to raise."""
    valued = [f for f in found if f.worst is not None]
    chosen = _clearest(valued) or found[0]
    values = _of_values(claim, chosen) if chosen.worst else []
    first = [h for h in values if h.name == "not finite"]
    behaviour = _of_behaviour(found, report)
    # What only float64 is fine enough to show isn't a matter of the format.
    if all(f.worst and f.format.name == "float64" and _is_small(f.worst) for f in found):
        behaviour, last = [], behaviour
    else:
        last = []
    diagnosis = first + behaviour + [h for h in values if h not in first] + last
    if not diagnosis:
        diagnosis = [Hypothesis("unexplained", "none of the known causes explains it")]
    lines = [f"{report.claim} does not hold", f"failing check: {chosen.check}"]
    if len(found) > 1:
        others = list(dict.fromkeys(f.check for f in found if f is not chosen))
        lines += wrapped(f"also failing: {'; '.join(others)}", "")
    w = chosen.worst
    dtypes = chosen.format.dtypes
    point = example
    if w is not None and chosen.trial is not None:
        error = abs(w.got - w.want)
        ulp = float(ulps(error, w.want, chosen.format.name))
        where = f"result{_leaf_name(claim, chosen, w.leaf)}" + (f", index {w.place}" if w.place else "")
        point = [x[w.point] for x in chosen.trial.arrays]
        lines += [
            f"worst at {where}, at the point '{chosen.trial.names[w.point]}'",
            f"  got  {w.got!r}  {w.got.hex()}",
            f"  want {w.want!r}  {w.want.hex()}",
            f"  error {error:.3g}, {ulp:.3g} ULP, {w.ratio:.3g} times the allowed",
        ]
        for name, x, d in zip(claim.names(), point, dtypes, strict=True):
            lines += wrapped(f"args{name} = {hexed(np.asarray(x))} ({d})", "  ")
    else:
        text = chosen.got.complaint or f"{type(chosen.got.error).__name__}: {chosen.got.error}"
        lines += wrapped(text.splitlines()[0], "  ")
    kept = sum(np.size(x) for x in point) <= 400
    where = "to see it again" + ("" if kept else " (args being the example, which has too many entries to print)")
    lines += [f"seed {report.seed}; {where}:", f"  {reproduction(claim, point, dtypes, report.seed, kept)}"]
    lines += ["diagnosis:"]
    for number, h in enumerate(diagnosis, 1):
        first, *rest = wrapped(f"{number}. {h.text}", "     ")
        lines += [first[3:], *rest]
    lines += wrapped(f"note: {'; '.join(report.notes)}", "") if report.notes else []
    return GradientMismatch("\n".join(lines), chosen.check, diagnosis, report)


def _is_small(w: Worst) -> bool:
    return abs(w.got - w.want) < 1e-4 * abs(w.want)


def _clearest(found: list[Finding]) -> Finding | None:
    """Float64 shows most, and all points at once more than some."""

    def clarity(f: Finding) -> tuple[bool, bool]:
        return (f.got.name == "jit of vmap", f.format.name == "float64")

    return max(found, key=clarity) if found else None


def _leaf_name(claim: Claim, finding: Finding, leaf: int) -> str:
    assert finding.truth is not None
    return f"[{leaf}]" if len(finding.truth.want) > 1 else ""


def _of_values(claim: Claim, finding: Finding) -> list[Hypothesis]:
    """Explanations of the values."""
    got, truth, trial = finding.got, finding.truth, finding.trial
    assert truth is not None and trial is not None
    where = [f"result[{i}]" if len(got.leaves) > 1 else "" for i in range(len(got.leaves))]
    inputs = list(zip(claim.names(), trial.arrays, strict=True))
    with quiet():
        gradients = _gradients(claim, trial.arrays)
        wrong = evidence(got.leaves, truth, got.points, trial.names, inputs, where, gradients)
        return diagnose(wrong, len(got.leaves) - len(wrong))


def _gradients(claim: Claim, arrays: list[Any]) -> list[tuple[str, np.ndarray]]:
    """The forward's gradients with respect to each argument: the result may be another one's."""
    floats = tuple(i for i, x in enumerate(arrays) if is_float(x))

    def total(*leaves: Any) -> Any:
        return sum(v.sum() for v in jax.tree.leaves(claim.value(*leaves)))

    try:
        with jax.enable_x64(True):
            found = jax.jit(jax.vmap(jax.grad(total, floats)), compiler_options=QUICK)(*arrays)
    except Exception:  # no function to differentiate, or none of all its arguments: one explanation fewer
        return []
    names = claim.names()
    return [(f"the gradient with respect to args{names[i]}", np.asarray(g)) for i, g in zip(floats, found, strict=True)]


def _of_behaviour(found: list[Finding], report: Report) -> list[Hypothesis]:
    """Explanations by what fails and what doesn't."""
    causes: list[Hypothesis] = []
    for f in found:
        if "non-deterministic" in f.got.complaint:
            causes.append(Hypothesis("non-deterministic", f.got.complaint))
        elif f.got.complaint.startswith("wrong shape"):
            causes += _of_shape(f.got.complaint)
            causes.append(Hypothesis("wrong shape", f.got.complaint))
        elif f.got.complaint.startswith("wrong dtype"):
            causes.append(Hypothesis("wrong dtype", f"{f.got.complaint} (in {f.format.name})"))
        elif f.got.complaint.startswith("wrong tree"):
            causes.append(Hypothesis("wrong tree", f.got.complaint))
        elif "traced" in f.got.complaint:
            causes.append(Hypothesis("raises when traced", f.got.complaint))
        elif f.got.complaint:
            causes.append(Hypothesis(f.check, f"{f.check}: {f.got.complaint}"))
        elif f.got.error is not None:
            name = "leaked tracer" if "eak" in str(f.got.error) or "Tracer" in type(f.got.error).__name__ else "raises"
            text = f"{f.check}: {type(f.got.error).__name__}: {str(f.got.error).splitlines()[0]}"
            causes.append(Hypothesis(name, text))
    passes = {(row.dtype, row.check): row.passed for row in report.rows if not row.check.startswith("against")}
    failed_checks = {check for (_, check), passed in passes.items() if not passed}
    passed_checks = {check for (_, check), passed in passes.items() if passed} - failed_checks
    # The same check has to have been made in both formats.
    pairs = [(a, b) for (a, x), bad in passes.items() for (b, y), good in passes.items() if x == y and good > bad]
    if pairs and not {a for a, _ in pairs} & {b for _, b in pairs}:
        bad, good = (", ".join(dict.fromkeys(side)) for side in zip(*pairs, strict=True))
        causes.append(Hypothesis("one dtype", f"wrong only in {bad}; right in {good}"))
    failing = ", ".join(sorted(failed_checks))
    alone = [check for check in failed_checks if check.startswith("vmap over")]
    # Eager and jit are called at the same points, so that a gradient that is wrong elsewhere isn't meant.
    if {"eager", "jit", "vmap of jit"} <= passed_checks and len(alone) == len(failed_checks) > 0:
        causes.append(Hypothesis("only when batched", f"wrong only when one argument alone is batched: {failing}"))
    elif {"eager", "jit"} <= passed_checks and "vmap of jit" in failed_checks:
        causes.append(Hypothesis("only when batched", f"wrong only when batched: {failing}"))
    elif "eager" in passed_checks and "jit" in failed_checks:
        causes.append(Hypothesis("only when jitted", f"right eagerly, wrong under {failing}"))
    elif "eager" in failed_checks and "jit" in passed_checks:
        causes.append(Hypothesis("only when eager", "right when compiled, wrong eagerly"))
    return list({h.name: h for h in reversed(causes)}.values())[::-1]


def _of_shape(complaint: str) -> list[Hypothesis]:
    """What a wrong shape says."""
    expected, got = (
        tuple(int(n) for n in part.strip("() ").split(",") if n.strip())
        for part in (complaint.split("expected ")[1].split("), ")[0], complaint.split("got ")[1])
    )
    if sorted(expected) == sorted(got) and expected != got:
        return [Hypothesis("transposed", f"transposed: {got} is {expected} with its axes in another order")]
    if len(got) > len(expected) and got[len(got) - len(expected) :] == expected:
        extra = got[: len(got) - len(expected)]
        return [Hypothesis("not reduced", f"not reduced over the batch: the leading axes {extra} are to be summed")]
    if len(got) < len(expected) and (expected[len(expected) - len(got) :] == got or expected[: len(got)] == got):
        text = f"reduced too far: of {expected}, the axes {expected} less {got} were summed or averaged"
        return [Hypothesis("reduced too far", text)]
    return []
