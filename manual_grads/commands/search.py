"""`manual-grads accuracy --search SECONDS`: the largest errors that a search finds, as a table or JSON, and kept."""

from pathlib import Path

from rich import box
from rich.text import Text

from manual_grads.accuracy import worst
from manual_grads.accuracy.promises import PROMISES
from manual_grads.accuracy.search import Found, again, search
from manual_grads.commands.outputs import require_file
from manual_grads.commands.printing import SHORT, Column, console, fitting, found_with, mark, print_json
from manual_grads.commands.process import BadInput
from manual_grads.commands.progress import progressing
from manual_grads.rules import FLOATS, RULES

COLUMNS = (
    Column("function"),
    Column("dtype"),
    Column("bound", right=True, says="bound: the derived one, which holds for any input."),
    Column("found", right=True),
    Column("/bound", right=True, spare=5),
    Column("from the family", spare=4),
    Column("rows", right=True, spare=2),
    Column("classes", right=True, spare=1),
    Column("seed", right=True, spare=3),
    Column(""),
)


def search_for(only: list[str] | None, seed: int, seconds: int, keep: Path | None, as_json: bool) -> int:
    """Searches for the largest errors, from those on that a file keeps; returns 0 if no bound is exceeded, else 1."""
    unknown = sorted(set(only or ()) - set(PROMISES))
    if unknown:
        raise BadInput(f"--only {' '.join(unknown)}: no accuracy is promised; expected one of {', '.join(PROMISES)}")
    found: list[Found] = []
    if keep:
        require_file("--keep", keep)
        found = kept_in(keep)
    out = console()
    jobs = [(RULES[name], dtype) for name in PROMISES if not only or name in only for dtype in FLOATS]
    climbs = 0
    with progressing(out, "searching", len(jobs), as_json) as done:
        for one in search(jobs, seconds, seed):
            found.append(one)
            climbs += 1
            done(said(one))
    rows = list(worst.worst_of(found).values())
    if keep:
        worst.write(keep, rows, found_with())
    passed = all(row.within for row in rows)
    if as_json:
        shown = [worst.as_row(row) for row in rows]
        print_json(command="accuracy", passed=passed, seed=seed, seconds=seconds, climbs=climbs, found=shown)
        return 0 if passed else 1
    cells = [
        (
            *(row.name, SHORT[row.dtype], f"{row.bound:.3g}", f"{row.ulp:.2f}", f"{row.share:.2f}", row.family),
            *(str(row.shape.rows), str(row.shape.classes), str(row.seed), mark(row.within)),
        )
        for row in rows
    ]
    out.print(fitting(out, COLUMNS, cells, box=box.SIMPLE_HEAD, title=f"The largest errors of {climbs} climbs, in ULP"))
    out.print(Text("no bound is exceeded" if passed else "a bound IS exceeded", style="bold"))
    return 0 if passed else 1


def kept_in(file: Path) -> list[Found]:
    """What a file keeps, measured anew; nothing if there is none.

    Raises:
        BadInput: if it isn't such a file.
    """
    if not file.exists():
        return []
    try:
        kept = worst.read(file)
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"--keep {file}: not a file that a search has written: {error!r}") from error
    return [again(one, RULES[one.name]) for one in kept]


def said(found: Found) -> Text:
    """What a log says of a climb."""
    shape = f"{found.shape.rows} rows of {found.shape.classes}"
    text = f" {found.name} {SHORT[found.dtype]}, {shape}: {found.ulp:.2f} ULP in {found.steps} steps"
    return mark(found.within).append(text, style="default")
