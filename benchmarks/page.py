"""The table of `benchmarks/README.md`, from a file of results."""

from pathlib import Path

from benchmarks import report, results


def print_table(file: Path) -> int:
    """Prints the summary in Markdown, and what it was measured on."""
    found = results.load(file)
    for line in report.machine_lines(found["machine"]):
        print(line, end="  \n")
    print()
    print("\n".join(markdown(found)))
    return 0


def markdown(found: dict) -> list[str]:
    """The lines of the table."""
    headings = ["workload", "ms", "to autodiff", "fastest autodiff", "to a peer", "fastest peer", "A/A"]
    headings += ["temporaries / autodiff's", "% of limit"]
    lines = ["| " + " | ".join(headings) + " |", "|---" * len(headings) + "|"]
    for cells in report.summary_rows(found):
        padded = [str(cell) for cell in cells] + [""] * (len(headings) - len(cells))
        lines.append("| " + " | ".join(padded) + " |")
    return lines
