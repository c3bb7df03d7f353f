"""JAX's primitives, as rounding sees them. JAX renames and adds them; no other file knows their names and parameters.

What isn't known here is opaque: it is left to JAX to evaluate, as one operation, and `opaque` says so.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import ShapedArray

from manual_grads.checking.arrays import eps_of
from manual_grads.checking.compiling import inner_jaxprs
from manual_grads.checking.truth.kernels import interpreted

# Nothing is rounded where entries are only moved, compared, chosen or negated, nor where there are none yet.
EXACT = frozenset(
    "abs all_gather all_gather_invariant all_to_all and argmax argmin axis_index bitcast_convert_type "
    "broadcast_in_dim ceil clamp complex concatenate conj copy copy_p cummax cummin device_put dynamic_slice "
    "dynamic_update_slice empty empty2 eq expand_dims floor gather ge gt imag iota is_finite layout_constraint le lt "
    "max min name ne neg not optimization_barrier or pad pbroadcast pcast pmax pmin ppermute pvary real reduce_and "
    "reduce_max reduce_min reduce_or reduce_precision reduce_window_max reduce_window_min reduce_xor "
    "reduced_vary_cast relayout reshape reshard rev round scatter scatter-max scatter-min select_n "
    "sharding_constraint sign slice sort split squeeze stack stop_gradient tie tile top_k transpose unstack "
    "vary_unreduced_cast xor zeros_like".split()
)
ROUNDED = frozenset(
    "add bessel_i0e bessel_i1e conv_general_dilated cumlogsumexp cumprod div fft igamma igamma_grad_a igammac "
    "integer_pow mul nextafter one_minus_square polygamma psum psum2 psum_invariant random_gamma reduce_prod "
    "reduce_scatter reduce_window reduce_window_sum regularized_incomplete_beta rem rng_uniform scatter-add "
    "scatter-mul scatter-sub select_and_gather_add select_and_scatter_add sqrt square sub zeta".split()
)
# XLA's elementary functions are within about this many ULP.
ELEMENTARY: dict[str, float] = dict.fromkeys(
    "acos acosh asin asinh atan atan2 atanh cbrt cos cosh digamma erf erf_inv erfc exp exp2 expm1 lgamma log log1p "
    "log2 logistic pow rsqrt sin sinh tan tanh".split(),
    4.0,
)
FACTORISATIONS = frozenset(
    "cholesky cholesky_update custom_linear_solve eig eigh geqp3 geqrf hessenberg householder_product lu qr schur svd "
    "triangular_solve tridiagonal tridiagonal_solve".split()
)
# Whose operands an accelerator rounds to a narrower format, unless it is told not to.
PRODUCTS = frozenset({"conv_general_dilated", "dot_general"})
# Of a sum, the parameter that says how many terms an entry has.
SUMS = {"dot_general": {"dimension_numbers"}, "reduce_sum": set(), "cumsum": {"axis"}, "add_any": set()}
# Calls that do what their jaxpr does, whatever their other parameters say of compiling and differentiating it.
INLINED = frozenset(
    "call checkpoint closed_call composite core_call custom_jvp_call custom_vjp_call custom_vjp_call_jaxpr eval_jaxpr "
    "jit pjit remat remat2".split()
)
RULES = frozenset("custom_jvp_call custom_vjp_call custom_vjp_call_jaxpr".split())  # calls with a rule of their own
BODIES = ("jaxpr", "call_jaxpr", "fun_jaxpr")  # the parameters that hold it
# Of a call on every device of a mesh, the parameters that say what it does; and that of its axes, which JAX renamed.
SHARDED = {"jaxpr", "mesh", "in_specs", "out_specs", "check_vma"}
MANUAL_AXES = ("manual_axes", "newly_manual_axes")
# Of control flow, the parameters that say what it does; and those that don't, or say what the shapes say too. As it is
# evaluated here in JAX's place, any other may change what it means.
CONTROL = {
    "scan": {"jaxpr", "length", "reverse"},
    "while": {"cond_jaxpr", "body_jaxpr"},
    "cond": {"branches"},
}
BESIDE = {
    "scan": {"num_consts", "num_carry", "ft_in", "ft_out", "linear", "unroll", "_split_transpose"},
    "while": {"cond_nconsts", "body_nconsts"},
    "cond": {"linear"},
}


class Kind(Enum):
    """How an equation's results are rounded."""

    EXACT = "not at all"
    ROUNDED = "once"
    SUM = "relative to the absolute terms"
    FACTORISATION = "as for a matrix that is off by an ULP of its largest entry"
    INLINED = "as its jaxpr's are"
    SCAN = "as its body's are, in each round"
    WHILE = "as its body's are, while its condition holds"
    COND = "as the branch's are that is taken"
    SHARD_MAP = "as its body's are, on each device"
    KERNEL = "as its interpretation's are"
    OPAQUE = "unknown: once"


LOOKED_INTO = (Kind.INLINED, Kind.SCAN, Kind.WHILE, Kind.COND, Kind.SHARD_MAP)  # as their jaxprs are at hand


