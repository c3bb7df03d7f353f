"""What the user calls the values of a program, at each place of it."""

import ast
from collections.abc import Collection, Sequence
from typing import NamedTuple

from manual_grads.checking.diagnosis.repair.frames import Frame
from manual_grads.checking.diagnosis.repair.program import Place, Program
from manual_grads.checking.diagnosis.repair.sites import Instance, Site
from manual_grads.checking.diagnosis.repair.source import (
    Scope,
    is_constant,
    last_argument,
    parts_of,
    scope_at,
    unpacked,
)

# How much less plain an edit is that needs a value by what it is called.
OF_EXPRESSION, OF_OTHER_FUNCTION = 0.3, 0.8


class _Binding(NamedTuple):
    """From this equation on, a name stands for a value."""

    at: int
    place: Place


class Called(NamedTuple):
    """What a value is called at a site."""

    text: str
    cost: float
    key: tuple[Scope, str] | None = None  # the variable, if it is one


class Names:
    """The names of a program's values."""

    def __init__(
        self,
        program: Program,
        sites: Sequence[Site],
        arguments: Sequence[tuple[Scope | None, str]],
        cotangents: Collection[Place] = (),
    ) -> None:
        """As the lines use them; `arguments` are the scope and the name of each of the program's inputs."""
        self.cotangents = cotangents
        self.bound: dict[tuple[Scope, str], list[_Binding]] = {}
        self.of_place: dict[Place, list[tuple[Scope, str]]] = {}
        self.written: dict[Place, tuple[Site, str]] = {}  # by the expression that makes it
        for (scope, name), place in zip(arguments, program.inputs, strict=True):
            if scope is not None and name:
                self._bind(scope, name, -1, place)
        for entry in program.entries:
            scope = scope_at(entry.function.file, entry.function.line)
            for place, name in zip(entry.places, entry.function.arguments, strict=True):
                if scope is not None and name:
                    self._bind(scope, unpacked(scope, name), entry.at - 1, place)
        self.shapes: dict[Place, tuple[int, ...]] = {}  # filled when they are known
        self.parts: dict[tuple[Frame, int], list[ast.expr | None]] = {}
        for site in sites:
            for instance in site.instances:
                self._of_instance(program, site, instance)
        for bindings in self.bound.values():
            bindings.sort()
        for site in sites:
            if site.kind == "helper":
                for instance in site.instances:
                    self.parts[(site.frame, instance.first)] = self._arguments(site, instance)

    def _of_instance(self, program: Program, site: Site, instance: Instance) -> None:
        """The names on a line: of what is computed there, and of what it is computed from."""
        expression = site.expression
        parts = self.parts[(site.frame, instance.first)] = _parts(program, site, instance)
        if expression is None:
            return
        scope = expression.scopes[0]
        if len(instance.outputs) == 1:
            self.written.setdefault(instance.outputs[0], (site, expression.text))
            if expression.assigned:
                self._bind(scope, expression.assigned, instance.last, instance.outputs[0])
        for place, part in zip(instance.operands, parts, strict=True):
            if isinstance(part, ast.Name):
                self._bind(scope, part.id, instance.first - 1, place)
            elif isinstance(part, ast.Subscript | ast.Attribute) and place not in self.written:
                self.written[place] = (site, ast.unparse(part))

    def _arguments(self, site: Site, instance: Instance) -> list[ast.expr | None]:
        """For each value that a function of the user's takes, the argument that it is, by what that is called."""
        parts = [p for p in parts_of(site.expression.node) if not is_constant(p)] if site.expression else []
        by_text = {ast.unparse(part): part for part in parts}
        found = [by_text.get(self.called(place, site, instance.first).text) for place in instance.operands]
        left = [part for part in parts if part not in found]
        if len(left) == 1 and found.count(None) == 1:
            found[found.index(None)] = left[0]
        return found

    def parts_at(self, site: Site) -> list[ast.expr | None]:
        """For each operand of a site, the part of the source that it is; None, where that isn't known."""
        return self.parts[(site.frame, site.instances[0].first)]

    def _bind(self, scope: Scope, name: str, at: int, place: Place) -> None:
        self.bound.setdefault((scope, name), []).append(_Binding(at, place))
        self.of_place.setdefault(place, []).append((scope, name))

    def called(self, place: Place, site: Site, first: int) -> Called:
        """What to call a value at a site, whose evaluation begins at that equation."""
        scopes = site.expression.scopes if site.expression else ()
        for scope, name in self.of_place.get(place, ()):
            if scope in scopes and self.stands_for((scope, name), first) == place:
                return Called(name, 0.0, (scope, name))
        if place in self.cotangents and scopes and (name := last_argument(scopes[0])):
            if (scopes[0], name) not in self.bound:  # a rule that doesn't use it
                return Called(name, 0.0)
        if place in self.written:
            of, text = self.written[place]
            if of.expression is not None and of.expression.scopes[0] in scopes:
                return Called(text, OF_EXPRESSION)
            name = next((name for _, name in self.of_place.get(place, ())), text)
            return Called(f"<{name} of line {of.frame.line}>", OF_OTHER_FUNCTION)
        name = next((name for _, name in self.of_place.get(place, ())), "")
        return Called(f"<{name}>" if name else "", OF_OTHER_FUNCTION)

    def length(self, n: int, site: Site, first: int) -> str:
        """A length as that of a variable at the site; the number, if none has it."""
        scopes = site.expression.scopes if site.expression else ()
        own = [place for place in site.instances[0].operands if place in self.of_place]
        for place in [*own, *self.of_place]:
            shape, called = self.shapes.get(place, ()), self.called(place, site, first)
            if n in shape and called.key is not None and called.key[0] in scopes:
                axis = shape.index(n)
                return (
                    f"len({called.text})"
                    if axis == 0
                    else f"{called.text}.shape[{axis if axis < len(shape) - 1 else -1}]"
                )
        return str(n)

    def stands_for(self, variable: tuple[Scope, str], at: int) -> Place:
        """The value of a variable at an equation, as far as the lines show that use it."""
        bindings = self.bound[variable]
        before = [binding for binding in bindings if binding.at < at]
        return (before[-1] if before else bindings[0]).place


def _parts(program: Program, site: Site, instance: Instance) -> list[ast.expr | None]:
    """For each operand, the part of the source that it is; None, where that isn't known."""
    operands = instance.operands
    if site.expression is None:
        return [None] * len(operands)
    parts: list[ast.expr] = parts_of(site.expression.node)
    if isinstance(site.expression.node, ast.Name) and len(operands) == 1:
        return [site.expression.node]
    if not isinstance(site.expression.node, ast.Call):
        parts = parts if len(parts) == len(operands) else [part for part in parts if not is_constant(part)]
        return list(parts) if len(parts) == len(operands) else [None] * len(operands)
    arrays = [part for part in parts if not is_constant(part)]
    given = [place for place in operands if place not in program.literals]
    known = dict(zip(given, arrays, strict=True)) if len(arrays) == len(given) and site.kind != "helper" else {}
    return [known.get(place) for place in operands]
