"""A change in words, by what the user's own line calls its values."""

import ast
import copy
import os
import re
from collections.abc import Sequence

from manual_grads.checking.diagnosis.repair.names import Names
from manual_grads.checking.diagnosis.repair.source import around, times_on_line
from manual_grads.checking.diagnosis.repair.trying import OPERATION, VARIANT, WHOLE, Change
from manual_grads.checking.report import WIDTH, Repair, wrapped

REDUCING = ("sum", "mean", "max", "min", "prod")
MAX_TOLD_ULP = 100.0  # a larger error is that of a result that loses digits, however it is computed
MAX_QUOTED = 70  # characters of an expression that is quoted whole


def told(repairs: Sequence[Repair], points: int) -> list[str]:
    """The repairs as lines of text: where, the line's code, and what should stand there."""
    lines = []
    for repair in repairs:
        inside = os.path.relpath(repair.file) if os.path.isabs(repair.file) else repair.file
        file = repair.file if inside.startswith("..") else inside
        first = f"{file}:{repair.line}"
        code = repair.code if len(first) + 3 + len(repair.code) <= WIDTH else ""
        lines += [f"{first}   {code}".rstrip()]
        if repair.code and not code:
            lines += [_cut(f"  {repair.code}")]
        left = f"worst error {repair.error:.2g} ULP" if repair.error < MAX_TOLD_ULP else "within what rounding may do"
        then = f"{repair.change}: then all {points} points hold ({left})"
        lines += wrapped(then, "  ")
    return lines


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 2]} …"


def words_of(names: Names, change: Change) -> str:
    """What should stand there instead."""
    written = _before_and_after(names, change)
    if written is not None:
        return f"`{_quoted(written[0])}` should be `{_quoted(written[1])}`"
    site = change.site
    if change.part == VARIANT:
        return f"the entries should be scattered by {change.edit.text}"
    what = {WHOLE: "its value v", OPERATION: "it"}.get(change.part, f"operand {change.part + 1} of it, v,")
    others = [names.called(ref.places[0], site, site.instances[0].first).text for ref in change.others[0]]
    where = [f"{n} being {_named(text or 'another value')}" for n, text in zip("qp", others, strict=False)]
    where += ["a and b being its operands"] if change.part == OPERATION else []
    text = re.sub(r"\bn\b", str(change.length), change.edit.text)
    return f"{what} ({site.kind}) should be {', '.join([text, *where])}"


def growth_of(names: Names, change: Change) -> int:
    """By how many letters the line gets longer, or shorter."""
    written = _before_and_after(names, change)
    if written is None:
        return len(change.edit.text)
    return abs(len(ast.unparse(written[1])) - len(ast.unparse(written[0])))


def _before_and_after(names: Names, change: Change) -> tuple[ast.expr, ast.expr] | None:
    """The expression as it stands there, and as it should; None, where its source isn't known."""
    site = change.site
    first = site.instances[0].first
    whole = _as_expression(site.expression.node) if site.expression else None
    if whole is None:
        return None
    if change.part == VARIANT:
        match whole:
            case ast.Call(func=ast.Attribute(value=value), args=args, keywords=keywords):
                return whole, ast.Call(ast.Attribute(value, change.edit.text, ast.Load()), args, keywords)
        return None
    parts = names.parts_at(site)
    others = [names.called(ref.places[0], site, first).text for ref in change.others[0]]
    given = {name: _parsed(text or "another value") for name, text in zip("qp", others, strict=False)}
    old = whole if change.part < 0 else parts[change.part]
    if old is None:
        return None
    if change.part == OPERATION:
        given |= {name: part for name, part in zip("abc", parts, strict=False) if part is not None}
    else:
        given["v"] = old
    if change.length:
        given["n"] = _parsed(names.length(change.length, site, first))
    filled = _Filled(given)
    new = filled.visit(ast.parse(change.edit.text, mode="eval").body)
    if not filled.complete:
        return None
    new = _same_call(whole, new) if change.part == OPERATION else new
    operand = (
        site.instances[0].operands[0 if change.part == OPERATION else change.part] if change.part != WHOLE else None
    )
    place = site.instances[0].outputs[0] if operand is None else operand
    new = _Shortened(len(names.shapes.get(place, ()))).visit(new)
    new = _with_numbers(new)
    # With as much around it as tells it from what else stands on the line.
    frame = site.frame
    short = change.part >= 0 and len(ast.unparse(whole)) <= MAX_QUOTED
    while short or times_on_line(frame.file, frame.line, ast.unparse(old)) > 1:
        outer = whole if short else around(frame.file, old)
        if outer is None or outer is old:
            break
        # deepcopy takes what it finds in its memo for a part that is copied already.
        old, new, short = outer, copy.deepcopy(outer, {id(old): new}), False
    return old, new


