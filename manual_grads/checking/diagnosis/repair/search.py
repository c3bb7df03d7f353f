"""The search: every edit of every expression is tried at one point, and what mends that at all of them."""

import ast
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from manual_grads.checking.diagnosis.repair.confirming import Confirmation
from manual_grads.checking.diagnosis.repair.fits import fits
from manual_grads.checking.diagnosis.repair.frames import Frame
from manual_grads.checking.diagnosis.repair.names import Names
from manual_grads.checking.diagnosis.repair.operations import Stacked
from manual_grads.checking.diagnosis.repair.program import Place, Program
from manual_grads.checking.diagnosis.repair.sites import Site
from manual_grads.checking.diagnosis.repair.tiers import TIERS, Tries, is_return
from manual_grads.checking.diagnosis.repair.trying import Change, Run
from manual_grads.checking.diagnosis.repair.words import growth_of
from manual_grads.checking.judging.measure import WorstEntry
from manual_grads.checking.truth.expected import Expected

MAX_AT_ONCE = 2**17  # entries of a value, for all edits that are tried together
LOOSE = 8.0  # times the allowance, at the point that edits are first tried at
MAX_HALVES = 12  # edits that mend some of the results, to each of which a second is looked for
# How much less plain a change is: for each letter by which the line grows or shrinks; of a line that isn't the user's
# own; of a line on which a variable is only returned; of a number that isn't written as one; of an operand.
OF_LENGTH, IN_LIBRARY, OF_RETURN, OF_LENGTH_ITSELF, OF_OPERAND = 0.004, 2.0, 0.4, 0.5, 0.1


class Found(NamedTuple):
    """Changes that mend the gradient together: one, or two of different lines."""

    cost: float
    changes: tuple[Change, ...]  # of one choice each
    worst: WorstEntry


