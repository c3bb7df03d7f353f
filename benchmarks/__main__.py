"""`python -m benchmarks`: is a hand-written gradient worth it? Time, compile time and memory against the alternatives.

This file imports neither JAX nor anything that does, before the platform is chosen.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

NEEDED = {"run": ("flint", "optax", "rich", "sklearn"), "plot": ("matplotlib", "rich"), "table": ("rich",)}
FORMATS = ("float32", "bfloat16", "float16", "float64")


def parser(seed: Callable[[str], Any] = str, path: Callable[[str], Any] = str) -> argparse.ArgumentParser:
    """The arguments of every command; those that are seeds and names of files or folders, made by these functions."""
    top = argparse.ArgumentParser(
        prog="python -m benchmarks", description="The hand-written gradients against autodiff and peers."
    )
    mode = top.add_mutually_exclusive_group()
    mode.add_argument("--quick", dest="suite", action="store_const", const="quick", help="a few sizes, in a minute")
    mode.add_argument("--sweep", dest="suite", action="store_const", const="sweep", help="grow N, H, K one at a time")
    top.add_argument("--only", metavar="TEXT", action="append", help="workloads with this in their name (repeatable)")
    top.add_argument("--json", type=path, metavar="FILE", help="write the results there")
    top.add_argument("--platform", choices=("cpu", "gpu"), help="where to run (default: what JAX finds)")
    top.add_argument("--thp", action="store_true", help="measure again with an allocator of huge pages (Linux)")
    top.add_argument("--cold", action="store_true", help="empty the caches before every run")
    top.add_argument("--no-peers", action="store_true", help="leave out other libraries")
    top.add_argument("--dtype", choices=FORMATS, default=FORMATS[0], help="of all numbers (default: float32)")
    top.add_argument("--seed", type=seed, default=0, help="seed of the inputs and of the order (default: 0)")
    top.set_defaults(suite="full", command="run")
    commands = top.add_subparsers(metavar="COMMAND")
    plot = commands.add_parser("plot", help="draw a file of results")
    plot.add_argument("file", type=path, metavar="FILE")
    plot.add_argument("--to", type=path, metavar="DIR", help="where to (default: beside the file)")
    plot.set_defaults(command="plot")
    table = commands.add_parser("table", help="print the summary of a file of results, in Markdown")
    table.add_argument("file", type=path, metavar="FILE")
    table.set_defaults(command="table")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; 0, or 2 for bad usage, or 1 if a hand-written gradient was wrong or failed."""
    on_interrupt = signal.getsignal(signal.SIGINT)
    if arguments is None and on_interrupt is signal.default_int_handler:
        signal.signal(signal.SIGINT, end_at_once)
    options = parser().parse_args(arguments)
    if options.command == "run":
        os.environ.setdefault("JAX_DEFAULT_MATMUL_PRECISION", "highest")  # or a GPU's products are no float32 ones
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # or PyTorch's idle threads spin in others' turns
        if options.dtype == "float64":
            os.environ["JAX_ENABLE_X64"] = "true"
        if options.platform:
            os.environ["JAX_PLATFORMS"] = {"cpu": "cpu", "gpu": "cuda"}[options.platform]
    try:
        from manual_grads.commands import kinds, process
    except Exception as error:  # JAX or this package's folder is missing, or JAX can't read one of its variables
        install = ": in a clone of this repository, pip install '.[bench]'" if isinstance(error, ImportError) else ""
        print(f"python -m benchmarks: {error}{install}", file=sys.stderr)
        return 2
    top = parser(kinds.seed, kinds.path)  # which can't be imported without JAX
    options = top.parse_args(arguments)
    if arguments is None:
        signal.signal(signal.SIGINT, on_interrupt)  # there is a better way now
    run = process.run if arguments is None else process.status
    return run("python -m benchmarks", lambda: command(options, top))


def end_at_once(*_: Any) -> None:
    """What Ctrl-C does while JAX is imported. In `manual_grads.commands` is a better way, which that import brings."""
    os.write(2, b"python -m benchmarks: interrupted\n")
    os._exit(130)


def command(options: argparse.Namespace, top: argparse.ArgumentParser) -> int:
    """Runs the command that the options name, if all that it needs is there."""
    from manual_grads.commands import extras, outputs, process

    named = "the benchmark" if options.command == "run" else options.command
    extras.require(named, NEEDED[options.command], "bench")
    if options.command == "run":
        try:
            process.require_device()
        except process.BadInput as error:
            if options.platform != "gpu":
                raise
            install = "if it is one of NVIDIA's, in a clone of this repository: pip install '.[cuda13]', or '.[cuda12]'"
            raise process.BadInput(f"--platform gpu: JAX finds no GPU here; {install}") from error
        if options.json:
            outputs.require_file("--json", options.json)
        from benchmarks.run import run

        return run(options, top)
    from benchmarks import results

    try:
        results.load(options.file)
    except OSError as error:
        raise process.BadInput(f"{options.file}: it can't be read: {error.strerror}") from error
    except ValueError as error:
        raise process.BadInput(str(error)) from error
    if options.command == "table":
        from benchmarks.page import print_table

        return print_table(options.file)
    to = options.to or options.file.parent
    outputs.require_folder("--to", to)
    from benchmarks.plots import draw_all

    return draw_all(options.file, to)


if __name__ == "__main__":
    sys.exit(main())
