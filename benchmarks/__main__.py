"""`python -m benchmarks`: is a hand-written gradient worth it? Time, compile time and memory against the alternatives.

This file imports neither JAX nor anything that does, before the platform is chosen.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path


def parser() -> argparse.ArgumentParser:
    """The arguments of both commands."""
    top = argparse.ArgumentParser(
        prog="python -m benchmarks", description="The hand-written gradients against autodiff and peers."
    )
    mode = top.add_mutually_exclusive_group()
    mode.add_argument("--quick", dest="suite", action="store_const", const="quick", help="a few sizes, in a minute")
    mode.add_argument("--sweep", dest="suite", action="store_const", const="sweep", help="grow N, H, K one at a time")
    top.add_argument("--only", metavar="TEXT", action="append", help="workloads with this in their name (repeatable)")
    top.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    top.add_argument("--platform", choices=("cpu", "gpu"), help="where to run (default: what JAX finds)")
    top.add_argument("--thp", action="store_true", help="measure again with an allocator of huge pages (Linux)")
    top.add_argument("--cold", action="store_true", help="empty the caches before every run")
    top.add_argument("--no-peers", action="store_true", help="leave out other libraries")
    top.add_argument("--seed", type=int, default=0, help="seed of the inputs and of the order (default: 0)")
    top.set_defaults(suite="full", command="run")
    commands = top.add_subparsers(metavar="COMMAND")
    plot = commands.add_parser("plot", help="draw a file of results")
    plot.add_argument("file", type=Path, metavar="FILE")
    plot.add_argument("--to", type=Path, metavar="DIR", help="where to (default: beside the file)")
    plot.set_defaults(command="plot")
    table = commands.add_parser("table", help="print the summary of a file of results, in Markdown")
    table.add_argument("file", type=Path, metavar="FILE")
    table.set_defaults(command="table")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; 0, or 2 for bad usage, or 1 if a hand-written gradient was wrong or failed."""
    top = parser()
    options = top.parse_args(arguments)
    if options.command == "run":
        os.environ.setdefault("JAX_DEFAULT_MATMUL_PRECISION", "highest")  # or a GPU's products are no float32 ones
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # or PyTorch's idle threads spin in others' turns
        if options.platform:
            os.environ["JAX_PLATFORMS"] = {"cpu": "cpu", "gpu": "cuda"}[options.platform]
        from benchmarks.run import run

        return run(options, top)
    try:
        if options.command == "plot":
            from benchmarks.plots import draw_all

            return draw_all(options.file, options.to or options.file.parent)
        from benchmarks.page import print_table

        return print_table(options.file)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
