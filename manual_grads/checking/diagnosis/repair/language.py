"""The language of edits: Python that is shown to the user, evaluated in NumPy on values with an axis before theirs."""

import ast
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from manual_grads.checking.diagnosis.repair.operations import Stacked


class _Jax:
    """What edits use of `jax`, in NumPy."""

    class lax:
        """`jax.lax`."""

        @staticmethod
        def cumsum(x: Stacked, axis: int, reverse: bool = False) -> Stacked:
            """From either end."""
            return np.flip(np.cumsum(np.flip(x, axis), axis), axis) if reverse else np.cumsum(x, axis)

    class nn:
        """`jax.nn`."""

        sigmoid = staticmethod(special.expit)
        softmax = staticmethod(lambda x, axis: special.softmax(x, axis))
        relu = staticmethod(lambda x: np.maximum(x, 0))
        log_softmax = staticmethod(lambda x, axis: special.log_softmax(x, axis))


def _transposed(x: Stacked) -> Stacked:
    """A matrix's transpose; a vector is its own."""
    return np.swapaxes(x, -1, -2) if x.ndim > 2 else x


def _product(a: Stacked, b: Stacked) -> Stacked:
    """Of matrices and vectors, as `@` has it."""
    if a.ndim == 2 and b.ndim == 2:
        return (a * b).sum(-1)
    if a.ndim == 2:
        return (a[:, None, :] @ b)[:, 0, :]
    return (a @ b[..., None])[..., 0] if b.ndim == 2 else a @ b


def _reshaped(x: Stacked, like: Stacked) -> Stacked:
    """In another value's shape."""
    return x.reshape(len(x), *like.shape[1:])


def _triangle(of: Callable[..., Any], x: Stacked) -> Stacked:
    if x.ndim < 3:
        raise ValueError("no matrix")
    return of(x)


class _Numpy:
    """What edits use of `jnp`, in NumPy."""

    tril, triu = staticmethod(lambda x: _triangle(np.tril, x)), staticmethod(lambda x: _triangle(np.triu, x))

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


GIVEN = {"jnp": _Numpy(), "jax": _Jax, "_product": _product, "_transposed": _transposed, "_reshaped": _reshaped}


class _OfStacked(ast.NodeTransformer):
    """Products and transposes, of values that have an axis before their own."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """`@`."""
        self.generic_visit(node)
        return _call("_product", node.left, node.right) if isinstance(node.op, ast.MatMult) else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """`.mT`."""
        self.generic_visit(node)
        return _call("_transposed", node.value) if node.attr == "mT" else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """`.reshape(v.shape)`."""
        self.generic_visit(node)
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr="reshape"), args=[ast.Attribute(value=like)]):
                return _call("_reshaped", value, like)
        return node


def _call(function: str, *args: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(function, ast.Load()), list(args), [])


@functools.cache
def code_of(text: str) -> Any:
    """An edit as code."""
    tree = _OfStacked().visit(ast.parse(text, mode="eval"))
    return compile(ast.fix_missing_locations(tree), "<edit>", "eval")
