"""Repairs of a gradient that is wrong: what is found, as it is told."""

import inspect
import time
from typing import Any

import jax
import numpy as np

from manual_grads.checking.arrays import computing_in, quiet, rows_of
from manual_grads.checking.claim import Claim
from manual_grads.checking.diagnosis.repair.aliases import with_aliases
from manual_grads.checking.diagnosis.repair.confirming import Confirmation
from manual_grads.checking.diagnosis.repair.frames import frames_of_rules
from manual_grads.checking.diagnosis.repair.names import Names
from manual_grads.checking.diagnosis.repair.operations import Operations
from manual_grads.checking.diagnosis.repair.program import Program, TooLarge, program_of
from manual_grads.checking.diagnosis.repair.search import Found, Search
from manual_grads.checking.diagnosis.repair.sites import Site, sites_of
from manual_grads.checking.diagnosis.repair.source import Scope, line_of, scope_at
from manual_grads.checking.diagnosis.repair.trying import Change, Run
from manual_grads.checking.diagnosis.repair.words import words_of
from manual_grads.checking.diagnosis.within import values_within
from manual_grads.checking.judging.judge import Finding
from manual_grads.checking.judging.measure import ratios
from manual_grads.checking.raised import first_line
from manual_grads.checking.report import Repair
from manual_grads.checking.trials.trial import Trial

MAX_REPAIRS = 3
MAX_ENTRIES = 2**26  # of all values at all points: half a gigabyte
OF_RIGHT_LINE = 0.6  # how much less plain an edit is of a line whose value is right
OF_LAST_RIGHT_LINE = 0.3
SAME = 1e-9  # relative: values that are computed in another order


def repairs_of(claim: Claim, finding: Finding, seconds: float) -> tuple[list[Repair], str]:
    """The repairs, best first; or none, and why none could be looked for."""
    trial, expected = finding.trial, finding.expected
    if seconds <= 0 or finding.worst is None or trial is None or expected is None:
        return [], ""
    if claim.eager:
        return [], "no repair was looked for: the gradient is written in NumPy, which shows no equations"
    until = time.perf_counter() + seconds
    try:
        with computing_in(trial.format.name), frames_of_rules():
            example = trial.format.cast([x[0] for x in trial.arrays])
            # A new function: JAX would return the trace that it has kept, without these frames.
            closed = jax.make_jaxpr(lambda *arrays: claim.manual_of(*arrays))(*example)
    except Exception as error:
        return [], f"no repair was looked for: the gradient can't be traced ({first_line(error)})"
    sizes = [getattr(var.aval, "size", 0) for eqn in closed.jaxpr.eqns for var in eqn.outvars]
    if sum(sizes) * len(trial.names) > MAX_ENTRIES:
        return [], "no repair was looked for: the gradient's arrays are too large"
    try:
        with computing_in(trial.format.name):
            program = program_of(closed)
        with quiet():
            return _searched(claim, finding, program, until), ""
    except TooLarge:
        return [], "no repair was looked for: the gradient has too many equations"
    except Exception as error:  # what is wrong with the gradient has to be told, whatever becomes of this
        return [], f"no repair was found: the search ended with {first_line(error)}"


