"""The derived bounds as tables: the errors of each step, what they add up to, and the worst that a search has found."""

import json
from collections.abc import Iterator
from pathlib import Path

from manual_grads.accuracy import bounds, sum_bounds, worst
from manual_grads.accuracy.bounds import Term
from manual_grads.accuracy.inputs import NETWORK
from manual_grads.accuracy.sum_bounds import Sizes
from manual_grads.accuracy.unit_bounds import UNIT_BOUNDS

WORST = Path(__file__).parents[2] / "tests" / "accuracy" / "worst.json"
CLASSES = (3, 10, 100, 1000, 100_000)
DTYPES = ("float32", "float64")
# Of the terms that are shown one by one.
SHOWN_CLASSES = 10


def write(folder: Path) -> None:
    """Writes the tables."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bounds.md").write_text("\n".join(tables()) + "\n", encoding="utf-8")


def tables() -> Iterator[str]:
    """All of them."""
    yield from ["### Units", "", *units(), "", "### Terms", "", *terms(), "", "### Sums of terms", "", *totals()]
    yield from ["", "### Terms of what may cancel", "", *terms_of_sums()]
    yield from ["", "### What the search found", "", *found()]


def units() -> Iterator[str]:
    """The largest error of each elementary function."""
    yield "| function | float32, ULP | float32, u | float64, ULP | float64, u |"
    yield "|---|--:|--:|--:|--:|"
    for name in dict.fromkeys(name for name, _ in UNIT_BOUNDS):
        cells = [f"{part:g}" for dtype in DTYPES for part in UNIT_BOUNDS[name, dtype][:2]]
        yield f"| {name} | {' | '.join(cells)} |"


def terms() -> Iterator[str]:
    """The terms of each bound, for a number of classes at which they can be followed."""
    yield f"| function, of {SHOWN_CLASSES} classes | float32 | float64 |"
    yield "|---|---|---|"
    for name in (*bounds.OF_NUMBERS, *bounds.OF_ROWS):
        sums = [summed(bounds.derivation(name, dtype, SHOWN_CLASSES)) for dtype in DTYPES]
        yield f"| `{name}` | {' | '.join(sums)} |"


def terms_of_sums() -> Iterator[str]:
    """The same of what may cancel: in u of the magnitude."""
    inputs, hidden, classes = NETWORK
    yield f"| function, of {SHOWN_CLASSES} classes; a network, of {inputs} × {hidden} × {classes} | float32 | ULP |"
    yield "|---|---|--:|"
    for name in sum_bounds.OF_SUMS:
        sizes = Sizes(classes, hidden, inputs) if name.startswith("two_layer") else Sizes(SHOWN_CLASSES)
        parts = sum_bounds.derivation(name, "float32", sizes)
        yield f"| `{name}` | {summed(parts)} | ~{sum_bounds.derived(name, 'float32', sizes):.3g} |"


def summed(parts: list[Term]) -> str:
    """A sum, each of its terms with its name."""
    named = " + ".join(f"{part.size:.3g} ({part.name})" for part in parts if part.size)
    return named.replace("|", "\\|")  # in a cell of a table


def totals() -> Iterator[str]:
    """The bounds in ULP, for several numbers of classes."""
    classes = " | ".join(f"{k:,} classes" for k in CLASSES)
    yield f"| function | {classes} | float64, any |"
    yield "|---" + "|--:" * (len(CLASSES) + 1) + "|"
    for name in (*bounds.OF_NUMBERS, *bounds.OF_ROWS):
        each = [f"{bounds.derived(name, 'float32', k):.1f}" for k in CLASSES]
        yield f"| `{name}` | {' | '.join(each)} | {bounds.derived(name, 'float64', CLASSES[-1]):.1f} |"


def found() -> Iterator[str]:
    """The worst of each function in float32 and float64, beside the bound there."""
    versions = json.loads(WORST.read_text(encoding="utf-8"))["versions"]
    yield f"Found with jaxlib {versions['jaxlib']} on a CPU; ~: of what may cancel, in ULP of the magnitude.\n"
    yield "| function | dtype | found | bound | ratio | rows × classes | from the family |"
    yield "|---|---|--:|--:|--:|--:|---|"
    for one in worst.read(WORST):
        if one.dtype in DTYPES:
            sign = "" if bounds.is_derived(one.name) else "~"
            size = f"{one.shape.rows} × {one.shape.classes}"
            numbers = f"{sign}{one.ulp:.3g} | {sign}{one.bound:.3g} | {one.share:.2f}"
            yield f"| `{one.name}` | {one.dtype} | {numbers} | {size} | {one.family} |"