class Search:
    """What is searched, and what for. What is `given` is a change that is made already."""

    def __init__(
        self,
        program: Program,
        sites: Sequence[Site],
        names: Names,
        at_point: Run,
        point: int,
        expected: Expected,
        confirm: Confirmation,
        until: float,
        given: tuple[Change, ...] = (),
    ) -> None:
        """Of a program: tried at that point of what is expected, confirmed at all, until that time."""
        self.program, self.every, self.names, self.at_point = program, sites, names, at_point
        self.point, self.expected, self.confirm, self.until, self.given = point, expected, confirm, until, given
        self.tries = Tries(program, sites, names, at_point)
        self.order = {site.frame: i for i, site in enumerate(sites)}
        self.kept: dict[Frame, list[int]] = {}
        self.found: dict[tuple[str, int], Found] = {}
        self.halves: list[tuple[float, Change]] = []
        if given:
            results = at_point.edited(given[:1], self.downstream(given[0].site))
        else:
            results = [at_point.values[place] for place in program.outputs]
        self.right = [bool(rows.all()) for rows in self._rows_right(results)]
        self.sites = [site for site in sites if self._may_be_wrong(site, all)]

    def __call__(self) -> list[Found]:
        """The changes that mend it, of each line the simplest; the best first."""
        for tier in TIERS:
            for site in self.sites:
                self._try_all(site, tier(self.tries, site))
            if tier is Tries.with_a_step and not self.found:
                for site in self.sites:
                    self._fit(site)
            if self.found:
                break
        return self._sorted() or self._pairs()

    def _sorted(self) -> list[Found]:
        return sorted(self.found.values(), key=lambda each: (each.cost, self.order[each.changes[-1].site.frame]))

    def _pairs(self) -> list[Found]:
        """Two changes of the simplest kind, the first of which mends some of the results."""
        for site in self.every:
            if self._may_be_wrong(site, any) and not is_return(site):
                self._try_all(site, self.tries.simplest(site))
        halves: dict[tuple[str, int], Change] = {}
        for _, change in sorted(self.halves, key=lambda half: half[0]):
            halves.setdefault((change.site.frame.file, change.site.frame.line), change)
        for change in list(halves.values())[:MAX_HALVES]:
            if time.perf_counter() > self.until:
                break
            second = Search(
                self.program,
                self.every,
                self.names,
                self.at_point,
                self.point,
                self.expected,
                self.confirm,
                self.until,
                (change,),
            )
            for site in second.sites:
                if site.frame.line != change.site.frame.line and not is_return(site):
                    second._try_all(site, second.tries.simplest(site))
            if second.found:
                return second._sorted()[:1]
        return []

    def _may_be_wrong(self, site: Site, what: object) -> bool:
        """Whether all, or any, that is wrong depends on it."""
        outputs = [place for instance in site.instances for place in instance.outputs]
        if any(self.at_point.values[place].dtype.kind not in "fbi" for place in outputs):
            return False
        reached = self._reached(site)
        wrong = [place in reached for fine, place in zip(self.right, self.program.outputs, strict=True) if not fine]
        return all(wrong) if what is all else any(wrong)

    def _reached(self, site: Site) -> set[Place]:
        """The values that depend on it."""
        reached = {place for instance in site.instances for place in instance.outputs}
        for equation in self.program.equations[site.instances[0].first :]:
            if not reached.isdisjoint(equation.inputs):
                reached.update(equation.outputs)
        return reached

    def results_of_line(self, site: Site) -> list[Place]:
        """What is computed on a site's line from what the site computes, itself included."""
        reached, at = self._reached(site), (site.frame.file, site.frame.line)
        same = [other for other in self.every if (other.frame.file, other.frame.line) == at]
        return [place for other in same for place in other.instances[0].outputs if place in reached]

    def downstream(self, site: Site) -> list[int]:
        """The equations to evaluate again when a site is edited, and those after which it is."""
        if site.frame not in self.kept:
            sites = [site, *(change.site for change in self.given)]
            reached = set[Place]().union(*(self._reached(each) for each in sites))
            lasts = {instance.last for each in sites for instance in each.instances}
            self.kept[site.frame] = [
                i
                for i, equation in enumerate(self.program.equations)
                if i in lasts or not reached.isdisjoint(equation.inputs)
            ]
        return self.kept[site.frame]

    def _rows_right(self, results: list[Stacked]) -> Iterable[np.ndarray]:
        """For each result, which rows are right at the point."""
        for got, leaf in zip(results, self.expected.leaves, strict=True):
            low, high, also = (x[self.point] for x in (leaf.low, leaf.high, leaf.also))
            with np.errstate(all="ignore"):
                off = np.fmin(np.maximum(np.maximum(low - got, got - high), 0), np.abs(got - also))
                off = np.where(np.isfinite(got), off, np.inf)
                fine = (off <= LOOSE * leaf.allowance[self.point]) | ~leaf.decided[self.point]
            yield fine.reshape(len(got), -1).all(1)

    def _try_all(self, site: Site, changes: Iterable[Change]) -> None:
        """Tries changes of a site, as many at once as fit into a processor's cache."""
        made = {p for i in self.downstream(site) for p in self.program.equations[i].outputs}
        at_once = max(8, MAX_AT_ONCE // max([1, *(self.at_point.values[p].size for p in made)]))
        waiting: list[Change] = []
        rows = 0
        for change in changes:
            for start in range(0, len(change.others), at_once):
                waiting.append(change._replace(others=change.others[start : start + at_once]))
                rows += len(waiting[-1].others)
                if rows >= at_once:
                    self._try(site, waiting)
                    waiting, rows = [], 0
                if time.perf_counter() > self.until:
                    return
        if waiting:
            self._try(site, waiting)

    def _try(self, site: Site, changes: list[Change]) -> None:
        """Tries changes at the point, and those choices of them that mend it at all."""
        try:
            with np.errstate(all="ignore"):
                results = self.at_point.edited(changes, self.downstream(site), self.given)
        except Exception:  # an operation that fails for some of these values
            if len(changes) > 1:
                for half in (changes[: len(changes) // 2], changes[len(changes) // 2 :]):
                    self._try(site, half)
            return
        choices = [(change, refs) for change in changes for refs in change.others]
        fine = np.stack([np.broadcast_to(rows, len(choices)) for rows in self._rows_right(results)])
        for i in np.flatnonzero(fine.all(0)):
            change, refs = choices[i]
            self._consider(change._replace(others=[refs]))
        before = np.array(self.right)[:, None]
        for i in np.flatnonzero((fine >= before).all(0) & (fine > before).any(0) & ~fine.all(0)):
            change, refs = choices[i]
            self.halves.append((self._cost(half := change._replace(others=[refs])), half))

    def _fit(self, site: Site) -> None:
        """Tries edits with numbers that are fitted."""
        if time.perf_counter() < self.until:
            for change in fits(
                self.tries, site, self.at_point, self.program.outputs, self.downstream(site), self.expected, self.point
            ):
                self._consider(change)

    def _consider(self, change: Change) -> None:
        """Keeps a change, if it mends all and is the simplest of its line."""
        cost, at = self._cost(change), (change.site.frame.file, change.site.frame.line)
        if at in self.found and self.found[at].cost <= cost:
            return
        worst = self.confirm([change], self.downstream(change.site), self.given)
        if worst is not None:
            self.found[at] = Found(cost, (*self.given, change), worst)

    def _cost(self, change: Change) -> float:
        """How much of a change it is."""
        site, instance = change.site, change.site.instances[0]
        cost = change.edit.cost + (OF_OPERAND if change.part >= 0 else 0.0)
        cost += sum(self.names.called(ref.places[0], site, instance.first).cost for ref in change.others[0])
        cost += OF_LENGTH * growth_of(self.names, change)
        part = self.names.parts_at(site)[change.part] if change.part >= 0 else None
        if part is not None and instance.operands[change.part] in self.program.literals:
            # A length that is told by a shape is another's length, before it is any number.
            cost += OF_LENGTH_ITSELF if not isinstance(part, ast.Constant) and change.edit.text != "n" else 0.0
        cost += OF_RETURN if is_return(site) else 0.0
        return cost + (IN_LIBRARY if site.frame.is_in_library else 0.0)
