"""What a check found: a table of what was tried, and the exception that says what is wrong."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

WIDTH = 100  # columns of a report's text

# A call is judged by its values, with all arguments batched or with one alone; a behaviour by what happened; an
# oracle's row says how far from it the values are.
RowKind = Literal["call", "call with one batched", "behaviour", "oracle"]


class Row(NamedTuple):
    """A line of the table: one check in one format."""

    dtype: str
    check: str
    kind: RowKind
    points: int
    ulp: float  # the worst error in ULP
    part: float  # the worst error as a part of what is allowed
    passed: bool


class Hypothesis(NamedTuple):
    """An explanation: its name, and what it says."""

    name: str
    text: str


class Repair(NamedTuple):
    """A change to a line that mends the gradient at every point that was tried."""

    file: str
    line: int
    code: str  # of the line; nothing, where there is no source
    change: str  # what should stand there
    error: float  # the worst that is left, in ULP


class Report(NamedTuple):
    """What was tried, and the worst error of each."""

    claim: str
    rows: list[Row]
    points: int
    skipped: int  # points, as the forward isn't finite there
    judged: float  # the share of the entries
    notes: list[str]
    seed: int
    ranges: tuple[str, ...] = ()  # of each argument, what was tried

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
        lines += wrapped(f"tried: {'; '.join(self.ranges)}", "  ") if self.ranges else []
        for note in self.notes:
            first, *rest = wrapped(f"note: {note}", "    ")
            lines += [first[2:], *rest]
        return "\n".join(lines)


class GradientMismatch(AssertionError):
    """The manual gradient isn't what it is claimed to be; `diagnosis` says why, best explanation first.

    `repairs` are the lines that are wrong, each with a change that mends the gradient, if such are found.
    """

    def __init__(
        self, text: str, check: str, diagnosis: list[Hypothesis], report: Report, repairs: Sequence[Repair] = ()
    ) -> None:
        """With the whole text as the message."""
        super().__init__(text)
        self.check, self.diagnosis, self.report, self.repairs = check, diagnosis, report, list(repairs)


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
