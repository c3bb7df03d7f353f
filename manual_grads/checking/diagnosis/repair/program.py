"""The manual gradient as a list of equations: calls inlined, loops over an axis unrolled, branches side by side."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from manual_grads.checking.diagnosis.repair.frames import Frame, Function, frames_of, function_of, is_of_jax
from manual_grads.checking.truth.kernels import interpreted
from manual_grads.checking.truth.primitives import Kind, bind, body_of, kind_of, scanned

MAX_EQUATIONS = 4000  # of a program that is unrolled: it couldn't be searched within seconds

MAX_ROUNDS = 64  # of a loop that is unrolled

Place = int  # of a value, in the list of all values of a run


class Equation(NamedTuple):
    """An operation on values, and where the user has asked for it."""

    name: str  # of the primitive; "index" and "collect" are of unrolled loops
    params: dict[str, Any]
    inputs: tuple[Place, ...]
    outputs: tuple[Place, ...]
    frames: tuple[Frame, ...]  # the innermost first
    eqn: Any = None  # JAX's, for what NumPy doesn't do


class Entry(NamedTuple):
    """Where the body of a function of the user's begins that JAX has traced by itself, and the values it is given."""

    at: int  # the number of its first equation
    function: Function
    places: tuple[Place, ...]


class Program(NamedTuple):
    """A function as equations."""

    equations: list[Equation]
    inputs: list[Place]
    outputs: list[Place]
    constants: dict[Place, np.ndarray]  # literals, and what is closed over
    literals: frozenset[Place]  # those of the constants that stand in the code, or are made of shapes
    values: int  # how many there are
    entries: list[Entry]


class TooLarge(Exception):
    """The program has more equations than can be searched."""


def program_of(closed: Any) -> Program:
    """The program that a closed jaxpr is.

    Raises:
        TooLarge: if it has too many equations.
    """
    writer = _Writer()
    inputs = [writer.place() for _ in closed.jaxpr.invars]
    outputs = writer.inline(closed, inputs, (), inside_jax=False)
    return Program(
        equations=writer.equations,
        inputs=inputs,
        outputs=outputs,
        constants=writer.constants,
        literals=frozenset(writer.literals),
        values=writer.places,
        entries=writer.entries,
    )


