"""Running a jaxpr equation by equation, through calls, loops and branches, with something else done at each of them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.extend
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Literal

from manual_grads.checking.truth.kernels import interpreted
from manual_grads.checking.truth.primitives import Kind, body_of, kind_of, on_each_device, scanned


class Interpreter:
    """Evaluates jaxprs; what an equation does that is no call, loop or branch is said by `operation`."""

    def operation(self, eqn: Any, kind: Kind, values: list[Any]) -> list[Any]:
        """The outputs of an equation that has no jaxpr to look into."""
        raise NotImplementedError

    def in_round(self, i: Any, closed: Any, args: list[Any]) -> list[Any]:
        """A loop's body in its i-th round."""
        return self.evaluate(closed, args)

    def condition(self, closed: Any, args: list[Any]) -> list[Any]:
        """Whether a loop goes on: by JAX."""
        return jax.extend.core.jaxpr_as_fun(closed)(*args)

    def rounded(self, out: Any, aval: Any) -> Any:
        """A float that a loop carries or collects, in the format that it has to be in."""
        return lax.convert_element_type(out, aval.dtype)

    def of(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """`f`, evaluated by this."""

        def interpreted(*args: Any) -> Any:
            closed, shape = jax.make_jaxpr(f, return_shape=True)(*args)
            return jax.tree.unflatten(jax.tree.structure(shape), self.evaluate(closed, jax.tree.leaves(args)))

        return interpreted

    def evaluate(self, closed: Any, args: list[Any]) -> list[Any]:
        """The outputs of a jaxpr, closed or without constants."""
        jaxpr, consts = getattr(closed, "jaxpr", closed), getattr(closed, "consts", ())
        env: dict[Any, Any] = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *args), strict=True))

        def read(atom: Any) -> Any:
            return atom.val if isinstance(atom, Literal) else env[atom]

        for eqn in jaxpr.eqns:
            outs = self.equation(eqn, [read(atom) for atom in eqn.invars])
            env.update(zip(eqn.outvars, outs, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def equation(self, eqn: Any, values: list[Any]) -> list[Any]:
        """One equation's outputs."""
        match kind_of(eqn):
            case Kind.INLINED:
                return self.evaluate(body_of(eqn), values)
            case Kind.KERNEL:
                return self.evaluate(interpreted(eqn), values)
            case Kind.SCAN:
                return self.scan(eqn, values)
            case Kind.WHILE:
                return self.while_loop(eqn, values)
            case Kind.COND:
                index, *operands = values
                branches = [partial(lambda b, *ops: self.evaluate(b, list(ops)), b) for b in eqn.params["branches"]]
                return list(lax.switch(index, branches, *operands))
            case Kind.SHARD_MAP:
                body = eqn.params["jaxpr"]
                return list(on_each_device(eqn, lambda *ops: tuple(self.evaluate(body, list(ops))))(*values))
            case kind:
                return self.operation(eqn, kind, values)

    def scan(self, eqn: Any, values: list[Any]) -> list[Any]:
        """A loop over an axis."""
        consts, carried = scanned(eqn)

        def body(state: Any, x: Any) -> Any:
            i, carry = state
            outs = self._round(i, eqn.params["jaxpr"], [*values[:consts], *carry, *x])
            return (i + 1, outs[:carried]), outs[carried:]

        carry, xs = values[consts : consts + carried], values[consts + carried :]
        length, reverse = eqn.params["length"], eqn.params["reverse"]
        (_, last), ys = lax.scan(body, (0, carry), xs, length=length, reverse=reverse)
        return [*last, *ys]

    def while_loop(self, eqn: Any, values: list[Any]) -> list[Any]:
        """A loop whose end is decided as JAX decides it; of several in one, those that have ended stay as they are."""
        condition, body = eqn.params["cond_jaxpr"], eqn.params["body_jaxpr"]
        carried = len(values) - len(body.out_avals)  # where that begins: after the constants of either
        of_condition = len(condition.in_avals) - len(body.out_avals)

        def goes_on(state: Any) -> Any:
            return self.condition(condition, [*values[:of_condition], *state[1]])[0]

        def one_round(state: Any) -> Any:
            i, carry = state
            outs = self._round(i, body, [*values[of_condition:carried], *carry])
            several = goes_on(state)
            if jnp.ndim(several) == 0:
                return i + 1, outs
            along = [jnp.reshape(several, several.shape + (1,) * (jnp.ndim(x) - several.ndim)) for x in outs]
            return i + 1, [jnp.where(on, new, old) for on, new, old in zip(along, outs, carry, strict=True)]

        return lax.while_loop(lambda state: jnp.any(goes_on(state)), one_round, (0, values[carried:]))[1]

    def _round(self, i: Any, closed: Any, args: list[Any]) -> list[Any]:
        """A loop's body in its i-th round, in the formats that it has to return."""
        return [
            self.rounded(out, aval) if jnp.issubdtype(aval.dtype, jnp.floating) else out
            for out, aval in zip(self.in_round(i, closed, args), closed.out_avals, strict=True)
        ]


class OfCallsAlone(Interpreter):
    """Looks into calls; a loop, a branch or a kernel is one operation."""

    def equation(self, eqn: Any, values: list[Any]) -> list[Any]:
        """One equation's outputs."""
        kind = kind_of(eqn)
        return self.evaluate(body_of(eqn), values) if kind is Kind.INLINED else self.operation(eqn, kind, values)