class _Shortened(ast.NodeTransformer):
    """Sums along the first axis as they are written, which needn't keep it; and those of vectors."""

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """A sum with `keepdims`."""
        self.generic_visit(node)
        match node:
            case ast.Call(func=ast.Attribute(attr="cumsum"), args=[x, ast.UnaryOp(operand=ast.Constant(value=int(k)))]):
                return ast.Call(node.func, [x, ast.Constant(self.rank - k)], node.keywords)  # lax has no negative axes
            case ast.Call(
                func=ast.Attribute(attr=attr),
                args=[ast.UnaryOp(operand=ast.Constant(value=k))],
                keywords=[ast.keyword(arg="keepdims")],
            ) if attr in REDUCING and k == self.rank:
                args: list[ast.expr] = [] if self.rank == 1 else [ast.Constant(0)]
                return ast.Call(node.func, args, [])
        return node


def _same_call(old: ast.expr, new: ast.expr) -> ast.expr:
    """A sum where a mean is, with the same arguments: by the axis that stands there, if it may be that one."""
    match old, new:
        case (
            ast.Call(func=ast.Attribute() as before, args=args, keywords=keywords),
            ast.Call(func=ast.Attribute() as after, args=[axis, *_]),
        ) if before.attr in REDUCING and after.attr in REDUCING:
            kept = [k for k in keywords if k.arg == "keepdims"]
            given = [k.value for k in keywords if k.arg == "axis"] or args[:1]
            if before.attr == after.attr and given:
                return ast.Call(ast.Attribute(after.value, after.attr, ast.Load()), [axis], kept)
            return ast.Call(ast.Attribute(after.value, after.attr, ast.Load()), args, keywords)
    return new


def _quoted(node: ast.AST) -> str:
    return _named(ast.unparse(node))


def _named(text: str) -> str:
    """Values that have no name here, by where they have one."""
    return re.sub(r"\bvalue_([0-9a-f]+)_\b", lambda m: bytes.fromhex(m[1]).decode(), text)


def _parsed(text: str) -> ast.expr:
    """A name, or an expression; what is no Python is kept as a name."""
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return ast.Name(f"value_{text.encode().hex()}_", ast.Load())


def _as_expression(node: ast.AST | None) -> ast.expr | None:
    """An expression as it is; `x += y` as x + y."""
    if isinstance(node, ast.AugAssign):
        target = ast.Name(node.target.id, ast.Load()) if isinstance(node.target, ast.Name) else node.target
        return ast.BinOp(target, node.op, node.value)
    return node if isinstance(node, ast.expr) else None


class _Filled(ast.NodeTransformer):
    """An edit with the user's expressions in it."""

    def __init__(self, given: dict[str, ast.expr]) -> None:
        self.given, self.complete = given, True

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """The expression that a name of the edit stands for."""
        if node.id in self.given:
            return copy.deepcopy(self.given[node.id])
        self.complete &= node.id in ("jnp", "jax")
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """A transpose, as it is written."""
        self.generic_visit(node)
        if node.attr == "mT":
            if isinstance(node.value, ast.Attribute) and node.value.attr in ("T", "mT"):
                return node.value.value
            return ast.Attribute(node.value, "T", ast.Load())
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        """Twice negated is as it was."""
        self.generic_visit(node)
        inner = node.operand
        if isinstance(node.op, ast.USub) and isinstance(inner, ast.UnaryOp) and isinstance(inner.op, ast.USub):
            return inner.operand
        return node


def _with_numbers(node: ast.expr) -> ast.expr:
    """An expression of numbers alone, as its value, if that is a short one."""
    try:
        value = eval(compile(ast.Expression(ast.fix_missing_locations(node)), "<edit>", "eval"), {})
    except Exception:  # of arrays
        return node
    plain = isinstance(value, int | float) and len(repr(value)) <= 8
    return ast.Constant(int(value) if plain and value == int(value) and abs(value) < 1e6 else value) if plain else node
