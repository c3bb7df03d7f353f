"""What a program's values are at some points, and what its results would be if an expression were edited."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from manual_grads.checking.arrays import computing_in
from manual_grads.checking.diagnosis.repair.edits import Edit
from manual_grads.checking.diagnosis.repair.language import GIVEN, code_of
from manual_grads.checking.diagnosis.repair.operations import Operations, Stacked, aligned
from manual_grads.checking.diagnosis.repair.program import Equation, Place, Program
from manual_grads.checking.diagnosis.repair.sites import Instance, Site

WHOLE, OPERATION, VARIANT = -1, -2, -3  # what is edited, if not the operand of that number
# Whose operands are broadcast as NumPy does it, so that one of another shape fits too.
BROADCASTING = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "max": np.maximum,
    "min": np.minimum,
}


class Ref(NamedTuple):
    """A value that an edit uses, for each evaluation of the site that is edited."""

    places: tuple[Place, ...]


class Change(NamedTuple):
    """An edit of a site, for each of several choices of the values that it uses."""

    site: Site
    edit: Edit  # its text is that of one axis
    part: int
    others: list[tuple[Ref, ...]]
    length: int = 0  # n, of the edit


class Run:
    """The values of a program, at stacked points."""

    def __init__(self, program: Program, operations: Operations, arrays: Sequence[Any]) -> None:
        """Of the arguments' arrays, each stacked."""
        self.program, self.operations = program, operations
        self.values: list[Any] = [None] * program.values
        for place, x in program.constants.items():
            self.values[place] = operations.wide(x)[None]
        for place, x in zip(program.inputs, arrays, strict=True):
            self.values[place] = operations.wide(x)
        for equation in program.equations:
            outs = operations(equation, [self.values[place] for place in equation.inputs])
            for place, out in zip(equation.outputs, outs, strict=True):
                self.values[place] = out

    def edited(
        self, changes: Sequence[Change], downstream: Sequence[int], given: Sequence[Change] = ()
    ) -> list[Stacked]:
        """The results, had a site been edited: a row for each choice of each change.

        A choice that can't be made leaves its row as it was. `downstream` are the equations that depend on the site. A
        single choice keeps the points that the values have. What is `given` are changes of other sites, of a choice
        each, which are made too.
        """
        (site,) = {id(change.site): change.site for change in changes}.values()
        ends = {instance.last: instance for instance in site.instances}
        new: dict[Place, Stacked] = {}

        def read(place: Place) -> Stacked:
            return new[place] if place in new else self.values[place]

        for i in downstream:
            equation = self.program.equations[i]
            if any(place in new for place in equation.inputs):
                outs = self.operations(equation, [read(place) for place in equation.inputs])
                new.update(zip(equation.outputs, outs, strict=True))
            if i in ends:
                new.update(self._all_changed(changes, ends[i], read))
            for change in given:
                for instance in change.site.instances:
                    if instance.last == i:
                        new.update(self._changed(change, instance, read))
        return [read(place) for place in self.program.outputs]

    def _all_changed(
        self, changes: Sequence[Change], instance: Instance, read: Callable[[Place], Stacked]
    ) -> dict[Place, Stacked]:
        """The values of an expression under each change, one below the other."""
        rows, start = [], 0
        for change in changes:
            stop = start + len(change.others)

            def of_rows(place: Place, start: int = start, stop: int = stop) -> Stacked:
                x = read(place)
                return x if len(x) == 1 or len(changes) == 1 else x[start:stop]

            try:
                made = self._changed(change, instance, of_rows)
            except Exception:  # no edit of such values: they stay as they are, which is wrong
                made = {place: of_rows(place) for place in instance.outputs}
            rows.append((len(change.others), made))
            start = stop
        if len(rows) == 1:
            return rows[0][1]
        return {
            place: np.concatenate([np.broadcast_to(made[place], (n, *made[place].shape[1:])) for n, made in rows])
            for place in instance.outputs
        }

    def _changed(self, change: Change, instance: Instance, read: Callable[[Place], Stacked]) -> dict[Place, Stacked]:
        """The values of an edited expression, of the shapes that they have."""
        if change.part == VARIANT:
            return self._variant(change, instance, read)
        names: dict[str, Any] = {"n": change.length}
        now = read(instance.outputs[0])
        of_own_rank = any(mark in change.edit.text for mark in ("@", "None", "reshape"))
        rank = now.ndim
        operands = instance.operands
        if change.part == OPERATION:
            names |= {
                name: read(place) if "@" in change.edit.text else _of_rank(read(place), rank)
                for name, place in zip("abc", operands, strict=False)
            }
        else:
            v = now if change.part == WHOLE else read(operands[change.part])
            names["v"] = v
            rank = v.ndim
        for i, name in enumerate("qp"):
            if change.others and len(change.others[0]) > i:
                number = change.site.instances.index(instance)
                places = [refs[i].places[number] for refs in change.others]
                q = _stacked([read(place) for place in places])
                # Where v is broadcast, another operand may have more axes than it.
                names[name] = q if of_own_rank else aligned(q, max(rank, q.ndim))
        if "v" in names and not of_own_rank and any(x.ndim > rank for name, x in names.items() if name in "qp"):
            names["v"] = aligned(names["v"], max(names[name].ndim for name in "qp" if name in names))
        made = np.asarray(eval(code_of(change.edit.text), GIVEN, names))
        made = made if made.ndim else made[None]
        if change.part >= 0:
            return self._redone(change.site, instance, change.part, made, read)
        return {instance.outputs[0]: _of_shape(made, now, change.part == OPERATION)}

    def _variant(self, change: Change, instance: Instance, read: Callable[[Place], Stacked]) -> dict[Place, Stacked]:
        """The values of an expression whose entries are scattered in another way."""
        new: dict[Place, Stacked] = {}
        for equation in self.program.equations[instance.first : instance.last + 1]:
            if equation.name.startswith("scatter"):
                equation = scattered_by(change.edit.text, equation)
            outs = self.operations(equation, [new[p] if p in new else read(p) for p in equation.inputs])
            new.update(zip(equation.outputs, outs, strict=True))
        return {place: new[place] for place in instance.outputs}

    def _redone(
        self, site: Site, instance: Instance, part: int, operand: Stacked, read: Callable[[Place], Stacked]
    ) -> dict[Place, Stacked]:
        """The values of an expression, with another operand."""
        operands = instance.operands
        if broadcasts(site, instance, read):
            a, b = (operand if i == part else read(place) for i, place in enumerate(operands))
            rank = max(a.ndim, b.ndim)
            made = BROADCASTING[site.kind](aligned(a, rank), aligned(b, rank))
            return {instance.outputs[0]: _of_shape(made, read(instance.outputs[0]), broadcast=False)}
        place = operands[part]
        new = {place: _of_shape(operand, read(place), broadcast=True)}
        for equation in self.program.equations[instance.first : instance.last + 1]:
            outs = self.operations(equation, [new[p] if p in new else read(p) for p in equation.inputs])
            new.update(zip(equation.outputs, outs, strict=True))
        return {place: new[place] for place in instance.outputs}


