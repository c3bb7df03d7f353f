"""The user's source: the expression that an equation comes from, and what its parts are called."""

import ast
import functools
import linecache
from typing import Any, NamedTuple

from manual_grads.checking.diagnosis.repair.frames import Frame

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Scope = tuple[str, int, int]  # of a function: its file, and where it begins; line 0 for the file itself


class Expression(NamedTuple):
    """A part of the source."""

    node: ast.AST  # an expression, or an assignment such as `x += y`
    text: str
    scopes: tuple[Scope, ...]  # the functions around it, the innermost first
    assigned: str  # the variable that it is assigned to, if it is alone
    is_statement: bool  # whether it is all that a line computes, or one of the results that are listed there


class _Parsed(NamedTuple):
    """A file that has been parsed."""

    lines: list[bytes]
    nodes: dict[tuple[int, int, int, int], ast.AST]
    parents: dict[ast.AST, ast.AST]


def line_of(frame: Frame) -> str:
    """The line's code; nothing, where there is no source. Notebooks have theirs in `linecache`."""
    return linecache.getline(frame.file, frame.line).strip()


def expression_of(frame: Frame) -> Expression | None:
    """The expression that a frame is at; None, where the source isn't there, or isn't what runs."""
    parsed = _parsed(frame.file, "".join(linecache.getlines(frame.file)))
    if parsed is None:
        return None
    node = parsed.nodes.get((frame.line, frame.column, frame.end_line, frame.end_column))
    if node is None:
        return None
    around = parsed.parents.get(node)
    while isinstance(around, ast.Tuple | ast.List | ast.Dict):
        around = parsed.parents.get(around)
    return Expression(
        node=node,
        text=ast.unparse(node),
        scopes=_scopes(frame.file, parsed, node),
        assigned=_assigned(parsed, node),
        is_statement=isinstance(around, ast.stmt | ast.Lambda),
    )


@functools.lru_cache(maxsize=64)
def _parsed(file: str, text: str) -> _Parsed | None:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    nodes: dict[tuple[int, int, int, int], ast.AST] = {}
    parents: dict[ast.AST, ast.AST] = {}
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            parents[child] = node
        if isinstance(node, ast.expr | ast.AugAssign) and node.end_lineno is not None:
            at = (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset or 0)
            nodes.setdefault(at, node)
    return _Parsed(text.encode().splitlines(), nodes, parents) if nodes else None


def _scopes(file: str, parsed: _Parsed, node: ast.AST) -> tuple[Scope, ...]:
    found: list[Scope] = []
    at: ast.AST | None = node
    while at is not None:
        at = parsed.parents.get(at)
        if isinstance(at, Function):
            found.append(scope_of(file, at))
    return (*found, (file, 0, 0))


def scope_of(file: str, function: Function) -> Scope:
    """A function's scope; its line is that of `def`, below its decorators."""
    return file, function.lineno, function.col_offset


def scope_at(file: str, line: int, arguments: list[str] | None = None) -> Scope | None:
    """The scope of the function that begins at a line, and takes these arguments; None, where there is no source."""
    parsed = _parsed(file, "".join(linecache.getlines(file)))
    for node in parsed.parents if parsed else ():
        if isinstance(node, Function):
            lines = [node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))]
            names = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
            if line in lines and arguments in (None, names):
                return scope_of(file, node)
    return None


def last_argument(scope: Scope) -> str:
    """The name of a function's last argument: in a rule for cotangents, these."""
    function = function_at(scope)
    arguments = function.args.args if function is not None else []
    return arguments[-1].arg if len(arguments) > 1 else ""


def unpacked(scope: Scope, argument: str) -> str:
    """What a function calls an argument, or an entry of one: h for "kept[1]", where it says `x, h = kept`."""
    root, bracket, rest = argument.partition("[")
    function = function_at(scope)
    if not bracket or function is None or not rest[:-1].isdecimal():
        return argument
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == root:
            target = node.targets[0]
            if isinstance(target, ast.Tuple) and int(rest[:-1]) < len(target.elts):
                return ast.unparse(target.elts[int(rest[:-1])])
    return argument


