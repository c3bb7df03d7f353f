"""Derivative rules that a function brings along (`jax.custom_jvp`, `jax.custom_vjp`), and the function without them."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.arrays import is_float
from manual_grads.checking.compiling import inner_jaxprs
from manual_grads.checking.products import of_chosen
from manual_grads.checking.truth.interpreter import Interpreter
from manual_grads.checking.truth.primitives import LOOKED_INTO, Kind, bind, body_of, is_rule, kind_of


def rules_of(f: Callable[..., Any], *args: Any) -> list[str]:
    """The functions with a rule of their own that f calls, at any depth, as "log_cosh at losses.py:12"."""
    return rules_in(_traced(f, args))


def rules_in(jaxpr: Any) -> list[str]:
    """Those that a jaxpr calls."""
    return list(dict.fromkeys(map(name_of_rule, _rules_in(jaxpr))))


def rules_not_taken_away(f: Callable[..., Any], *args: Any) -> list[str]:
    """Those of them that `without_rules` leaves: inside a kernel."""
    jaxpr = _traced(f, args)
    taken = {name_of_rule(eqn) for eqn in _rules_in(jaxpr, opaque_too=False)}
    return [name for name in rules_in(jaxpr) if name not in taken]


def has_forward_mode(f: Callable[..., Any], *args: Any) -> bool:
    """Whether all of f's rules are for tangents (`jax.custom_jvp`), so that JAX can push these forward through it."""
    return not any("vjp" in eqn.primitive.name for eqn in _rules_in(_traced(f, args)))


def has_symbolic_zeros(f: Callable[..., Any], *args: Any) -> bool:
    """Whether one of f's rules is told which of its tangents or cotangents are zero, and may do something else then."""
    return any(eqn.params.get("symbolic_zeros") for eqn in _rules_in(_traced(f, args)))


def arguments_without_cotangent(f: Callable[..., Any], *args: Any) -> list[str]:
    """Arguments for which a `custom_vjp` returns None or constant zeros, as if its function didn't depend on them."""
    found = []
    for eqn in _rules_in(_traced(f, args), opaque_too=False):
        if "vjp" in eqn.primitive.name:
            without = jax.extend.core.jaxpr_as_fun(_closed(body_of(eqn)))
            silent = _constantly_zero(lambda *xs, eqn=eqn: bind(eqn, list(xs)), eqn)
            silent -= _constantly_zero(without, eqn)
            found += [f"{name_of_rule(eqn)} returns None (or zeros) for {_argument(eqn, i)}" for i in sorted(silent)]
    return list(dict.fromkeys(found))


def without_rules(f: Callable[..., Any], but: str = "") -> Callable[..., Any]:
    """`f` with its rules taken away, but for that of one function: JAX differentiates what they stand for itself.

    What a rule calls is looked into through `jit`, loops, branches, `remat` and `shard_map`; not inside a kernel.
    """

    def plain(*args: Any) -> Any:
        of_arrays, arrays = over_arrays(f, args)
        return _WithoutRules(but).of(of_arrays)(*arrays)

    return plain


def over_arrays(f: Callable[..., Any], args: Any) -> tuple[Callable[..., Any], list[Any]]:
    """`f` as a function of the arrays among these arguments, and the arrays; all else is held."""
    leaves, structure = jax.tree.flatten(args)
    places = [i for i, x in enumerate(leaves) if isinstance(x, jax.Array | np.ndarray | np.generic)]

    def of_arrays(*arrays: Any) -> Any:
        given = dict(zip(places, arrays, strict=True))
        return f(*jax.tree.unflatten(structure, [given.get(i, x) for i, x in enumerate(leaves)]))

    return of_arrays, [leaves[i] for i in places]


