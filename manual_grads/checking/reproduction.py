"""How to see a failure again: a line that runs when pasted, with floats in hexadecimal, so that nothing is lost."""

import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.claim import Claim
from manual_grads.checking.names import Spelled, array_literal, differentiated_by, literal, name_of, spelled, told_apart
from manual_grads.rules import batched

MAX_PRINTED_ENTRIES = 24  # of an array in a report: about two lines of hexadecimal numbers
ALWAYS_IMPORTED = ("import jax, numpy as np, jax.numpy as jnp", "from functools import partial")


def title(claim: Claim) -> str:
    """The claim in a line, such as "sigmoid_grad == grad(sigmoid)"."""
    if claim.ruled is not None:
        return f"the derivative rule of {name_of(claim.ruled)}"
    by = claim.by.keywords["by"] if isinstance(claim.by, partial) and claim.by.func is batched else claim.by
    inner = differentiated_by(claim.by, claim.manual)
    manual, forward = told_apart(claim.manual if inner is None else inner, claim.forward)
    manual = manual if inner is None else f"{name_of(by)}({manual})"
    return (
        f"{manual} == {name_of(by)}({forward if callable(claim.forward) else 'LINKS'})"
        f"{'' if by is claim.by else ' of a batch'}"
    )


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


def reproduction(
    claim: Claim, point: list[Any], dtypes: list[Any], seed: int, kept: bool, asked: dict[str, Any] | None = None
) -> str:
    """One line that checks the claim again at the point that failed.

    Functions that can be imported are; the others are in the caller's scope, and a comment says which they are. `asked`
    are the other options of the check; its `args`, if there are any, is what draws the arguments.
    """
    options = dict(asked or {})
    sampler = options.pop("args", None)
    given = Spelled("args", (), "args is your example") if sampler is None else spelled(sampler, "args")
    if sampler is None and kept:
        given = _arguments(claim, point, dtypes) or given
    if claim.ruled is not None:
        called, parts = "check_rule", [spelled(claim.ruled, "f"), given]
    else:
        forward = spelled(claim.forward, "forward")
        transforms = (claim.by, jax.grad, jax.jacobian, jax.jit)
        manual = spelled(claim.manual, "manual", transforms, known=forward, of=claim.forward)
        by = spelled(claim.by, "by")
        called, parts = "check_gradient", [forward, manual, given, by._replace(text=f"by={by.text}")]
    parts += [_option(name, value) for name, value in options.items()]
    imports = [*ALWAYS_IMPORTED, f"from manual_grads.checking import {called}", *(i for p in parts for i in p.imports)]
    yours = dict.fromkeys(p.yours for p in parts if p.yours)
    comment = f"  # {', '.join(yours)}" if yours else ""
    call = f"{called}({', '.join(p.text for p in parts)}, seed={seed})"
    return f"{'; '.join(dict.fromkeys(imports))}; {call}{comment}"


def _option(name: str, value: Any) -> Spelled:
    """An option of the check, by its name."""
    if isinstance(value, dict):
        parts = {k: spelled(v, "") if callable(v) else Spelled(literal(v)) for k, v in value.items()}
        if all(p.text for p in parts.values()):
            text = ", ".join(f"{k!r}: {p.text}" for k, p in parts.items())
            return Spelled(f"{name}={{{text}}}", tuple(i for p in parts.values() for i in p.imports))
    elif isinstance(value, list | tuple):
        value = tuple(jnp.dtype(x).name for x in value) if name == "dtypes" else tuple(value)
    text = literal(value)
    return Spelled(f"{name}={text}") if text else Spelled(f"{name}={name}", (), f"{name} is what you gave")


def _arguments(claim: Claim, point: list[Any], dtypes: list[Any]) -> Spelled | None:
    """The arguments as source, which is tried; None for a tree of some kind that has none."""
    arrays = iter([array_literal(x, d) for x, d in zip(point, dtypes, strict=True)])
    leaves = [_Source(next(arrays) if h is None else _of_held(h.value)) for h in claim.held]
    try:
        every = jax.tree.unflatten(claim.structure, leaves)
        kinds = {kind for kind in _kinds(every) if kind.__module__ != "builtins"}
        named = [spelled(kind, "") for kind in kinds]
        text = repr(every if claim.ruled is None else every[: claim.arity])
        imports = tuple(i for n in named for i in n.imports)
        scope = dict(vars(sys.modules["__main__"]))
        exec("; ".join((*ALWAYS_IMPORTED, *imports)), scope)
        read = eval(text, scope)
    except Exception:  # its source isn't its repr
        return None
    same = claim.ruled is not None or jax.tree.structure(read) == claim.structure
    return Spelled(text, imports) if same else None


def _of_held(x: Any) -> str:
    """A leaf that is no array of numbers, in source."""
    text = spelled(x, "").text if callable(x) else literal(x)
    if not text:
        raise ValueError(f"{type(x).__name__} has no source")
    return text


def _kinds(node: Any) -> Iterator[type]:
    """The types of a tree's nodes."""
    flat = jax.tree_util.default_registry.flatten_one_level(node)
    if flat is not None:
        yield type(node)
        for child in flat[0]:
            yield from _kinds(child)


class _Source(str):
    """Text that prints as itself inside the literal of a tree."""

    def __repr__(self) -> str:
        return str(self)
