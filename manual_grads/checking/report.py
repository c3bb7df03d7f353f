"""What a check found, in plain text: a table where all is well, the evidence where it isn't."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.arguments import Claim

WIDTH = 100
PRINTED = 24  # entries of an array that a report prints


class Row(NamedTuple):
    """A line of the table."""

    dtype: str
    check: str
    points: int
    ulp: float
    part: float  # the worst error as a part of what is allowed
    passed: bool


class Hypothesis(NamedTuple):
    """An explanation: its name, and what it says."""

    name: str
    text: str


class Report(NamedTuple):
    """What was tried, and the worst error of each."""

    claim: str
    rows: list[Row]
    points: int
    skipped: int
    judged: float  # the share of the entries
    notes: list[str]
    seed: int

    @property
    def passed(self) -> bool:
        """Whether everything held; a report that is returned has passed."""
        return all(row.passed for row in self.rows)

    def __str__(self) -> str:
        """The table."""
        lines = [f"{self.claim}: {'passed' if self.passed else 'FAILED'}"]
        lines += [f"  {'dtype':<10}{'check':<34}{'points':>7}{'worst error, ULP':>18}{'of what is allowed':>20}"]
        for row in self.rows:
            mark = "" if row.passed else "  FAILED"
            measured = f"{row.points:>7}{row.ulp:>18.3g}{row.part:>20.2g}" if row.points else f"{'':>7}{'ok':>18}"
            lines += [f"  {row.dtype:<10}{row.check:<34}{measured}{mark}".rstrip()]
        lines += [
            f"  {self.points} points (seed {self.seed}); {self.skipped} skipped, where the forward isn't finite",
            f"  {self.judged:.1%} of the entries judged",
        ]
        for note in self.notes:
            first, *rest = wrapped(f"note: {note}", "    ")
            lines += [first[2:], *rest]
        return "\n".join(lines)


class GradientMismatch(AssertionError):
    """The manual gradient isn't what it is claimed to be; `diagnosis` says why, best explanation first."""

    def __init__(self, text: str, check: str, diagnosis: list[Hypothesis], report: Report) -> None:
        """With the whole text as the message."""
        super().__init__(text)
        self.check, self.diagnosis, self.report = check, diagnosis, report


def name_of(function: Any, name: Callable[[Any], str] | None = None) -> str:
    """A function's name, as people know it; that of the transform, of a partial one."""
    if isinstance(function, partial):
        parts = [function.func, *function.args], function.keywords.items()
        given = [*(name_of(x, name) for x in parts[0]), *(f"{k}={name_of(x, name)}" for k, x in parts[1])]
        return f"partial({', '.join(given)})"
    if not callable(function):
        return repr(function)
    return name(function) if name else getattr(function, "__name__", type(function).__name__)


def hexed(array: Any) -> str:
    """An array with its floats in hexadecimal, so that nothing is lost."""
    if array.size > PRINTED:
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

    names = [reference(claim.forward, "forward"), reference(claim.manual, "manual")]
    jax.tree.map(lambda node: reference(type(node)), claim.tree(point), is_leaf=lambda node: hasattr(node, "_fields"))
    spelled = name_of(claim.by, reference)
    if kept:
        arrays = [
            f"np.array({np.asarray(x).tolist()!r}, '{jnp.dtype(d)}')".replace("nan", "jnp.nan").replace(
                "inf", "jnp.inf"
            )
            for x, d in zip(point, dtypes, strict=True)
        ]
        try:
            given = repr(_Tree.of(claim.tree([_Tree(text) for text in arrays])))
        except Exception:  # a tree of some kind that has no literal
            given = "args"
    else:
        given = "args"
    return (
        f"{'; '.join(dict.fromkeys(imports))}; check_gradient({', '.join(names)}, {given}, by={spelled}, seed={seed})"
    )


class _Tree(str):
    """Text that prints as itself inside the literal of a tree."""

    def __repr__(self) -> str:
        return str(self)

    @staticmethod
    def of(tree: Any) -> Any:
        return tree


def wrapped(text: str, indent: str = "  ") -> list[str]:
    """Lines of at most a hundred characters."""
    lines, line = [], ""
    for word in text.split(" "):
        if len(indent) + len(line) + 1 + len(word) > WIDTH and line:
            lines.append(indent + line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*lines, indent + line]