def function_at(scope: Scope) -> Function | None:
    """The function that a scope is of."""
    parsed = _parsed(scope[0], "".join(linecache.getlines(scope[0])))
    for node in parsed.parents if parsed else ():
        if isinstance(node, Function) and scope_of(scope[0], node) == scope:
            return node
    return None


def around(file: str, node: ast.AST) -> ast.expr | None:
    """The expression that another is a part of."""
    parsed = _parsed(file, "".join(linecache.getlines(file)))
    parent = parsed.parents.get(node) if parsed else None
    if isinstance(parent, ast.keyword):
        parent = parsed.parents.get(parent) if parsed else None
    return parent if isinstance(parent, ast.expr) else None


def times_on_line(file: str, line: int, text: str) -> int:
    """How often an expression stands on a line."""
    parsed = _parsed(file, "".join(linecache.getlines(file)))
    nodes = parsed.nodes.values() if parsed else ()
    return sum(getattr(node, "lineno", 0) == line and ast.unparse(node) == text for node in nodes)


def _assigned(parsed: _Parsed, node: ast.AST) -> str:
    """The variable that an expression's value is given to: by itself, or in its place in a tuple."""
    parent, place = parsed.parents.get(node), None
    if isinstance(parent, ast.Tuple):
        place, parent = parent.elts.index(node), parsed.parents.get(parent)  # type: ignore[arg-type]
    if isinstance(node, ast.AugAssign):
        return node.target.id if isinstance(node.target, ast.Name) else ""
    if not isinstance(parent, ast.Assign) or len(parent.targets) != 1:
        return ""
    target: Any = parent.targets[0]
    if place is not None:
        target = target.elts[place] if isinstance(target, ast.Tuple) and len(target.elts) > place else None
    return target.id if isinstance(target, ast.Name) else ""


def parts_of(node: ast.AST) -> list[ast.expr]:
    """The operands of an expression, in the order in which Python evaluates them; none, where that isn't known."""
    match node:
        case ast.BinOp(left=left, right=right):
            return [left, right]
        case ast.AugAssign(target=target, value=value):
            return [_loaded(target), value]
        case ast.Compare(left=left, comparators=[right]):
            return [left, right]
        case ast.UnaryOp(operand=operand):
            return [operand]
        case ast.Subscript(value=value) | ast.Attribute(value=value):
            return [value]
        case ast.Call(func=func, args=args, keywords=keywords):
            of = [func.value] if isinstance(func, ast.Attribute) and not _is_module(func.value) else []
            given = [each for arg in args for each in (arg.elts if isinstance(arg, ast.List | ast.Tuple) else [arg])]
            return [*of, *given, *(k.value for k in keywords)]
    return []


def _loaded(target: ast.expr) -> ast.expr:
    """A variable that is assigned to, as one that is read."""
    return ast.Name(target.id, ast.Load()) if isinstance(target, ast.Name) else target


# What such a name stands for isn't an array, as far as a reader of the line can say.
MODULES = frozenset("jnp np jax lax numpy nn scipy special linalg self cls math".split())


def _is_module(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in MODULES


def is_constant(node: ast.expr) -> bool:
    """Whether a part of an expression is no array: a number, a shape, a name of an axis."""
    match node:
        case ast.Constant():
            return True
        case ast.UnaryOp(operand=operand):
            return is_constant(operand)
        case ast.Tuple(elts=elts) | ast.List(elts=elts):
            return all(map(is_constant, elts))
        case ast.BinOp(left=left, right=right):
            return is_constant(left) and is_constant(right)
        case ast.Subscript(value=value):
            return is_constant(value)
        case ast.Attribute(attr=attr):
            return attr in ("shape", "dtype", "size", "ndim", "pi", "float32", "float64", "int32") or _is_module(node)
        case ast.Call(func=ast.Name(id="len")):
            return True
    return False