def value_when_differentiated(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`'s value as its rules return it, which may be another than where it isn't differentiated."""

    def value(*args: Any) -> Any:
        of_floats, floats = of_chosen(f, args, tuple(i for i, x in enumerate(args) if is_float(x)))
        return jax.vjp(of_floats, *floats)[0]

    return value


class RuleInterpreter(Interpreter):
    """Evaluates what has a rule by `rule`, and all else as it is."""

    def rule(self, eqn: Any, values: list[Any]) -> list[Any]:
        """The outputs of an equation that has a rule."""
        raise NotImplementedError

    def equation(self, eqn: Any, values: list[Any]) -> list[Any]:
        """One equation's outputs."""
        if is_rule(eqn):
            return self.rule(eqn, values)
        # A call, loop or branch without any rule is left whole: to trace it again takes long.
        within = any(True for inner in inner_jaxprs(eqn) for _ in _rules_in(inner))
        return super().equation(eqn, values) if within else bind(eqn, values)

    def operation(self, eqn: Any, kind: Kind, values: list[Any]) -> list[Any]:
        """The equation's own outputs."""
        return bind(eqn, values)


class _WithoutRules(RuleInterpreter):
    """Evaluates what has a rule by its body."""

    def __init__(self, but: str) -> None:
        self.but = but

    def rule(self, eqn: Any, values: list[Any]) -> list[Any]:
        """The body's outputs; those of a rule that is kept with it."""
        kept = self.but and name_of_rule(eqn) == self.but
        return bind(eqn, values) if kept else self.evaluate(body_of(eqn), values)


def name_of_rule(eqn: Any) -> str:
    """The function that the rule belongs to, and where that is defined."""
    return getattr(_about(eqn), "func_src_info", None) or eqn.primitive.name


def _argument(eqn: Any, i: int) -> str:
    """Its i-th operand as the function's own: after what that closes over, the leaves of trees one by one."""
    return f"argument {i - eqn.params.get('num_consts', 0)}, {eqn.invars[i].aval.str_short()}"


def _about(eqn: Any) -> Any:
    body = body_of(eqn)
    return getattr(getattr(body, "jaxpr", body), "debug_info", None)


def _traced(f: Callable[..., Any], args: Any) -> Any:
    of_arrays, arrays = over_arrays(f, args)
    return jax.make_jaxpr(of_arrays)(*arrays).jaxpr


def _rules_in(jaxpr: Any, opaque_too: bool = True) -> Iterator[Any]:
    """The equations that call a rule, at any depth; those inside of what isn't looked into, if asked for."""
    for eqn in jaxpr.eqns:
        if is_rule(eqn):
            yield eqn
        if opaque_too or kind_of(eqn) in LOOKED_INTO:
            for inner in inner_jaxprs(eqn):
                yield from _rules_in(inner, opaque_too)


def _closed(jaxpr: Any) -> Any:
    return jaxpr if hasattr(jaxpr, "consts") else jax.extend.core.ClosedJaxpr(jaxpr, ())


def _constantly_zero(g: Callable[..., Any], eqn: Any) -> set[int]:
    """Of a rule's operands that are floats, those whose cotangent in g is always zero; none if that is unknown."""
    avals = [jax.ShapeDtypeStruct(var.aval.shape, var.aval.dtype) for var in eqn.invars]
    # Not what the function closes over, which has no cotangent.
    own = range(eqn.params.get("num_consts", 0), len(avals))
    floats = [i for i in own if jnp.issubdtype(avals[i].dtype, jnp.floating)]

    def pulled_back(values: Any, direction: Any) -> Any:
        def of_floats(*some: Any) -> Any:
            given = dict(zip(floats, some, strict=True))
            outs = g(*(given.get(i, x) for i, x in enumerate(values)))
            return [out for out in outs if jnp.issubdtype(out.dtype, jnp.floating)]

        results, pull = jax.vjp(of_floats, *(values[i] for i in floats))
        return pull([direction.astype(out.dtype) * jnp.ones_like(out) for out in results])

    try:
        closed = jax.make_jaxpr(pulled_back)(avals, jax.ShapeDtypeStruct((), np.float32))
    except Exception:  # not to be differentiated, or what it raises will be raised again
        return set()
    made = {id(var): made_by for made_by in closed.jaxpr.eqns for var in made_by.outvars}

    def is_zero(atom: Any) -> bool:
        if hasattr(atom, "val"):
            return bool(np.all(np.asarray(atom.val) == 0))
        by = made.get(id(atom))
        return by is not None and by.primitive.name in ("broadcast_in_dim", "zeros_like") and is_zero(by.invars[0])

    return {i for i, var in zip(floats, closed.jaxpr.outvars, strict=True) if is_zero(var)}
