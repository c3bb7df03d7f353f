"""The values that an edit may use: what is given or was computed before, by the plainest name that each has."""

import functools
from collections.abc import Sequence

import numpy as np

from manual_grads.checking.diagnosis.repair.frames import Frame
from manual_grads.checking.diagnosis.repair.names import Called, Names
from manual_grads.checking.diagnosis.repair.program import Place, Program
from manual_grads.checking.diagnosis.repair.sites import Site
from manual_grads.checking.diagnosis.repair.trying import Ref, Run

MAX_OTHERS = 120  # values that an edit may use


class Others:
    """The values that edits of each site may use."""

    def __init__(self, program: Program, sites: Sequence[Site], names: Names, at_point: Run) -> None:
        """Of a program whose values are known at a point."""
        self.program, self.sites, self.names, self.at_point = program, sites, names, at_point
        self.kept: dict[Frame, list[list[Ref]]] = {}

    def __call__(self, site: Site) -> list[list[Ref]]:
        """The values that an edit may use, of each shape those that differ; the plainest name of each."""
        if site.frame not in self.kept:
            self.kept[site.frame] = self._others_of(site)
        return self.kept[site.frame]

    def _others_of(self, site: Site) -> list[list[Ref]]:
        first = site.instances[0].first
        values = self.at_point.values
        made = dict.fromkeys(self.program.inputs)
        made |= dict.fromkeys(p for p in self.program.constants if p not in self.program.literals)
        made |= dict.fromkeys(p for p in self.program.literals if p in self.names.of_place)
        made |= dict.fromkeys(p for entry in self.program.entries if entry.at <= first for p in entry.places)
        made |= dict.fromkeys(p for p, last in self._made.items() if last < first)
        called = {p: self.names.called(p, site, first) for p in made if values[p].dtype.kind in "fb"}
        by_shape: dict[tuple[int, ...], list[Ref]] = {}
        seen: set[tuple[tuple[int, ...], bytes]] = set()
        for place in sorted(called, key=lambda place: called[place].cost):
            x = values[place]
            key = x.shape, np.ascontiguousarray(x).tobytes()
            if key not in seen and len(seen) < MAX_OTHERS:
                seen.add(key)
                by_shape.setdefault(x.shape, []).append(self._ref(place, called[place], site))
        return list(by_shape.values())

    def _ref(self, place: Place, called: Called, site: Site) -> Ref:
        """A value, and what is in its place in the other evaluations of the site."""
        places = [place]
        for instance in site.instances[1:]:
            if called.key is not None:
                places.append(self.names.stands_for(called.key, instance.first))
            else:
                places.append(self._latest(place, instance.first))
        return Ref(tuple(places))

    def _latest(self, place: Place, first: int) -> Place:
        """What the expression that has made a value has made last, before an equation."""
        for other in self.sites:
            for k in range(len(other.instances[0].outputs)):
                if other.instances[0].outputs[k] == place:
                    before = [i for i in other.instances if i.last < first and len(i.outputs) > k]
                    return before[-1].outputs[k] if before else place
        return place

    @functools.cached_property
    def _made(self) -> dict[Place, int]:
        """The values that the user's expressions make, and the last equation of each."""
        own = [site for site in self.sites if site.kind != "helper"]
        return {p: i.last for site in own for i in site.instances for p in i.outputs}
