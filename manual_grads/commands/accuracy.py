"""`manual-grads accuracy`: a table with a row for each function and format, or JSON."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console, RenderableType
from rich.text import Text

from manual_grads.accuracy.measure import COMPARED, measure_all
from manual_grads.accuracy.promises import PROMISES
from manual_grads.accuracy.survey import Measured, Worst
from manual_grads.commands.outputs import require_folder
from manual_grads.commands.printing import SHORT, Column, console, fitting, mark, print_json
from manual_grads.commands.process import BadInput
from manual_grads.commands.progress import progressing
from manual_grads.rules import FLOATS, RULES

DERIVED = "derived: what no input exceeds, from the errors of each step; bound: what hard inputs don't."
RATIO = "/derived: the error by hand as a part of that."
BOUND = "~: in ULP of the same sum with absolute values, for sums that may cancel; of the true value otherwise."
ZEROS = "0s: results of exactly zero where that is wrong by more than the bound."
COLUMNS = (
    Column("function"),
    Column("dtype"),
    Column("inputs", right=True, spare=7),
    Column("derived", right=True, says=DERIVED, spare=1),
    Column("bound", right=True, says=BOUND, spare=1),
    Column("by hand", right=True),
    Column("/derived", right=True, says=RATIO, spare=1),
    Column("found at", spare=8),
    Column("plain", right=True, says="plain: JAX's derivative of the textbook's forward function.", spare=3),
    Column("0s", right=True, says=ZEROS, spare=5),
    Column("jax.nn", right=True, says="jax.nn: JAX's derivative of jax.nn's and optax's forward function.", spare=2),
    Column("0s", right=True, says=ZEROS, spare=4),
    Column(""),
)


def accuracy(only: list[str] | None, seed: int, as_json: bool, exhaustive: bool) -> int:
    """Measures the rules in every dtype; returns 0 if every promise is kept, else 1."""
    unknown = sorted(set(only or RULES) - set(PROMISES))
    if only and unknown:
        raise BadInput(
            f"--only {' '.join(unknown)}: its true value isn't known to balls, and so its error can't be measured; "
            f"expected one of {', '.join(PROMISES)}. Whether it is right at all: manual-grads verify, or check"
        )
    out = console()
    jobs = [(RULES[name], dtype) for name in only or RULES if name not in unknown for dtype in FLOATS]
    rows = []
    with progressing(out, "measuring", len(jobs), as_json) as done:
        for row in measure_all(jobs, seed, exhaustive):
            rows.append(row)
            done(_line(row))
    passed = all(row.passed for row in rows)
    if as_json:
        found = [row_json(row) for row in rows]
        print_json(command="accuracy", passed=passed, seed=seed, rows=found, unmeasured=unknown)
        return 0 if passed else 1
    out.print(table(out, rows))
    if unknown:
        out.print(Text(f"not measured, for balls don't know the true value: {', '.join(unknown)}"))
    out.print(Text("every promise is kept" if passed else "NOT every promise is kept", style="bold"))
    return 0 if passed else 1


def draw(folder: Path, as_json: bool) -> int:
    """Draws the pictures into a folder, and prints where they are."""
    from manual_grads.accuracy.plots import draw_all  # another extra

    require_folder("--plot", folder)
    files = []
    for file in draw_all(folder):
        files.append(str(file))
        if not as_json:
            print(file, flush=True)
    if as_json:
        print_json(command="accuracy", pictures=files)
    return 0


def _line(row: Measured) -> Text:
    """What a log says of a row as soon as it is measured."""
    text = f" {row.rule.name} {SHORT[row.dtype]}: {number(row.by_hand.ulp)} ULP, {row.by_hand.bound:.3g} allowed"
    return mark(row.passed).append(text, style="default")


def table(out: Console, rows: Sequence[Measured]) -> RenderableType:
    """A row for each function and dtype."""
    cells = [
        (
            row.rule.name,
            SHORT[row.dtype],
            f"{row.inputs:,}" if row.inputs < 10**6 else f"2^{row.inputs.bit_length() - 1}",
            ("" if row.in_ulp_of_the_value else "~") + f"{row.derived:.3g}",
            ("" if row.in_ulp_of_the_value else "~") + f"{row.by_hand.bound:.3g}",
            number(row.by_hand.ulp),
            f"{row.by_hand.ulp / row.derived:.2f}",
            place(row.by_hand),
            *(
                cell
                for worst in (row.autodiff[name] for name in COMPARED)
                for cell in (number(worst.ulp), str(worst.false_zeros or ""))
            ),
            mark(row.passed),
        )
        for row in rows
    ]
    return fitting(
        out,
        COLUMNS,
        cells,
        box=box.SIMPLE_HEAD,
        title="Largest errors by hand and by autodiff, in ULP, on the same inputs; all jitted",
        caption="∞: NaN.",
    )


def number(ulp: float) -> str:
    """An error in few characters."""
    return "∞" if math.isinf(ulp) else f"{ulp:.2f}" if ulp < 100 else f"{ulp:.0e}".replace("e+0", "e")


def place(worst: Worst) -> str:
    """Where the worst error was found: the number itself, or the family and the entry of the result (JSON has all)."""
    if not worst.args:
        return "rounded right"
    if worst.args[0].ndim == 0:
        return re.sub(r"0+p", "p", float(worst.args[0]).hex())
    return f"{worst.family} [{worst.entry}]"


def row_json(row: Measured) -> dict[str, Any]:
    """A row for `--json`, with the arguments at which the worst error was found as hexadecimal floats."""
    return {
        "name": row.rule.name,
        "dtype": row.dtype,
        "inputs": row.inputs,
        "in_ulp_of_the_value": row.in_ulp_of_the_value,
        "derived": row.derived,
        "by_hand": worst_json(row.by_hand),
        "autodiff": {name: worst_json(worst) for name, worst in row.autodiff.items()},
        "passed": row.passed,
    }


def worst_json(worst: Worst) -> dict[str, Any]:
    """An error and its place."""
    return {
        "ulp": worst.ulp if math.isfinite(worst.ulp) else "NaN",
        "bound": worst.bound,
        "false_zeros": worst.false_zeros,
        "family": worst.family,
        "entry": worst.entry,
        "args": [hexadecimal(arg) for arg in worst.args],
    }


def hexadecimal(arg: Any) -> Any:
    """A float as a string that holds all its bits, arrays as lists; integers as they are."""
    array = np.asarray(arg)
    if array.ndim:
        return [hexadecimal(entry) for entry in array]
    return int(array) if np.issubdtype(array.dtype, np.integer) else float(array).hex()