def kind_of(eqn: Any) -> Kind:
    """An equation's kind, by its primitive and its parameters."""
    name, given = eqn.primitive.name, set(eqn.params)
    if name in CONTROL:
        known = CONTROL[name] <= given <= CONTROL[name] | BESIDE[name]
        return Kind[name.upper()] if known else Kind.OPAQUE
    if name in INLINED:
        return Kind.INLINED if given & set(BODIES) else Kind.OPAQUE
    if name == "shard_map":
        return Kind.SHARD_MAP if given in [SHARDED | {axes} for axes in MANUAL_AXES] else Kind.OPAQUE
    if name == "pallas_call":
        return Kind.KERNEL if interpreted(eqn) is not None else Kind.OPAQUE
    if name in SUMS:
        return Kind.SUM if SUMS[name] <= given else Kind.OPAQUE
    if name == "convert_element_type":
        return Kind.ROUNDED if _narrows(eqn) else Kind.EXACT
    if name in EXACT or not any(_is_floating(var) for var in eqn.outvars):
        return Kind.EXACT
    if name in FACTORISATIONS:
        return Kind.FACTORISATION
    return Kind.ROUNDED if name in ROUNDED or name in ELEMENTARY else Kind.OPAQUE


def opaque(jaxpr: Any) -> list[str]:
    """The names of what is opaque, in order; inside of that, nothing is looked for."""
    found = []
    for eqn in jaxpr.eqns:
        if (kind := kind_of(eqn)) is Kind.OPAQUE:
            found.append(eqn.primitive.name)
        elif kind is Kind.KERNEL:
            found += opaque(interpreted(eqn).jaxpr)
        elif kind in LOOKED_INTO:
            found += [name for inner in inner_jaxprs(eqn) for name in opaque(inner)]
    return list(dict.fromkeys(found))


def is_rule(eqn: Any) -> bool:
    """Whether it is a call of a function that has a derivative rule of its own, whose body is at hand."""
    return eqn.primitive.name in RULES and any(name in eqn.params for name in BODIES)


def body_of(eqn: Any) -> Any:
    """The jaxpr of a call that does what that does."""
    return next(eqn.params[name] for name in BODIES if name in eqn.params)


def on_each_device(eqn: Any, body: Callable[..., Any]) -> Callable[..., Any]:
    """A call as that of a `shard_map`, of another function."""
    (axes,) = (eqn.params[name] for name in MANUAL_AXES if name in eqn.params)
    specs = {name: tuple(eqn.params[name]) for name in ("in_specs", "out_specs")}
    mesh, check_vma = eqn.params["mesh"], eqn.params["check_vma"]
    return jax.shard_map(body, mesh=mesh, axis_names=frozenset(axes), check_vma=check_vma, **specs)


def scanned(eqn: Any) -> tuple[int, int]:
    """How many of a scan's operands are constants, and how many are carried.

    What is scanned over, or collected, has one more axis than in the body; nothing else has.
    """
    body = eqn.params["jaxpr"]
    carried = sum(var.aval.shape == aval.shape for var, aval in zip(eqn.outvars, body.out_avals, strict=True))
    slices = sum(var.aval.shape != aval.shape for var, aval in zip(eqn.invars, body.in_avals, strict=True))
    return len(eqn.invars) - carried - slices, carried


def terms(eqn: Any) -> int:
    """How many terms each of a sum's entries has."""
    given = eqn.invars[0].aval
    if eqn.primitive.name == "dot_general":
        return int(np.prod([given.shape[axis] for axis in eqn.params["dimension_numbers"][0][0]]))
    if eqn.primitive.name == "cumsum":
        return given.shape[eqn.params["axis"]]
    return given.size // max(1, eqn.outvars[0].aval.size)


def with_wide_products(eqn: Any) -> Any:
    """The equation, with products and sums in float64 where it asks for those of another format."""
    asked = eqn.params.get("preferred_element_type")
    if asked is None or not jnp.issubdtype(asked, jnp.floating):
        return eqn
    return eqn.replace(params=eqn.params | {"preferred_element_type": np.dtype("float64")})


def bind(eqn: Any, values: list[Any]) -> list[Any]:
    """The equation's results for these operands, by JAX itself."""
    found = eqn.primitive.get_bind_params(eqn.params)
    functions, params = found if isinstance(found, tuple) else ((), found)  # apart, up to JAX 0.8
    outs = eqn.primitive.bind(*functions, *values, **params)
    return list(outs) if eqn.primitive.multiple_results else [outs]


def coarsest_eps(f: Callable[..., Any], *args: Any) -> float:
    """The largest ε of the formats that f itself converts to, as one that computes in float32 whatever it is given."""
    closed = jax.make_jaxpr(f)(*args)
    return max([0.0, *(eps_of(dtype) for dtype in converted_formats(closed.jaxpr))])


def converted_formats(jaxpr: Any) -> list[Any]:
    """The formats that floats are converted to, or summed in, at any depth."""
    found = []
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "convert_element_type" and _is_floating(eqn.invars[0]):
            found += [var.aval.dtype for var in eqn.outvars if _is_floating(var)]
        asked = eqn.params.get("preferred_element_type")
        found += [asked] if asked is not None and jnp.issubdtype(asked, jnp.floating) else []
        found += [dtype for inner in inner_jaxprs(eqn) for dtype in converted_formats(inner)]
    return found


def _narrows(eqn: Any) -> bool:
    """Whether floats are rounded to a narrower format."""
    given, made = eqn.invars[0], eqn.outvars[0]
    if not (_is_floating(given) and _is_floating(made)):
        return False
    return float(jnp.finfo(made.aval.dtype).eps) > float(jnp.finfo(given.aval.dtype).eps)


def _is_floating(atom: Any) -> bool:
    return is_floating_array(atom.aval)


def is_floating_array(aval: Any) -> bool:
    """Whether a value of this type is an array of floats: a token isn't, nor is a `Ref`, which only holds one."""
    return isinstance(aval, ShapedArray) and jnp.issubdtype(aval.dtype, jnp.floating)
