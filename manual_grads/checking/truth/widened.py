"""A function that runs in one format alone, with its operations done in float64."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from manual_grads.checking.truth.interpreter import Interpreter
from manual_grads.checking.truth.primitives import Kind, bind, with_wide_products


def in_float64(f: Callable[..., Any], own: Any) -> Callable[..., Any]:
    """`f`, which is traced for arrays of its own format, as the same operations in float64.

    Its rules are taken away, and what can't be looked into (a kernel, a callback) is done in its own format. To be
    called where float64 is enabled.
    """

    def wide(*args: Any) -> Any:
        leaves, structure = jax.tree.flatten(args)
        arrays = [i for i, x in enumerate(leaves) if isinstance(x, jax.Array | np.ndarray | np.generic | float)]

        def of_arrays(*given: Any) -> Any:
            of = dict(zip(arrays, given, strict=True))
            return f(*jax.tree.unflatten(structure, [of.get(i, x) for i, x in enumerate(leaves)]))

        shapes = [jax.ShapeDtypeStruct(jnp.shape(leaves[i]), _own_dtype(leaves[i], own)) for i in arrays]
        with jax.enable_x64(False):
            closed, shape = jax.make_jaxpr(of_arrays, return_shape=True)(*shapes)
        results = _Widened().evaluate(closed, [jnp.asarray(leaves[i]) for i in arrays])
        return jax.tree.unflatten(jax.tree.structure(shape), results)

    return wide


def _own_dtype(x: Any, own: Any) -> Any:
    dtype = jnp.result_type(x)
    return own if jnp.issubdtype(dtype, jnp.floating) else jax.dtypes.canonicalize_dtype(dtype)


class _Widened(Interpreter):
    """Evaluates in float64 what was traced for another format."""

    def equation(self, eqn: Any, values: list[Any]) -> list[Any]:
        """One equation's outputs, of operands in float64."""
        return super().equation(eqn, [_wide(x) for x in values])

    def operation(self, eqn: Any, kind: Kind, values: list[Any]) -> list[Any]:
        """An operation's outputs; conversions between formats leave a number as it is."""
        between = eqn.primitive.name in ("convert_element_type", "reduce_precision")
        if between and _is_float(values[0]) and _is_float(eqn.outvars[0].aval):
            return values
        if kind is Kind.OPAQUE or eqn.primitive.name == "bitcast_convert_type":
            values = [
                lax.convert_element_type(x, var.aval.dtype) if _is_float(x) else x
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
    return lax.convert_element_type(x, jnp.float64) if _is_float(x) else x


def _is_float(x: Any) -> bool:
    dtype = getattr(x, "dtype", None)
    return jnp.issubdtype(jnp.result_type(x) if dtype is None else dtype, jnp.floating)
