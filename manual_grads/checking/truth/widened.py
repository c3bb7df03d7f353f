"""A function that runs in one format alone, with its operations done in float64."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.dtypes import canonicalize_dtype

from manual_grads.checking.arrays import is_float
from manual_grads.checking.truth.interpreter import Interpreter
from manual_grads.checking.truth.own_rules import over_arrays
from manual_grads.checking.truth.primitives import Kind, bind, with_wide_products


def in_float64(f: Callable[..., Any], own: Any) -> Callable[..., Any]:
    """`f`, which is traced for arrays of its own format, as the same operations in float64.

    Its rules are taken away, and what can't be looked into (a kernel, a callback) is done in its own format. To be
    called where float64 is enabled.
    """

    def wide(*args: Any) -> Any:
        of_arrays, arrays = over_arrays(f, args)
        shapes = [jax.ShapeDtypeStruct(x.shape, own if is_float(x) else canonicalize_dtype(x.dtype)) for x in arrays]
        with jax.enable_x64(False):
            closed, shape = jax.make_jaxpr(of_arrays, return_shape=True)(*shapes)
        results = _Widened().evaluate(closed, [jnp.asarray(x) for x in arrays])
        return jax.tree.unflatten(jax.tree.structure(shape), results)

    return wide


class _Widened(Interpreter):
    """Evaluates in float64 what was traced for another format."""

    def equation(self, eqn: Any, values: list[Any]) -> list[Any]:
        """One equation's outputs, of operands in float64."""
        return super().equation(eqn, [_wide(x) for x in values])

    def operation(self, eqn: Any, kind: Kind, values: list[Any]) -> list[Any]:
        """An operation's outputs; conversions between formats leave a number as it is."""
        between = eqn.primitive.name in ("convert_element_type", "reduce_precision")
        if between and is_float(values[0]) and is_float(eqn.outvars[0].aval):
            return values
        if kind is Kind.OPAQUE or eqn.primitive.name == "bitcast_convert_type":
            values = [
                lax.convert_element_type(x, var.aval.dtype) if is_float(x) else x
                for x, var in zip(values, eqn.invars, strict=True)
            ]
            return [_wide(out) for out in bind(eqn, values)]
        return [_wide(out) for out in bind(with_wide_products(eqn), values)]

    def condition(self, closed: Any, args: list[Any]) -> list[Any]:
        """Whether a loop goes on."""
        return self.evaluate(closed, args)

    def rounded(self, out: Any, aval: Any) -> Any:
        """What a loop carries, as it is."""
        return out


def _wide(x: Any) -> Any:
    return lax.convert_element_type(x, jnp.float64) if is_float(x) else x
