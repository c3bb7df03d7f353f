"""The places that can be edited: an expression of the user's, with every evaluation of it in the program."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from manual_grads.checking.diagnosis.repair.frames import Frame
from manual_grads.checking.diagnosis.repair.program import Equation, Place, Program
from manual_grads.checking.diagnosis.repair.source import Expression, expression_of

# What is done beside an operation: it broadcasts its operands, and has them in one format.
BESIDE = frozenset("broadcast_in_dim convert_element_type squeeze expand_dims reshape stop_gradient copy".split())
OF_LOOPS = frozenset("index collect".split())  # what an unrolled loop does between its rounds
MAX_DEPTH = 4  # of calls of the user's functions, one in another, that are sites of their own


class Instance(NamedTuple):
    """One evaluation of an expression: equations, and the values that they take and return."""

    first: int  # equations, by their number
    last: int
    inputs: tuple[Place, ...]
    outputs: tuple[Place, ...]
    operands: tuple[Place, ...]  # what its operation is done on, in order: inputs, before they are broadcast


class Site(NamedTuple):
    """An expression of the user's, and its evaluations in order."""

    frame: Frame
    expression: Expression | None
    kind: str  # the primitive that does it, if it is one; "helper", if it is a call of a function of the user's
    instances: list[Instance]


def sites_of(program: Program) -> list[Site]:
    """The sites: those of operations in the order in which they are first evaluated, then the calls around them."""
    used_by: dict[Place, list[int]] = {}
    for i, equation in enumerate(program.equations):
        for place in equation.inputs:
            used_by.setdefault(place, []).append(i)
    found: dict[Frame, Site] = {}
    for depth in range(MAX_DEPTH):
        for first, last in _runs(program.equations, depth):
            equations = program.equations[first : last + 1]
            frame = equations[0].frames[depth]
            kind = "helper" if depth else kind_of_run(equations)
            site = found.get(frame)
            if site is None:
                site = found[frame] = Site(frame, expression_of(frame), kind, [])
            if (site.kind == "helper") == (depth > 0):
                site.instances.append(_instance(program, first, last, used_by, kind))
    return list(found.values())


def _instance(program: Program, first: int, last: int, used_by: dict[Place, list[int]], kind: str) -> Instance:
    equations = program.equations[first : last + 1]
    made = {place: equation for equation in equations for place in equation.outputs}
    inputs = tuple(dict.fromkeys(p for equation in equations for p in equation.inputs if p not in made))
    outputs = tuple(p for p in made if p in program.outputs or any(i > last for i in used_by.get(p, ())))
    cores = [equation for equation in equations if equation.name not in BESIDE]
    if kind == "helper" or len(cores) != 1:
        operands = tuple(p for p in inputs if p not in program.literals)
    else:
        operands = tuple(_before(place, made) for place in cores[0].inputs)
    return Instance(first, last, inputs, outputs, operands)


def _before(place: Place, made: dict[Place, Equation]) -> Place:
    """A value before it is broadcast."""
    while place in made:
        place = made[place].inputs[0]
    return place


def _runs(equations: list[Equation], depth: int) -> Iterator[tuple[int, int]]:
    """Neighbouring equations of the same expression, evaluated once."""
    start = 0
    for i in range(1, len(equations) + 1):
        if i < len(equations) and equations[i].frames[depth:] == equations[start].frames[depth:]:
            continue
        if len(equations[start].frames) > depth:
            if depth:
                yield start, i - 1
            elif equations[start].name not in OF_LOOPS:
                yield from _evaluations(equations, start, i)
        start = i


def _evaluations(equations: list[Equation], start: int, stop: int) -> Iterator[tuple[int, int]]:
    """A loop's rounds, where an expression is all that it holds: the same names again and again."""
    names = [equation.name for equation in equations[start:stop]]
    size = len(names)
    if size > 1:
        node = getattr(expression_of(equations[start].frames[0]), "node", None)
        one = isinstance(node, ast.BinOp | ast.UnaryOp | ast.Compare) and names[0] not in BESIDE
        repeated = [k for k in range(1 if one else 2, size // 2 + 1) if names == names[:k] * (size // k)]
        size = min(repeated, default=size)
    yield from ((i, i + size - 1) for i in range(start, stop, size))


def kind_of_run(equations: list[Equation]) -> str:
    """The operation that an expression is, where it is one; "mean" is of two."""
    names = [equation.name for equation in equations if equation.name not in BESIDE]
    if names == ["reduce_sum", "div"]:
        return "mean"
    return names[0] if len(names) == 1 else "call" if names else "moved"