class _Writer:
    """Writes the equations down, one after the other."""

    def __init__(self) -> None:
        self.equations: list[Equation] = []
        self.constants: dict[Place, np.ndarray] = {}
        self.literals: set[Place] = set()
        self.entries: list[Entry] = []
        self.known: dict[Place, np.ndarray] = {}
        self.places = 0

    def place(self) -> Place:
        """A new value's."""
        self.places += 1
        return self.places - 1

    def constant(self, value: Any, literal: bool = False) -> Place:
        """The place of a value that is known."""
        at = self.place()
        self.constants[at] = np.asarray(value)
        if _is_count(self.constants[at]):
            self.known[at] = self.constants[at]
        if literal:
            self.literals.add(at)
        return at

    def write(
        self,
        name: str,
        params: dict[str, Any],
        inputs: Sequence[Place],
        outputs: int,
        frames: tuple[Frame, ...],
        eqn: Any = None,
    ) -> list[Place]:
        """Adds an equation; the places of its outputs."""
        if len(self.equations) >= MAX_EQUATIONS:
            raise TooLarge
        made = [self.place() for _ in range(outputs)]
        self.equations.append(Equation(name, params, tuple(inputs), tuple(made), frames, eqn))
        # Numbers that count a loop's rounds are known before it runs.
        if eqn is not None and all(_is_count(var.aval) for var in eqn.outvars) and all(p in self.known for p in inputs):
            with jax.ensure_compile_time_eval():
                self.known |= zip(made, map(np.asarray, bind(eqn, [self.known[p] for p in inputs])), strict=True)
        return made

    def inline(self, closed: Any, args: Sequence[Place], around: tuple[Frame, ...], inside_jax: bool) -> list[Place]:
        """Adds a jaxpr's equations; `around` are the frames of the call. The places of its outputs."""
        jaxpr = getattr(closed, "jaxpr", closed)
        consts = [self.constant(x) for x in getattr(closed, "consts", ())]
        env = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *args), strict=True))
        function = function_of(closed)
        if around and not inside_jax and len(function.arguments) == len(args):
            self.entries.append(Entry(len(self.equations), function, tuple(args)))

        def read(atom: Any) -> Place:
            return self.constant(atom.val, literal=True) if hasattr(atom, "val") else env[atom]

        for eqn in jaxpr.eqns:
            frames = around if inside_jax else _own_frames(eqn, function.name, around) + around
            made = self.equation(eqn, [read(atom) for atom in eqn.invars], frames, inside_jax)
            env.update(zip(eqn.outvars, made, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def equation(self, eqn: Any, inputs: list[Place], frames: tuple[Frame, ...], inside_jax: bool) -> list[Place]:
        """Adds what an equation does; the places of its outputs."""
        match kind_of(eqn):
            case Kind.INLINED:
                body = body_of(eqn)
                return self.inline(body, inputs, frames, inside_jax or is_of_jax(body))
            case Kind.KERNEL:
                return self.inline(interpreted(eqn), inputs, frames, inside_jax)
            case Kind.SCAN if eqn.params["length"] > 0:
                return self.scan(eqn, inputs, frames, inside_jax)
            case Kind.COND:
                index, *operands = inputs
                branches = [self.inline(b, operands, frames, inside_jax) for b in eqn.params["branches"]]
                chosen = [self.write("choose", {}, [index, *each], 1, frames) for each in zip(*branches, strict=True)]
                return [place for (place,) in chosen]
            case Kind.WHILE if (carried := self.unrolled(eqn, inputs, frames, inside_jax)) is not None:
                return carried
            case _:
                return self.write(eqn.primitive.name, eqn.params, inputs, len(eqn.outvars), frames, eqn)

    def unrolled(
        self, eqn: Any, inputs: list[Place], frames: tuple[Frame, ...], inside_jax: bool
    ) -> list[Place] | None:
        """Adds the body of a loop as often as it goes round, if that is known; else nothing, and None."""
        condition, body = eqn.params["cond_jaxpr"], eqn.params["body_jaxpr"]
        carried, of_condition = len(inputs) - len(body.out_avals), len(condition.in_avals) - len(body.out_avals)
        before = len(self.equations), len(self.entries)
        state = inputs[carried:]
        for _ in range(MAX_ROUNDS):
            (goes_on,) = self.inline(condition, [*inputs[:of_condition], *state], frames, inside_jax)
            known = self.known.get(goes_on)
            if known is None or np.ndim(known):
                break
            if not known:
                return state
            state = self.inline(body, [*inputs[of_condition:carried], *state], frames, inside_jax)
        del self.equations[before[0] :], self.entries[before[1] :]
        return None

    def scan(self, eqn: Any, inputs: list[Place], frames: tuple[Frame, ...], inside_jax: bool) -> list[Place]:
        """Adds the body once for each round."""
        body, length = eqn.params["jaxpr"], eqn.params["length"]
        consts, carried = scanned(eqn)
        carry, rows = inputs[consts : consts + carried], []
        for i in reversed(range(length)) if eqn.params["reverse"] else range(length):
            slices = [self.write("index", {"i": i}, [x], 1, frames)[0] for x in inputs[consts + carried :]]
            outs = self.inline(body, [*inputs[:consts], *carry, *slices], frames, inside_jax)
            carry = outs[:carried]
            rows.append(outs[carried:])
        rows = rows[::-1] if eqn.params["reverse"] else rows
        collected = [self.write("collect", {}, column, 1, frames) for column in zip(*rows, strict=True)]
        return [*carry, *(place for (place,) in collected)]


def _is_count(x: Any) -> bool:
    return x.shape == () and np.dtype(x.dtype).kind in "iub"


def _own_frames(eqn: Any, function: str, around: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """An equation's frames within the function that it is traced for.

    Those further out are of the call that was traced first, which is another one where JAX has kept the trace.
    """
    frames = frames_of(eqn)
    if not around:
        return frames
    for i, frame in enumerate(frames):
        if function and frame.function.rpartition(".")[2] == function.rpartition(".")[2]:
            return frames[: i + 1]
    return frames[:1] if frames[:1] != around[:1] else ()
