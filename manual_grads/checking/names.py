"""What functions are called: to people, and in source that runs."""

import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

OF_JAX = ("jax", "jax.numpy", "jax.nn", "jax.lax", "jax.random")  # which `import jax` gives


class Spelled(NamedTuple):
    """A function in source: an expression, what has to be imported for it, and what is to be said of it."""

    text: str
    imports: tuple[str, ...] = ()
    yours: str = ""  # whose definition isn't to be had by an import: where it is


def name_of(function: Any, name: Callable[[Any], str] | None = None) -> str:
    """A function's name, as people know it; that of the transform, of a partial one."""
    if isinstance(function, partial):
        parts = [function.func, *function.args], function.keywords.items()
        given = [*(name_of(x, name) for x in parts[0]), *(f"{k}={name_of(x, name)}" for k, x in parts[1])]
        return f"partial({', '.join(given)})"
    if not callable(function):
        return repr(function)
    return name(function) if name else getattr(function, "__name__", type(function).__name__)


def place_of(function: Any) -> str:
    """Where a function is defined, as "losses.py:12"; "" if that isn't known."""
    code = getattr(inspect.unwrap(function) if callable(function) else function, "__code__", None)
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}" if code else ""


def told_apart(one: Any, other: Any) -> tuple[str, str]:
    """The names of two functions, with their places where the names alone would say that they are the same."""
    names = [name_of(one), name_of(other)]
    if one is other or (names[0] != names[1] and "<" not in "".join(names)):
        return names[0], names[1]
    placed = [
        f"{n} at {place_of(f)}" if place_of(f) and ("<" in n or names[0] == names[1]) else n
        for n, f in zip(names, (one, other), strict=True)
    ]
    if placed[0] == placed[1]:
        placed = [f"manual {placed[0]}", f"forward {placed[1]}"]
    return placed[0], placed[1]


def spelled(
    function: Any, otherwise: str, by: Sequence[Callable[..., Any]] = (), known: Spelled | None = None, of: Any = None
) -> Spelled:
    """A function in source: as it is imported; or as a transform, one of `by`, of such; or else called `otherwise`.

    `known` is what the function `of` is called already.
    """
    if known is not None and function is of:
        return known
    if found := _imported(function):
        return found
    for transform in by:
        if (inner := differentiated_by(transform, function)) is not None:
            inside, t = spelled(inner, "", known=known, of=of), spelled(transform, "")
            if inside.text and t.text:
                return Spelled(f"{t.text}({inside.text})", t.imports + inside.imports, inside.yours)
    if isinstance(function, partial):
        parts = [_part(x) for x in (function.func, *function.args)]
        named = {k: _part(x) for k, x in function.keywords.items()}
        every = [*parts, *named.values()]
        if all(p.text for p in every):
            given = [p.text for p in parts] + [f"{k}={p.text}" for k, p in named.items()]
            imports = tuple(i for p in every for i in p.imports)
            return Spelled(f"partial({', '.join(given)})", ("from functools import partial", *imports))
    return Spelled(otherwise, (), f"{otherwise} is your {_described(function)}" if otherwise else "")


def _part(x: Any) -> Spelled:
    """What a partial function is of: a function or a plain value; without a text, if it is anything else."""
    return spelled(x, "") if callable(x) else Spelled(literal(x))


def differentiated_by(transform: Callable[..., Any], function: Any) -> Any:
    """The function f of which this is `transform(f)`; None, if it is something else."""
    inner = getattr(function, "__wrapped__", None)
    if inner is None or getattr(function, "__code__", None) is None:
        return None
    try:
        return inner if _alike(transform(inner), function, inner) else None
    except Exception:  # not a transform that this function can be of
        return None


def _alike(a: Any, b: Any, inner: Any) -> bool:
    """Whether two functions have the same code, and close over the same."""
    if a is b or (a is inner and b is inner):
        return True
    code = getattr(a, "__code__", None)
    if code is None or code is not getattr(b, "__code__", None):
        return not callable(a) and not callable(b) and type(a) is type(b) and repr(a) == repr(b)
    cells = zip(a.__closure__ or (), b.__closure__ or (), strict=True)
    return all(_alike(x.cell_contents, y.cell_contents, inner) for x, y in cells)


def _imported(function: Any) -> Spelled | None:
    """A function as it is imported: what that gives is looked at, as a name may be another function's."""
    module = getattr(function, "__module__", None)
    module = module if isinstance(module, str) and module else type(function).__module__
    named = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    if isinstance(named, str) and "<" not in named:
        for where in (*_public(module, named), module):
            if _looked_up(where, named) is function:
                return _spelled_from(where, named)
    # Under another name: a lambda's, a partial's, that of a function with a rule.
    for where in dict.fromkeys((module, "__main__")):
        for name, value in list(vars(sys.modules[where]).items()) if where in sys.modules else ():
            if value is function and name.isidentifier() and not name.startswith("__"):
                return _spelled_from(where, name)
    return None


def _public(module: str, name: str) -> list[str]:
    """Of a library's private module, the public ones that have this name, the shortest first."""
    root = module.split(".")[0]
    if "._" not in module:
        return []
    known = [m for m in sys.modules if (m == root or m.startswith(f"{root}.")) and "._" not in m]
    return sorted((m for m in known if name in vars(sys.modules[m])), key=len)


def _looked_up(module: str, path: str) -> Any:
    """What a name is in a module; None, if it isn't."""
    try:
        found: Any = importlib.import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
        return found
    except Exception:  # a module that can't be imported, a function within a function
        return None


def _spelled_from(module: str, path: str) -> Spelled:
    """The name of what a module has; JAX's own by their modules, as everyone writes them."""
    if module in ("__main__", "builtins"):
        return Spelled(path)
    if module in OF_JAX:
        return Spelled(f"{module}.{path}")
    if module.startswith("jax."):
        return Spelled(f"{module}.{path}", (f"import {module}",))
    return Spelled(path, (f"from {module} import {path.split('.')[0]}",))


def _described(function: Any) -> str:
    """Such as "lambda at losses.py:12"."""
    place = place_of(getattr(function, "__func__", function))
    kind = name_of(function)
    kind = "lambda" if kind == "<lambda>" else f"method {kind}" if hasattr(function, "__self__") else kind
    return f"{kind} at {place}" if place else kind


def literal(x: Any) -> str:
    """A plain value, an array or a key in source; "" for anything else."""
    if isinstance(x, bool | int | str | type(None)) or (isinstance(x, float) and isfinite(x)):
        return repr(x)
    if isinstance(x, tuple) and all(map(literal, x)):
        return f"({', '.join(map(literal, x))}{',' if len(x) == 1 else ''})"
    if isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        key = np.asarray(jax.random.key_data(x))
        return f"jax.random.wrap_key_data(np.array({key.tolist()!r}, '{key.dtype}'), impl='{jax.random.key_impl(x)}')"
    return array_literal(x, x.dtype) if isinstance(x, np.ndarray | np.generic | jax.Array) else ""


def array_literal(x: Any, dtype: Any) -> str:
    """An array in source."""
    numbers = repr(np.asarray(x).tolist()).replace("nan", "jnp.nan").replace("inf", "jnp.inf")
    return f"np.array({numbers}, '{jnp.dtype(dtype)}')"
