"""Equations done in NumPy on stacked values, which need no compiling; and by JAX, where NumPy has no such operation.

Every value has one axis before its own: of points, of edits, or of length one where all have the same value.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from scipy import special

from manual_grads.checking.arrays import computing_in
from manual_grads.checking.diagnosis.repair.program import Equation
from manual_grads.checking.truth.primitives import bind, with_wide_products

Stacked = np.ndarray  # of a leading axis, and the value's own

ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "abs": np.abs, "acos": np.arccos, "acosh": np.arccosh, "add": np.add, "add_any": np.add, "and": np.logical_and,
    "asin": np.arcsin, "asinh": np.arcsinh, "atan": np.arctan, "atan2": np.arctan2, "atanh": np.arctanh,
    "cbrt": np.cbrt, "ceil": np.ceil, "copy": np.positive, "copy_p": np.positive, "cos": np.cos, "cosh": np.cosh,
    "digamma": special.digamma, "div": np.divide, "eq": np.equal, "erf": special.erf, "erf_inv": special.erfinv,
    "erfc": special.erfc, "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "floor": np.floor,
    "ge": np.greater_equal, "gt": np.greater, "is_finite": np.isfinite, "le": np.less_equal,
    "lgamma": special.gammaln, "log": np.log, "log1p": np.log1p, "logistic": special.expit, "lt": np.less,
    "max": np.maximum, "min": np.minimum, "mul": np.multiply, "ne": np.not_equal, "neg": np.negative,
    "not": np.logical_not, "or": np.logical_or, "pow": np.power, "rsqrt": lambda x: 1 / np.sqrt(x),
    "sign": np.sign, "sin": np.sin, "sinh": np.sinh, "sqrt": np.sqrt, "square": np.square, "sub": np.subtract,
    "tan": np.tan, "tanh": np.tanh, "xor": np.logical_xor,
}  # fmt: skip
# Whose values are the same, of whatever type.
UNCHANGED = frozenset(
    "copy copy_p layout_constraint name optimization_barrier pvary reshard sharding_constraint stop_gradient".split()
)
OF_BOOLEANS = frozenset("and not or xor".split())
OF_FLOATS = frozenset("div pow sign".split())  # in NumPy, integers are treated in another way
REDUCTIONS: dict[str, Callable[..., Any]] = {
    "reduce_sum": np.sum,
    "reduce_max": np.max,
    "reduce_min": np.min,
    "reduce_prod": np.prod,
    "reduce_and": np.all,
    "reduce_or": np.any,
}
CUMULATIVE = {
    "cumsum": np.cumsum,
    "cumprod": np.cumprod,
    "cummax": np.maximum.accumulate,
    "cummin": np.minimum.accumulate,
}


class Operations:
    """Evaluates equations, those of the gradient's own format in float64; keeps what JAX has compiled."""

    def __init__(self, own: Any) -> None:
        """For a gradient that computes in its own format."""
        self.own = np.dtype(own)
        self.kept: dict[Any, Callable[..., Any]] = {}

    def wide(self, x: Any) -> np.ndarray:
        """An array of the gradient's own format in float64, and any other as it is."""
        x = np.asarray(x)
        return x.astype(np.float64) if x.dtype == self.own else x

    def __call__(self, equation: Equation, values: list[Stacked]) -> list[Stacked]:
        """An equation's outputs."""
        name, params = equation.name, equation.params
        if name in UNCHANGED and len(values) == 1:
            return values
        if name in ELEMENTWISE and _has(name, values):
            return [ELEMENTWISE[name](*_same_rank(values))]
        moved = MOVED.get(name)
        if moved is not None and (found := moved(params, *values)) is not None:
            return found if isinstance(found, list) else [found]
        if name == "convert_element_type":
            to = np.dtype(params["new_dtype"])
            return [values[0].astype(np.float64 if to == self.own else to)]
        if name == "iota":
            return [self.wide(np.asarray(jax.device_get(bind(equation.eqn, [])[0]))[None])]
        return self.by_jax(equation, values)

    def by_jax(self, equation: Equation, values: list[Stacked]) -> list[Stacked]:
        """What NumPy doesn't do: in one call, padded so that it is compiled for few lengths."""
        eqn = with_wide_products(equation.eqn) if equation.eqn is not None else None
        if eqn is None:
            raise NotImplementedError(equation.name)
        lead = max([1, *map(len, values)])
        axes = tuple(0 if len(x) > 1 else None for x in values)
        with computing_in("float64"):
            if lead == 1:
                outs = bind(eqn, [jax.numpy.asarray(x[0]) for x in values])
                return [self.wide(out)[None] for out in outs]
            padded = 4 ** int(np.ceil(np.log2(lead) / 2))
            key = (id(equation.eqn), axes)
            if key not in self.kept:
                self.kept[key] = jax.jit(jax.vmap(partial(_bound, eqn), axes))
            rows = np.minimum(np.arange(padded), lead - 1)
            outs = self.kept[key](*(x[0] if a is None else x[rows] for x, a in zip(values, axes, strict=True)))
            return [self.wide(out)[:lead] for out in outs]


def _bound(eqn: Any, *values: Any) -> list[Any]:
    return bind(eqn, list(values))


def _has(name: str, values: list[Stacked]) -> bool:
    """Whether NumPy's operation of that name does the same for values of these types."""
    if name in OF_BOOLEANS:
        return all(x.dtype == bool for x in values)
    return name not in OF_FLOATS or all(x.dtype.kind == "f" for x in values)


