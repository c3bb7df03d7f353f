"""What rounding does to a function: its spread when every operation is off by a random part of an ULP.

The function's jaxpr is run in float64, with noise of a narrower format's size on the inputs and on each operation's
result (Monte Carlo arithmetic; Parker, Pierce and Eggert 2000). The spread of the results says how far a right
computation by the same formula may be from the truth, cancellation included, whatever the size of the arrays.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr, Literal
from jaxtyping import Array, Float

# Nothing is rounded where entries are only moved, compared, chosen or negated.
EXACT = frozenset(
    "abs and argmax argmin broadcast_in_dim ceil clamp concatenate convert_element_type copy copy_p dynamic_slice "
    "dynamic_update_slice eq expand_dims floor gather ge gt iota is_finite le lt max min ne neg not or pad "
    "reduce_and reduce_max reduce_min reduce_or reduce_precision reshape rev round scatter select_n "
    "sign slice sort split squeeze stop_gradient transpose xor".split()
)
# XLA's elementary functions are within about this many ULP.
ELEMENTARY = dict.fromkeys(
    "acos acosh asin asinh atan atan2 atanh cbrt cos cosh digamma erf erf_inv erfc exp exp2 expm1 lgamma log log1p "
    "logistic pow rsqrt sin sinh tan tanh".split(),
    4.0,
)
FACTORISATIONS = (
    "triangular_solve",
    "custom_linear_solve",
    "cholesky",
    "lu",
    "eigh",
    "svd",
    "geqrf",
    "householder_product",
)
SUMS = ("dot_general", "reduce_sum", "cumsum", "add_any")
INLINED = (
    "jit",
    "pjit",
    "closed_call",
    "core_call",
    "remat",
    "remat2",
    "checkpoint",
    "custom_jvp_call",
    "custom_vjp_call",
)


def noisy(f: Callable[..., Any], differentiated: Sequence[bool] | None) -> Callable[..., Any]:
    """`noisy(f, …)(u, noise, *args)`: `f(*args)` with every rounding of it made by `noise`, in [-1, 1], times u.

    The arguments get noise too, those that are `differentiated` even where they are 0; none, if it is None.
    """

    def with_noise(u: Float[Array, ""], noise: Float[Array, " n"], *args: Any) -> Any:
        closed, shape = jax.make_jaxpr(f, return_shape=True)(*args)
        run = _Run(u * noise)
        leaves = [jnp.asarray(x) for x in args]
        if differentiated is not None:
            leaves = [run.input(x, d) for x, d in zip(leaves, differentiated, strict=True)]
        results = run.evaluate(closed, leaves)
        return jax.tree.unflatten(jax.tree.structure(shape), results)

    return with_noise


def noisy_inputs(f: Callable[..., Any], differentiated: Sequence[bool]) -> Callable[..., Any]:
    """`noisy` with noise on the arguments only, which takes a third of the time to compile."""

    def with_noise(u: Float[Array, ""], noise: Float[Array, " n"], *args: Any) -> Any:
        run = _Run(u * noise)
        return f(*(run.input(jnp.asarray(x), d) for x, d in zip(args, differentiated, strict=True)))

    return with_noise


class _Run:
    """One evaluation: where in the noise it stands."""

    def __init__(self, noise: Any) -> None:
        self.noise, self.at = noise, 0

    def error(self, shape: tuple[int, ...]) -> Any:
        """The next so many relative errors."""
        size = int(np.prod(shape))
        have = self.noise.shape[0]
        if size > have:
            return jnp.resize(self.noise, shape)
        start = self.at % (have - size + 1)
        self.at += size + 7
        return lax.reshape(lax.slice(self.noise, (start,), (start + size,)), shape)

    def input(self, x: Any, differentiated: bool) -> Any:
        """An argument. What isn't differentiated may be a mask or a label, whose zeros and ones are exact."""
        if differentiated:
            return self.rounded(x, jnp.where(x == 0, 1.0, x))
        return self.rounded(x, jnp.where(x == jnp.round(x), 0.0, x)) if _is_float(x) else x

    def rounded(self, x: Any, magnitude: Any = None, ulps: float = 1.0) -> Any:
        """X, off by a part of an ULP of the magnitude that its error is relative to (its own, unless told)."""
        if not jnp.issubdtype(jnp.result_type(x), jnp.floating):
            return x
        size = x if magnitude is None else magnitude
        size = lax.convert_element_type(size, x.dtype)
        size = jnp.where(jnp.isfinite(size), size, 0)  # infinity is exact; times no noise it would be NaN
        error = lax.mul(lax.convert_element_type(self.error(jnp.shape(x)), x.dtype), size)
        return lax.add(jnp.asarray(x), error if ulps == 1.0 else ulps * error)

    def evaluate(self, closed: ClosedJaxpr, args: list[Any]) -> list[Any]:
        """The jaxpr's outputs."""
        jaxpr = closed.jaxpr
        env: dict[Any, Any] = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*closed.consts, *args), strict=True))

        def read(atom: Any) -> Any:
            return atom.val if isinstance(atom, Literal) else env[atom]

        for eqn in jaxpr.eqns:
            outs = self.equation(eqn, [read(atom) for atom in eqn.invars])
            env.update(zip(eqn.outvars, outs, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def equation(self, eqn: Any, values: list[Any]) -> list[Any]:
        """One equation's outputs."""
        name = eqn.primitive.name
        inner = next((eqn.params[k] for k in ("jaxpr", "call_jaxpr", "fun_jaxpr") if k in eqn.params), None)
        if name in INLINED and inner is not None:
            closed = inner if hasattr(inner, "consts") else ClosedJaxpr(inner, ())
            return self.evaluate(closed, values)
        if name == "scan":
            return self.scan(eqn.params, values)
        if name == "while":
            return self.while_loop(eqn.params, values)
        if name == "cond":
            index, *operands = values
            branches = [partial(lambda b, *ops: self.evaluate(b, list(ops)), b) for b in eqn.params["branches"]]
            return list(lax.switch(index, branches, *operands))
        if name in FACTORISATIONS:  # exact for a matrix that is off by an ULP of its largest entry
            values = [self.rounded(v, jnp.max(jnp.abs(v))) if _is_float(v) else v for v in values]
        apply = partial(eqn.primitive.bind, **eqn.primitive.get_bind_params(eqn.params))
        outs = apply(*values)
        outs = list(outs) if eqn.primitive.multiple_results else [outs]
        if name == "convert_element_type" and _narrows(eqn):
            return [self.rounded(out) for out in outs]
        if name in EXACT:
            return outs
        if name in SUMS:
            magnitude = apply(*map(jnp.abs, values))  # a sum's error is relative to that of the absolute terms
            # The roundings of n additions one after the other are a random walk, about √n / 2 of them long.
            return [self.rounded(outs[0], magnitude, max(1.0, _terms(eqn) ** 0.5 / 2))]
        if name in FACTORISATIONS or eqn.primitive.multiple_results:
            return [self.rounded(out, jnp.max(jnp.abs(out), initial=0.0)) if _is_float(out) else out for out in outs]
        return [self.rounded(out, ulps=ELEMENTARY.get(name, 1.0)) for out in outs]

    def scan(self, params: dict[str, Any], values: list[Any]) -> list[Any]:
        """A loop, with other noise in each of its rounds."""
        consts, carried = params["num_consts"], params["num_carry"]

        def body(state: Any, x: Any) -> Any:
            i, carry = state
            outs = self.in_round(i, params["jaxpr"], [*values[:consts], *carry, *x])
            return (i + 1, outs[:carried]), outs[carried:]

        carry, xs = values[consts : consts + carried], values[consts + carried :]
        options = {key: params[key] for key in ("length", "reverse", "unroll")}
        (_, last), ys = lax.scan(body, (0, carry), xs, **options)
        return [*last, *ys]

    def while_loop(self, params: dict[str, Any], values: list[Any]) -> list[Any]:
        """Likewise; whether it goes on is decided without noise of its own."""
        n, m = params["cond_nconsts"], params["body_nconsts"]
        condition = jax.extend.core.jaxpr_as_fun(params["cond_jaxpr"])

        def body(state: Any) -> Any:
            i, carry = state
            return i + 1, self.in_round(i, params["body_jaxpr"], [*values[n : n + m], *carry])

        return lax.while_loop(lambda s: condition(*values[:n], *s[1])[0], body, (0, values[n + m :]))[1]

    def in_round(self, i: Any, closed: ClosedJaxpr, args: list[Any]) -> list[Any]:
        """A loop's body in its i-th round."""
        noise, self.noise = self.noise, jnp.roll(self.noise, 37 * i)
        outs = self.evaluate(closed, args)
        self.noise = noise
        return [
            lax.convert_element_type(out, aval.dtype) if _is_float(out) else out
            for out, aval in zip(outs, closed.out_avals, strict=True)
        ]


def _narrows(eqn: Any) -> bool:
    """Whether floats are rounded to a narrower format."""
    given, made = eqn.invars[0].aval.dtype, eqn.params["new_dtype"]
    if not (jnp.issubdtype(given, jnp.floating) and jnp.issubdtype(made, jnp.floating)):
        return False
    return float(jnp.finfo(made).eps) > float(jnp.finfo(given).eps)


def _terms(eqn: Any) -> int:
    """How many terms each of a sum's entries has."""
    shape = eqn.invars[0].aval.shape
    if eqn.primitive.name == "dot_general":
        return int(np.prod([shape[axis] for axis in eqn.params["dimension_numbers"][0][0]]))
    if eqn.primitive.name == "cumsum":
        return shape[eqn.params["axis"]]
    return int(np.prod([shape[axis] for axis in eqn.params.get("axes", ())]))


def _is_float(x: Any) -> bool:
    return jnp.issubdtype(jnp.result_type(x), jnp.floating)
