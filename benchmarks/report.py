"""What the benchmark prints: a table for each workload as soon as it is measured, and a summary."""

import numpy as np
from rich.console import Console, RenderableType
from rich.text import Text

from benchmarks import ratios
from benchmarks.machine import limit_seconds
from benchmarks.ratios import Ratio
from manual_grads.commands.printing import Column, fitting

STYLES = {"faster": "green", "slower": "red", "tie": "yellow"}
OF_A_WORKLOAD = (
    Column("contender", folds_at=24),
    Column("ms", right=True),
    Column("by hand / it", right=True, folds_at=19),
    Column("compiled in s", right=True, spare=3),
    Column("temporaries", right=True, spare=2),
    Column("faults", right=True, spare=5),
    Column("% of limit", right=True, spare=4),
    Column("", spare=1, folds_at=24),
)
OF_ALL = (
    Column("workload", folds_at=24),
    Column("ms", right=True, spare=5),
    Column("to autodiff", right=True, folds_at=19),
    Column("", spare=2, folds_at=20),
    Column("to a peer", right=True, spare=1, folds_at=19),
    Column("", spare=3, folds_at=20),
    Column("A/A", right=True, spare=4, folds_at=19),
    Column("temporaries / autodiff's", right=True, spare=6),
    Column("% of limit", right=True, spare=7),
)
BUSY = 0.5  # of the threads, at work for others before the benchmark begins


def machine_lines(machine: dict) -> list[Text]:
    """The machine, and a warning if it is busy."""
    versions = ", ".join(f"{name} {v or 'not installed'}" for name, v in machine["versions"].items())
    flags = " ".join(f"{name}={value}" for name, value in machine["flags"].items() if value) or "none"
    lines = [
        Text(f"{machine['device']} ({machine['cpu']}), {machine['threads']} threads, Python {machine['python']}"),
        Text(f"{versions}; commit {machine['commit'] or 'unknown'}; flags: {flags}"),
        Text(
            f"measured: {machine['bandwidth'] / 1e9:.1f} GB/s in place, {machine['peak'] / 1e9:.1f} GFLOP/s in products"
        ),
    ]
    if busy(machine):
        warning = f"WARNING: the load average was {machine['load']:.1f} before anything was measured: a busy machine"
        lines.append(Text(warning, style="bold red"))
    return lines


def busy(machine: dict) -> bool:
    """Whether others were using the machine."""
    return machine["load"] > BUSY * machine["threads"]


def workload_table(out: Console, row: dict, machine: dict) -> RenderableType:
    """Every contender of a workload, and the control."""
    limit = limit_seconds(row, machine)
    rows = []
    hand = ratios.named(row, row["contenders"][0]["name"])
    for found in row["contenders"]:
        seconds = float(np.median(found["seconds"])) if found["seconds"] else None
        ratio = ratios.paired(hand["seconds"], found["seconds"]) if hand and seconds and found is not hand else None
        rows.append(
            (
                Text(f"{found['name']}"),
                "" if seconds is None else milliseconds(seconds),
                "" if ratio is None else ratio_text(ratio),
                "" if found["compile_seconds"] is None else f"{found['compile_seconds']:.2f}",
                size(found["temporaries"]),
                "" if found["faults"] is None else f"{found['faults']:.0f}",
                "" if seconds is None else f"{100 * limit / seconds:.0f}",
                Text(
                    found["note"] if found["status"] == "timed" else f"{found['status']}: {found['note']}", style="dim"
                ),
            )
        )
    control = ratios.control(row)
    if control:
        rows.append((Text("by hand, once more: A/A", style="dim"), "", ratio_text(control), *[""] * 5))
    title = Text(f"{row['workload']}  (the machine's limit: {milliseconds(limit)} ms)")
    return fitting(out, OF_A_WORKLOAD, rows, by=None, title=title)


def summary(out: Console, results: dict) -> RenderableType:
    """One row a workload: by hand against the fastest of each kind."""
    rows = [[*cells, *[""] * (len(OF_ALL) - len(cells))] for cells in summary_rows(results)]
    title = "Time of the hand-written gradient relative to the fastest contender of each kind"
    return fitting(out, OF_ALL, rows, by=None, title=title)


def summary_rows(results: dict) -> list[list[str | Text]]:
    """The cells of that table."""
    rows = []
    thp = {row["workload"]: row for row in results["thp_rows"]}
    for row in results["rows"]:
        hand, control = ratios.named(row, row["contenders"][0]["name"]), ratios.control(row)
        if hand is None or control is None:
            rows.append([row["workload"], f"{row['contenders'][0]['status']}: {row['contenders'][0]['note']}"])
            continue
        autodiff, peer = (ratios.fastest(ratios.timed(row), kind) for kind in ("autodiff", "peer"))
        to_autodiff, to_peer = (ratios.against(row, kind) for kind in ("autodiff", "peer"))
        seconds = float(np.median(hand["seconds"]))
        allocators = row["workload"] in thp and allocators_win(row, thp[row["workload"]])
        rows.append(
            [
                row["workload"],
                milliseconds(seconds),
                ratio_text(to_autodiff, " (the allocator's)" if allocators else "") if to_autodiff else "",
                autodiff["name"] if autodiff else "",
                ratio_text(to_peer) if to_peer else "",
                peer["name"] if peer else "",
                ratio_text(control),
                f"{size(hand['temporaries'])} / {size(autodiff['temporaries']) if autodiff else ''}",
                f"{100 * limit_seconds(row, results['machine']) / seconds:.0f}",
            ]
        )
    return rows


def allocators_win(row: dict, thp_row: dict) -> bool:
    """Whether by hand is faster than autodiff by default, but not where malloc uses huge pages."""
    default, huge = ratios.against(row, "autodiff"), ratios.against(thp_row, "autodiff")
    return bool(default and huge and default.verdict == "faster" and huge.verdict != "faster")


def ratio_text(ratio: Ratio, more: str = "") -> Text:
    """The ratio, its interval and the verdict."""
    text = f"{ratio.median:.2f} [{ratio.low:.2f}, {ratio.high:.2f}] {ratio.verdict}{more}"
    return Text(text, style=STYLES[ratio.verdict])


def milliseconds(seconds: float) -> str:
    """Three digits."""
    return f"{1e3 * seconds:#.3g}".rstrip(".")


def size(count: int | None) -> str:
    """Bytes, in a unit that suits."""
    if count is None:
        return "?"
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= factor:
            return f"{count / factor:#.3g} {unit}".replace(". ", " ")
    return f"{count} B"