def _same_rank(values: list[Stacked]) -> list[Stacked]:
    """Numbers get the axes of the arrays that they are combined with."""
    rank = max(x.ndim for x in values)
    return [x if x.ndim == rank else aligned(x, rank) for x in values]


def aligned(x: Stacked, rank: int) -> Stacked:
    """A value that broadcasts as NumPy does it: new axes come after the leading one."""
    return x.reshape(len(x), *[1] * (rank - x.ndim), *x.shape[1:])


def _broadcast(params: dict[str, Any], x: Stacked, *_: Any) -> Stacked:
    shape = [1] * len(params["shape"])
    for axis, size in zip(params["broadcast_dimensions"], x.shape[1:], strict=True):
        shape[axis] = size
    return np.broadcast_to(x.reshape(len(x), *shape), (len(x), *params["shape"]))


def _product(params: dict[str, Any], a: Stacked, b: Stacked) -> Stacked:
    """Axes in the order of matrices: shared ones, rows, the ones summed over, columns."""
    ((sum_a, sum_b), (shared_a, shared_b)) = params["dimension_numbers"]
    rows = [i for i in range(a.ndim - 1) if i not in (*sum_a, *shared_a)]
    columns = [i for i in range(b.ndim - 1) if i not in (*sum_b, *shared_b)]
    left = a.transpose(0, *(i + 1 for i in (*shared_a, *rows, *sum_a)))
    right = b.transpose(0, *(i + 1 for i in (*shared_b, *sum_b, *columns)))
    shared, k = [a.shape[i + 1] for i in shared_a], int(np.prod([a.shape[i + 1] for i in sum_a]))
    made = [a.shape[i + 1] for i in rows], [b.shape[i + 1] for i in columns]
    left = left.reshape(len(a), *shared, int(np.prod(made[0])), k)
    right = right.reshape(len(b), *shared, k, int(np.prod(made[1])))
    product = left @ right
    return product.reshape(len(product), *shared, *made[0], *made[1])


def _reduced(reduce: Callable[..., Any], params: dict[str, Any], x: Stacked) -> Stacked:
    return reduce(x, axis=tuple(axis + 1 for axis in params["axes"]))


def _cumulated(cumulate: Callable[..., Any], params: dict[str, Any], x: Stacked) -> Stacked:
    axis = params["axis"] + 1
    return np.flip(cumulate(np.flip(x, axis), axis=axis), axis) if params["reverse"] else cumulate(x, axis=axis)


def _selected(params: dict[str, Any], which: Stacked, *cases: Stacked) -> Stacked | None:
    if which.dtype != bool or len(cases) != 2:
        return None
    rank = max(x.ndim for x in cases)
    return np.where(aligned(which, rank) if which.ndim == 1 else which, cases[1], cases[0])


def _sliced(params: dict[str, Any], x: Stacked) -> Stacked:
    steps = params["strides"] or [1] * (x.ndim - 1)
    bounds = zip(params["start_indices"], params["limit_indices"], steps, strict=True)
    return x[(slice(None), *(slice(*each) for each in bounds))]


def _concatenated(params: dict[str, Any], *parts: Stacked) -> Stacked:
    lead = max(map(len, parts))
    parts = tuple(np.broadcast_to(x, (lead, *x.shape[1:])) for x in parts)
    return np.concatenate(parts, params["dimension"] + 1)


def _collected(params: dict[str, Any], *rows: Stacked) -> Stacked:
    return np.stack(np.broadcast_arrays(*rows), 1)


def _split(params: dict[str, Any], x: Stacked) -> list[Stacked]:
    return np.split(x, np.cumsum(params["sizes"])[:-1], params["axis"] + 1)


def _chosen(params: dict[str, Any], index: Stacked, *cases: Stacked) -> Stacked:
    rank = cases[0].ndim
    at = aligned(np.clip(index.astype(int), 0, len(cases) - 1), rank)
    return np.select([at == i for i in range(len(cases))], list(cases))


# Operations that move, sum or choose entries; None, where it isn't done here after all.
MOVED: dict[str, Callable[..., Any]] = {
    "broadcast_in_dim": _broadcast,
    "choose": _chosen,
    "clamp": lambda params, low, x, high: np.minimum(np.maximum(*_same_rank([low, x])), aligned(high, x.ndim)),
    "collect": _collected,
    "concatenate": _concatenated,
    "dot_general": _product,
    "expand_dims": lambda params, x: np.expand_dims(x, tuple(axis + 1 for axis in params["dimensions"])),
    "index": lambda params, x: x[:, params["i"]],
    "integer_pow": lambda params, x: x ** params["y"] if params["y"] >= 0 else 1 / x ** -params["y"],
    "reshape": lambda params, x, *_: x.reshape(len(x), *params["new_sizes"]) if not params["dimensions"] else None,
    "rev": lambda params, x: np.flip(x, tuple(axis + 1 for axis in params["dimensions"])),
    "select_n": _selected,
    "slice": _sliced,
    "split": _split,
    "squeeze": lambda params, x: np.squeeze(x, tuple(axis + 1 for axis in params["dimensions"])),
    "transpose": lambda params, x: x.transpose(0, *(axis + 1 for axis in params["permutation"])),
}
MOVED |= {name: partial(_reduced, reduce) for name, reduce in REDUCTIONS.items()}
MOVED |= {name: partial(_cumulated, cumulate) for name, cumulate in CUMULATIVE.items()}