@functools.lru_cache(maxsize=64)
def _scatter(method: str, eqn: Any) -> Any:
    """An equation that scatters by another method of `x.at[...]`."""
    scatter = {
        "add": jax.lax.scatter_add,
        "set": jax.lax.scatter,
        "max": jax.lax.scatter_max,
        "multiply": jax.lax.scatter_mul,
    }
    given = ("dimension_numbers", "indices_are_sorted", "mode")
    params = {name: eqn.params[name] for name in given} | {"unique_indices": False}
    shapes = [jax.ShapeDtypeStruct(var.aval.shape, var.aval.dtype) for var in eqn.invars]
    with computing_in("float64"):
        (made,) = jax.make_jaxpr(lambda *xs: scatter[method](*xs, **params))(*shapes).jaxpr.eqns
    return made


def scattered_by(method: str, equation: Equation) -> Equation:
    """The equation, by another method of `x.at[...]`."""
    made = _scatter(method, equation.eqn)
    return equation._replace(name=made.primitive.name, params=made.params, eqn=made)


def broadcasts(site: Site, instance: Instance, read: Callable[[Place], Stacked]) -> bool:
    """Whether its operands are broadcast as NumPy does it; those of an outer product aren't."""
    if site.kind not in BROADCASTING:
        return False
    try:
        shape = np.broadcast_shapes(*(read(place).shape[1:] for place in instance.operands))
    except ValueError:
        return False
    return shape == read(instance.outputs[0]).shape[1:]


def _of_shape(made: Stacked, now: Stacked, broadcast: bool) -> Stacked:
    """An edited value, in the shape of the one that is there now; numbers are of any shape."""
    if (made.dtype == bool) != (now.dtype == bool):
        raise ValueError("another type")
    made = made if made.dtype == now.dtype else made.astype(now.dtype)
    if made.ndim <= 1:
        made = made.reshape(-1, *[1] * (now.ndim - 1))
        broadcast = True
    if made.shape[1:] == now.shape[1:]:
        return made
    if made.ndim == now.ndim and broadcast:
        return np.broadcast_to(made, (len(made), *now.shape[1:]))
    if made.size == len(made) * now[0].size and [n for n in made.shape[1:] if n > 1] == [
        n for n in now.shape[1:] if n > 1
    ]:
        return made.reshape(len(made), *now.shape[1:])  # a sum with the axes that are kept, or without
    raise ValueError("another shape")


def _stacked(values: list[Stacked]) -> Stacked:
    """Values for so many choices, as the rows of one; a choice alone keeps the points that it has."""
    if len(values) == 1:
        return values[0]
    return np.stack([x[i if len(x) > 1 else 0] for i, x in enumerate(values)])


def _of_rank(x: Stacked, rank: int) -> Stacked:
    return aligned(x, rank) if x.ndim < rank else x
