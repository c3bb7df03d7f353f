"""What the pictures have in common."""

from collections.abc import Callable
from typing import Any

from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks import report

# Okabe and Ito's colours, which differ for the colour-blind too.
SKY, GREEN, BLUE, VERMILION, GREY = "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#888888"
STYLE: Any = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True}
OF_KIND = {"hand": BLUE, "autodiff": VERMILION, "drop-in": SKY, "peer": GREEN}
OF_VERDICT = {"faster": BLUE, "tie": GREY, "slower": VERMILION}
NAMES = {"hand": "by hand", "autodiff": "autodiff", "drop-in": "autodiff through nn", "peer": "other libraries"}


def device(found: dict) -> str:
    """The machine in a few words."""
    machine = found["machine"]
    cpu = (
        f"{machine['threads']} threads of {machine['cpu']}"
        if machine["device"].startswith("cpu")
        else machine["device"]
    )
    return cpu + (f" (busy: load {machine['load']:.1f})" if report.busy(machine) else "")


def log_ticks(axis: Any, ticks: Any, text: Callable[[float], str] = lambda x: f"{x:g}") -> None:
    """Ticks at these numbers and no others."""
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda x, _: text(x)))
