"""Hypotheses by how a gradient behaves: which checks fail and which don't, what it raises, a wrong shape."""

from collections.abc import Iterator

from manual_grads.checking.judging.judge import Finding
from manual_grads.checking.report import Hypothesis, Row
from manual_grads.checking.trials.calls import Complaint


def of_behaviour(found: list[Finding], rows: list[Row]) -> list[Hypothesis]:
    """Explanations by what fails and what doesn't; each name once."""
    causes = [cause for finding in found for cause in _of_complaint(finding)]
    causes += _of_transforms(rows)
    return list({h.name: h for h in reversed(causes)}.values())[::-1]


def of_formats(rows: list[Row]) -> Iterator[Hypothesis]:
    """Wrong in one format and right in another, where the same check was made in both."""
    passes = _passes(rows)
    pairs = [(a, b) for (a, x), bad in passes.items() for (b, y), good in passes.items() if x == y and good > bad]
    if pairs and not {a for a, _ in pairs} & {b for _, b in pairs}:
        bad, good = (", ".join(dict.fromkeys(side)) for side in zip(*pairs, strict=True))
        yield Hypothesis("one dtype", f"wrong only in {bad}; right in {good}")


def _of_complaint(finding: Finding) -> Iterator[Hypothesis]:
    """What is said of a call beside its values."""
    complaint = finding.outcome.complaint
    if complaint is None:
        return
    if complaint.kind == "wrong shape":
        yield from of_shape(complaint)
    if complaint.kind == "wrong dtype":
        yield Hypothesis("wrong dtype", f"{complaint.text} (in {finding.format.name})")
    elif complaint.kind in ("raises", "leaked tracer"):
        yield Hypothesis(complaint.kind, f"{finding.check}: {complaint.text.splitlines()[0]}")
    else:
        yield Hypothesis(complaint.kind, complaint.text)


def of_shape(complaint: Complaint) -> Iterator[Hypothesis]:
    """What a wrong shape says."""
    expected, got = complaint.expected_shape, complaint.shape
    fewer, more = sorted((expected, got), key=len)
    trailing, leading = more[len(more) - len(fewer) :] == fewer, more[: len(fewer)] == fewer
    if sorted(expected) == sorted(got) and expected != got:
        yield Hypothesis("transposed", f"transposed: {got} is {expected} with its axes in another order")
    elif len(got) > len(expected) and trailing:
        extra = got[: len(got) - len(expected)]
        yield Hypothesis("not reduced", f"not reduced over the batch: the leading axes {extra} are to be summed")
    elif len(got) < len(expected) and (trailing or leading):
        text = f"reduced too far: of {expected}, the axes {expected} less {got} were summed or averaged"
        yield Hypothesis("reduced too far", text)


def _of_transforms(rows: list[Row]) -> Iterator[Hypothesis]:
    """Wrong under some transforms only.

    Eager and jit are called at the same points, so that a gradient that is wrong elsewhere isn't meant.
    """
    passes = _passes(rows)
    failed = {check for (_, check), passed in passes.items() if not passed}
    passed = {check for (_, check), passed in passes.items() if passed} - failed
    failing = ", ".join(sorted(failed))
    with_one_batched = {row.check for row in rows if row.kind == "call with one batched"}
    if {"eager", "jit", "vmap of jit"} <= passed and failed and failed <= with_one_batched:
        yield Hypothesis("only when batched", f"wrong only when one argument alone is batched: {failing}")
    elif {"eager", "jit"} <= passed and "vmap of jit" in failed:
        yield Hypothesis("only when batched", f"wrong only when batched: {failing}")
    elif "eager" in passed and "jit" in failed:
        yield Hypothesis("only when jitted", f"right eagerly, wrong under {failing}")
    elif "eager" in failed and "jit" in passed:
        yield Hypothesis("only when eager", "right when compiled, wrong eagerly")


def _passes(rows: list[Row]) -> dict[tuple[str, str], bool]:
    """Whether each check passed in each format; an oracle alone decides nothing."""
    return {(row.dtype, row.check): row.passed for row in rows if row.kind != "oracle"}
