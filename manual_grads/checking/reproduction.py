"""How to see a failure again: a line that runs when pasted, with floats in hexadecimal, so that nothing is lost."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.claim import Claim
from manual_grads.rules import batched

MAX_PRINTED_ENTRIES = 24  # of an array in a report: about two lines of hexadecimal numbers


def name_of(function: Any, name: Callable[[Any], str] | None = None) -> str:
    """A function's name, as people know it; that of the transform, of a partial one."""
    if isinstance(function, partial):
        parts = [function.func, *function.args], function.keywords.items()
        given = [*(name_of(x, name) for x in parts[0]), *(f"{k}={name_of(x, name)}" for k, x in parts[1])]
        return f"partial({', '.join(given)})"
    if not callable(function):
        return repr(function)
    return name(function) if name else getattr(function, "__name__", type(function).__name__)


def title(claim: Claim) -> str:
    """The claim in a line, such as "sigmoid_grad == grad(sigmoid)"."""
    if claim.ruled is not None:
        return f"the derivative rule of {name_of(claim.ruled)}"
    forward = name_of(claim.forward) if callable(claim.forward) else "LINKS"
    by = claim.by.keywords["by"] if isinstance(claim.by, partial) and claim.by.func is batched else claim.by
    return f"{name_of(claim.manual)} == {name_of(by)}({forward}){'' if by is claim.by else ' of a batch'}"


def hexed(array: Any) -> str:
    """An array with its floats in hexadecimal, so that nothing is lost."""
    if array.size > MAX_PRINTED_ENTRIES:
        return f"{array.dtype}{list(array.shape)}, too many to print: see the reproduction"

    def nested(x: Any) -> str:
        if isinstance(x, list):
            return f"[{', '.join(map(nested, x))}]"
        return float(x).hex() if isinstance(x, float) else str(x)

    return nested(
        np.asarray(array, np.float64).tolist() if jnp.issubdtype(array.dtype, jnp.floating) else array.tolist()
    )


def reproduction(claim: Claim, point: list[Any], dtypes: list[Any], seed: int, kept: bool) -> str:
    """One line that checks the claim again at the point that failed.

    Functions that can be imported are; others are taken to be in scope, by their names or as `forward` and `manual`.
    """
    imports = ["import jax, numpy as np, jax.numpy as jnp", "from functools import partial"]
    imports += ["from manual_grads.checking import check_gradient"]

    def reference(function: Any, otherwise: str = "") -> str:
        module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
        if not module or not name or "<" in name or "." in name or module in ("builtins", "numpy"):
            return otherwise or name_of(function)
        if module.startswith("jax."):
            return f"jax.{name}"
        if module != "__main__":
            imports.append(f"from {module} import {name}")
        return name

    given = _literal(claim, point, dtypes) if kept else "args"
    if claim.ruled is not None:
        imports[2] = "from manual_grads.checking import check_rule"
        call = f"check_rule({reference(claim.ruled, 'f')}, {given}, seed={seed})"
        return f"{'; '.join(dict.fromkeys(imports))}; {call}"
    names = [reference(claim.forward, "forward"), reference(claim.manual, "manual")]
    jax.tree.map(lambda node: reference(type(node)), claim.tree(point), is_leaf=lambda node: hasattr(node, "_fields"))
    spelled = name_of(claim.by, reference)
    return (
        f"{'; '.join(dict.fromkeys(imports))}; check_gradient({', '.join(names)}, {given}, by={spelled}, seed={seed})"
    )


def _literal(claim: Claim, point: list[Any], dtypes: list[Any]) -> str:
    """The arguments as Python source; "args" for a tree of some kind that has none."""
    arrays = [
        f"np.array({np.asarray(x).tolist()!r}, '{jnp.dtype(d)}')".replace("nan", "jnp.nan").replace("inf", "jnp.inf")
        for x, d in zip(point, dtypes, strict=True)
    ]
    try:
        every = claim.tree([_Source(text) for text in arrays])
        return repr(every if claim.ruled is None else every[: claim.arity])
    except Exception:
        return "args"


class _Source(str):
    """Text that prints as itself inside the literal of a tree."""

    def __repr__(self) -> str:
        return str(self)
