"""What is tried of a site, and in which order: the simplest edits first, those of what is only returned late."""

import ast
import functools
import re
from collections.abc import Callable, Iterator, Sequence

from manual_grads.checking.diagnosis.repair import edits
from manual_grads.checking.diagnosis.repair.edits import Edit
from manual_grads.checking.diagnosis.repair.names import Names
from manual_grads.checking.diagnosis.repair.others import Others
from manual_grads.checking.diagnosis.repair.program import Place, Program
from manual_grads.checking.diagnosis.repair.sites import Site
from manual_grads.checking.diagnosis.repair.trying import OPERATION, VARIANT, WHOLE, Change, Run


class Tries:
    """The changes of sites that may be tried."""

    def __init__(self, program: Program, sites: Sequence[Site], names: Names, at_point: Run) -> None:
        """Of a program whose values are known at a point."""
        self.program, self.names, self.values = program, names, at_point.values
        self.others = Others(program, sites, names, at_point)
        self.lengths = sorted({n for x in at_point.values if x is not None for n in x.shape[1:] if n > 1})

    def simplest(self, site: Site) -> Iterator[Change]:
        """Another operation or number; the value or an operand by itself; another value in its place or beside it."""
        yield from self.of_operation(site)
        for part in self.parts(site):
            yield from self._of(site, part, edits.ALONE)
        yield from self._with(site, edits.WITH_ANOTHER)

    def simple(self, site: Site) -> Iterator[Change]:
        """The simplest, of what is computed."""
        if not is_return(site):
            yield from self.simplest(site)

    def with_a_step(self, site: Site) -> Iterator[Change]:
        """The value, or an operand, with what a neighbour's step makes of another."""
        if not is_return(site):
            yield from self._with(site, edits.WITH_A_STEP)

    def of_return(self, site: Site) -> Iterator[Change]:
        """What is only returned."""
        if is_return(site):
            yield from self.simplest(site)
            yield from self._with(site, edits.WITH_A_STEP)

    def with_two(self, site: Site) -> Iterator[Change]:
        """What is assigned or returned, with two others that have names."""
        if WHOLE not in self.parts(site) or not is_statement(site):
            return
        first = site.instances[0].first
        named = [
            [r for r in refs if not self.names.called(r.places[0], site, first).cost] for refs in self.others(site)
        ]
        for edit in edits.WITH_TWO:
            for each, n in self._expanded(edit, self._rank(site, WHOLE)):
                every = [[(q, p) for q in qs for p in ps] for qs in named for ps in named]
                yield from (Change(site, each, WHOLE, pairs, n) for pairs in every if pairs)

    def of_operation(self, site: Site) -> Iterator[Change]:
        """Another operation of its kind; other indices; another number."""
        if not self.is_one(site):
            return
        operands = site.instances[0].operands
        if self.values[site.instances[0].outputs[0]].dtype.kind == "i":
            yield from self._of(site, WHOLE, edits.OF_INDICES)
        made_by = {e.name for i in site.instances for e in self.program.equations[i.first : i.last + 1]}
        if any(name.startswith("scatter") for name in made_by):
            yield from (Change(site, edit, VARIANT, [()]) for edit in edits.SCATTERED)
        if operands:
            yield from self._of(site, OPERATION, edits.OF_OPERATION.get(site.kind, ()))
        for part in self.numbers(site):
            yield from self._of(site, part, edits.OF_NUMBER)

    def is_one(self, site: Site) -> bool:
        """Whether it is one value."""
        return all(len(instance.outputs) == 1 for instance in site.instances)

    def numbers(self, site: Site) -> list[int]:
        """The operands that are numbers in the code."""
        operands = site.instances[0].operands if site.kind != "helper" else ()
        return [i for i, place in enumerate(operands) if place in self.program.literals]

    def parts(self, site: Site) -> list[int]:
        """What can be edited: the whole, if it is one value, and the operands that are no numbers in the code."""
        whole = [WHOLE] if self.is_one(site) and self._is_float(site.instances[0].outputs[0]) else []
        operands = site.instances[0].operands
        if not operands or (len(operands) == 1 and operands[0] not in self._shared):
            return whole  # to edit the operand is to edit what is computed there
        return whole + [
            i
            for i, (place, part) in enumerate(zip(operands, self.names.parts_at(site), strict=True))
            if place not in self.program.literals
            and self._is_float(place)
            # What a function of the user's takes from elsewhere is no matter of the line that calls it.
            and (part is not None or site.kind != "helper" or site.expression is None)
        ]

    def _is_float(self, place: Place) -> bool:
        return self.values[place].dtype.kind in "fb"

    @functools.cached_property
    def _shared(self) -> set[Place]:
        """Values that several equations use, or that are given."""
        uses: dict[Place, int] = {}
        for equation in self.program.equations:
            for place in equation.inputs:
                uses[place] = uses.get(place, 0) + 1
        return {place for place, n in uses.items() if n > 1} | set(self.program.inputs)

    def _of(self, site: Site, part: int, some: Sequence[Edit]) -> Iterator[Change]:
        """Edits by themselves."""
        for edit in some:
            for each, n in self._expanded(edit, self._rank(site, part)):
                yield Change(site, each, part, [()], n)

    def _with(self, site: Site, some: Sequence[Edit]) -> Iterator[Change]:
        """Edits with each of the other values."""
        for part in self.parts(site):
            for edit in some:
                for each, n in self._expanded(edit, self._rank(site, part)):
                    for refs in self.others(site):
                        yield Change(site, each, part, [(ref,) for ref in refs], n)

    def _rank(self, site: Site, part: int) -> int:
        instance = site.instances[0]
        place = instance.outputs[0] if part == WHOLE else instance.operands[max(part, 0)]
        return self.values[place].ndim - 1

    def _expanded(self, edit: Edit, rank: int) -> Iterator[tuple[Edit, int]]:
        """An edit for each axis and each length."""
        texts = [edit.text]
        if re.search(r"\baxis\b", edit.text):
            texts = [re.sub(r"\baxis\b", str(-k), edit.text) for k in range(1, rank + 1)]
        for text in texts:
            for n in self.lengths if re.search(r"\bn\b", text) else [0]:
                yield edit._replace(text=text), n


def is_return(site: Site) -> bool:
    """Whether a variable is only returned there: its own line comes first."""
    return site.expression is not None and isinstance(site.expression.node, ast.Name) and not site.expression.assigned


def is_statement(site: Site) -> bool:
    """Whether it is all that a line computes, as far as that is known."""
    return site.expression is None or site.expression.is_statement


# What is tried next, if nothing was found before; fits come after the second.
TIERS: tuple[Callable[[Tries, Site], Iterator[Change]], ...] = (
    Tries.simple,
    Tries.with_a_step,
    Tries.of_return,
    Tries.with_two,
)