def _searched(claim: Claim, finding: Finding, program: Program, until: float) -> list[Repair]:
    trial, expected = finding.trial, finding.expected
    assert trial is not None and expected is not None
    scope, arguments = arguments_of(claim)
    sites = sites_of(program)
    program = with_aliases(program, sites, Names(program, sites, arguments), scope)
    sites = sites_of(program)
    cotangents = {p for p, is_one in zip(program.inputs, claim.directions, strict=True) if is_one}
    names = Names(program, sites, arguments, cotangents)
    operations = Operations(trial.format.name)
    confirm = Confirmation(program, operations, trial, expected)
    results = confirm.shaped([confirm.run.values[place] for place in program.outputs])
    points = np.arange(len(trial.names))
    wrong = [rows_of(ratios(got, leaf, points) > 1) for got, leaf in zip(results, expected.leaves, strict=True)]
    if not np.any(wrong):
        return []
    point = _telling(finding, results, np.sum(wrong, axis=0))
    at_point = Run(program, operations, [x[point : point + 1] for x in trial.arrays])
    names.shapes = {place: x.shape[1:] for place, x in enumerate(at_point.values) if x is not None}
    search = Search(program, sites, names, at_point, point, expected, confirm, until)
    found = search()
    if len(found) > 1:
        found = _ranked(claim, search, found, confirm.run, trial)
    return [
        Repair(
            file=change.site.frame.file,
            line=change.site.frame.line,
            code=line_of(change.site.frame),
            change=words_of(names, change) + _with_the_other(each, change),
            error=each.worst.ulp,
        )
        for each in found[:MAX_REPAIRS]
        for change in each.changes
    ]


def _with_the_other(found: Found, change: Change) -> str:
    """What else has to be changed with it."""
    others = [f"line {other.site.frame.line}" for other in found.changes if other is not change]
    return f", together with {' and '.join(others)}" if others else ""


def _ranked(claim: Claim, search: Search, found: list[Found], run: Run, trial: Trial) -> list[Found]:
    """The changes in order, those last of lines that are right as they are: what they compute is what it has to be.

    That is so of what the forward computes too, and of the gradient there.
    """
    within, backward = values_within(claim, trial.arrays)

    def is_right(site: Site) -> bool:
        for place in search.results_of_line(site):
            x = run.values[place]
            mine = np.broadcast_to(x, (len(trial.usual), *x.shape[1:]))[trial.usual]
            if any(_same(mine, y[trial.usual]) for _, y in within + backward if y.shape[1:] == mine.shape[1:]):
                return True
        return False

    right = [each for each in found if is_right(each.changes[-1].site)]
    last = max((each.changes[-1].site.instances[0].last for each in right), default=-1)

    def cost(each: Found) -> float:
        # What is right on the last of these lines may have been meant for something else.
        is_last = len(right) > 1 and each.changes[-1].site.instances[0].last == last
        here = OF_LAST_RIGHT_LINE if is_last else OF_RIGHT_LINE
        return each.cost + (here if each in right else 0.0)

    return sorted(found, key=cost)


def _same(x: np.ndarray, y: np.ndarray) -> bool:
    return bool(np.allclose(x, y, rtol=SAME, atol=SAME * np.abs(y).max(initial=0)))


def _telling(finding: Finding, results: list[np.ndarray], wrong: np.ndarray) -> int:
    """The point to try edits at first: where most results are wrong; a usual one, without zeros, if that is one."""
    trial, expected = finding.trial, finding.expected
    assert trial is not None and expected is not None
    decided = np.mean([leaf.decided.reshape(len(wrong), -1).mean(1) for leaf in expected.leaves], axis=0)
    zeros = np.mean([(x == 0).reshape(len(wrong), -1).mean(1) for x in results], axis=0)
    return int(np.lexsort((-zeros, decided, trial.usual, wrong))[-1])


def arguments_of(claim: Claim) -> tuple[Scope | None, list[tuple[Scope | None, str]]]:
    """The gradient's own scope; and for each array among its arguments, the scope and what it is called there."""
    try:
        manual: Any = inspect.unwrap(claim.manual)
        code = manual.__code__
        parameters = list(inspect.signature(manual).parameters)
        scope = scope_at(code.co_filename, code.co_firstlineno, list(code.co_varnames[: code.co_argcount]))
    except Exception:  # no function of Python's
        return None, [(None, "")] * len(claim.names)
    return scope, [
        (scope, parameters[owner] + name.partition("]")[2]) if owner < len(parameters) else (None, "")
        for name, owner in zip(claim.names, claim.owners, strict=True)
    ]
