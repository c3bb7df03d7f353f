"""Lines that compute nothing: a variable that is another by a second name, and what a function returns.

Each becomes an equation, so that it can be edited as any other line.
"""

import ast
from collections.abc import Iterator

from manual_grads.checking.diagnosis.repair.frames import Frame
from manual_grads.checking.diagnosis.repair.names import Names
from manual_grads.checking.diagnosis.repair.program import Equation, Place, Program
from manual_grads.checking.diagnosis.repair.sites import Instance, Site
from manual_grads.checking.diagnosis.repair.source import Scope, function_at


def with_aliases(program: Program, sites: list[Site], names: Names, scope: Scope | None) -> Program:
    """The program, with an equation for each of these; `scope` is that of the gradient itself."""
    writer = _Copies(program)
    for frame, uses in _aliases(sites, names).items():
        writer.copy_before(uses, frame)
    for frame, i in _returned(program, scope):
        writer.copy_output(i, frame)
    return writer.program()


def _aliases(sites: list[Site], names: Names) -> dict[Frame, list[tuple[Instance, Place]]]:
    """Where each second name is given, and its uses."""
    found: dict[Frame, list[tuple[Instance, Place]]] = {}
    for site in sites:
        if site.expression is None or site.kind == "helper":
            continue
        scope = site.expression.scopes[0]
        given = _second_names(scope)
        for instance in site.instances:
            for place, part in zip(instance.operands, names.parts[(site.frame, instance.first)], strict=True):
                if isinstance(part, ast.Name) and part.id in given:
                    frame = _frame(scope, site.frame.function, given[part.id])
                    found.setdefault(frame, []).append((instance, place))
    return found


def _second_names(scope: Scope) -> dict[str, ast.expr]:
    """The variables of a function that are given another's value, and only once."""
    function = function_at(scope)
    if function is None:
        return {}
    given: dict[str, list[ast.expr | None]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            given.setdefault(node.id, [])
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            for target, value in _pairs(node.targets[0], node.value):
                if isinstance(target, ast.Name):
                    given.setdefault(target.id, []).append(value if isinstance(value, ast.Name) else None)
    return {name: values[0] for name, values in given.items() if len(values) == 1 and values[0] is not None}


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    if isinstance(target, ast.Tuple):
        values = value.elts if isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts) else None
        yield from zip(target.elts, values or [None] * len(target.elts), strict=True)
    else:
        yield target, value


def _returned(program: Program, scope: Scope | None) -> Iterator[tuple[Frame, int]]:
    """Each result that is a variable, and where that is returned; or where it is given another's value."""
    function = function_at(scope) if scope else None
    if function is None or scope is None:
        return
    if isinstance(function, ast.Lambda):
        results = [function.body]
    else:
        results = [n.value for n in ast.walk(function) if isinstance(n, ast.Return) and n.value is not None]
        nested = {n for f in ast.walk(function) if f is not function and hasattr(f, "args") for n in ast.walk(f)}
        results = [value for value in results if value not in nested]
    if len(results) != 1:
        return
    elements = results[0].elts if isinstance(results[0], ast.Tuple | ast.List) else results
    if len(elements) == len(program.outputs):
        for i, element in enumerate(elements):
            if isinstance(element, ast.Name):
                given = _second_names(scope).get(element.id, element)
                yield _frame(scope, getattr(function, "name", "<lambda>"), given), i


def _frame(scope: Scope, function: str, node: ast.expr) -> Frame:
    end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
    return Frame(scope[0], function, node.lineno, node.col_offset, end_line, end_column)


class _Copies:
    """A program with more equations, which copy values."""

    def __init__(self, program: Program) -> None:
        self.given, self.places = program, program.values
        self.equations = list(program.equations)
        self.outputs = list(program.outputs)
        self.before: dict[int, list[Equation]] = {}

    def copy(self, place: Place, frames: tuple[Frame, ...]) -> Equation:
        """An equation that copies a value."""
        self.places += 1
        return Equation("copy", {}, (place,), (self.places - 1,), frames)

    def copy_before(self, uses: list[tuple[Instance, Place]], frame: Frame) -> None:
        """Has the uses of a second name read a copy, made once for each value that it stands for."""
        made: dict[Place, Equation] = {}
        for instance, place in uses:
            if place not in made:
                made[place] = self.copy(place, (frame,))
                self.before.setdefault(instance.first, []).append(made[place])
            (copied,) = made[place].outputs
            for i in range(instance.first, instance.last + 1):
                inputs = tuple(copied if p == place else p for p in self.equations[i].inputs)
                self.equations[i] = self.equations[i]._replace(inputs=inputs)

    def copy_output(self, i: int, frame: Frame) -> None:
        """Has a result be a copy."""
        copied = self.copy(self.outputs[i], (frame,))
        self.before.setdefault(len(self.equations), []).append(copied)
        self.outputs[i] = copied.outputs[0]

    def program(self) -> Program:
        """The program."""
        equations = []
        for i, equation in enumerate([*self.equations, None]):
            equations += self.before.get(i, [])
            equations += [equation] if equation is not None else []
        added = [sum(len(new) for at, new in self.before.items() if at < entry.at) for entry in self.given.entries]
        entries = [e._replace(at=e.at + more) for e, more in zip(self.given.entries, added, strict=True)]
        return self.given._replace(equations=equations, outputs=self.outputs, values=self.places, entries=entries)
