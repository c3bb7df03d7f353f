"""The command line: `python -m manual_grads`, installed as `manual-grads`."""

import argparse
import sys
from collections.abc import Sequence

import manual_grads
from manual_grads.commands import extras, process
from manual_grads.commands.kinds import path, positive, seed
from manual_grads.rules import RULES

TASKS = ("18", "19", "19.1", "19.2", "19.3", "21", "beyond")


def parser() -> argparse.ArgumentParser:
    """The arguments of every command."""
    top = argparse.ArgumentParser(
        prog="manual-grads",
        description="Gradients derived by hand, verified against JAX's. With no command: verify.",
    )
    top.add_argument("--version", action="version", version=f"manual-grads {manual_grads.__version__}")
    commands = top.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", help="verify every rule, every line, and the network on data")
    verify.add_argument("--only", metavar="NAME", action="append", help="verify this rule alone (may be repeated)")
    verify.add_argument("--seed", type=seed, default=0, help="seed of the random inputs (default: 0)")
    check = commands.add_parser("check", help="verify the rules that a file or module of yours registers")
    check.add_argument("target", metavar="FILE_OR_MODULE", help="a Python file, or the name of a module")
    check.add_argument("--seed", type=seed, default=0, help="seed of the random inputs (default: 0)")
    lines = commands.add_parser("lines", help="the document's lines in order, each with its verdict")
    lines.add_argument("task", nargs="?", choices=TASKS, metavar="TASK", help=f"{', '.join(TASKS)} (default: all)")
    lines.add_argument("--seed", type=seed, default=0, help="seed of the random inputs (default: 0)")
    accuracy = commands.add_parser("accuracy", help="largest errors in ULP, by hand and by autodiff, against balls")
    accuracy.add_argument("--only", metavar="NAME", action="append", help="measure this rule alone (may be repeated)")
    accuracy.add_argument("--seed", type=seed, default=0, help="seed of the random inputs (default: 0)")
    accuracy.add_argument(
        "--exhaustive", action="store_true", help="every number of float32, and up to 100,000 classes (minutes)"
    )
    accuracy.add_argument(
        "--search", type=positive, metavar="SECONDS", help="climb to larger errors for so long, instead of the table"
    )
    accuracy.add_argument(
        "--keep", type=path, metavar="FILE", help="go on from the worst errors kept there, and keep all"
    )
    accuracy.add_argument("--plot", type=path, metavar="DIR", help="draw the pictures there, instead of the table")
    train = commands.add_parser(
        "train", help="train on handwritten digits and on words, by hand and by autodiff; many classes"
    )
    train.add_argument("--seed", type=seed, default=0, help="seed of the weights and batches (default: 0)")
    train.add_argument("--epochs", type=positive, default=30, help="passes over the digits (default: 30)")
    train.add_argument("--plot", type=path, metavar="FILE", help="draw the loss curves there, too")
    for command in (verify, check, lines, accuracy, train):
        command.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command, the process's own if none is given; its exit status is one of `commands.process`."""
    if arguments is None:
        return process.run("manual-grads", lambda: command(sys.argv[1:]))
    return process.status("manual-grads", lambda: command(arguments))


def command(arguments: Sequence[str]) -> int:
    """Runs the command that the arguments name. What it imports (rich, chex, sympy, flint) isn't needed for --help."""
    given = list(arguments)
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help", "--version")):
        given.insert(0, "verify")
    top = parser()
    options = top.parse_args(given)
    if options.command in ("verify", "accuracy"):
        unknown = set(options.only or ()) - set(RULES)
        if unknown:
            top.error(f"--only {' '.join(sorted(unknown))}: no such rule; expected one of {', '.join(RULES)}")
    ignored = [word for word in ("only", "exhaustive", "seed", "search", "keep") if getattr(options, word, None)]
    if options.command == "accuracy" and options.plot and ignored:
        top.error(f"argument --plot: the pictures are always of the same; it goes without --{' --'.join(ignored)}")
    typed = options.command + (" --plot" if getattr(options, "plot", None) else "")
    extras.require(typed, extras.NEEDED[typed])
    process.require_device()
    if options.command == "accuracy" and options.search and options.exhaustive:
        top.error("argument --search: it goes without --exhaustive")
    if options.command == "accuracy" and options.keep and not options.search:
        top.error("argument --keep: it is for what a search finds; expected --search SECONDS, too")
    return run(options)


def run(options: argparse.Namespace) -> int:
    """Runs the command that the options name, of which all that it needs is there."""
    match options.command:
        case "train":
            from manual_grads.commands.train import train

            return train(options.epochs, options.seed, options.json, options.plot)
        case "lines":
            from manual_grads.commands.lines import lines

            return lines(options.task, options.seed, options.json)
        case "check":
            from manual_grads.commands.check import check

            return check(options.target, options.seed, options.json)
        case "accuracy" if options.plot:
            from manual_grads.commands.accuracy import draw

            return draw(options.plot, options.json)
        case "accuracy" if options.search:
            from manual_grads.commands.search import search_for

            return search_for(options.only, options.seed, options.search, options.keep, options.json)
        case "accuracy":
            from manual_grads.commands.accuracy import accuracy

            return accuracy(options.only, options.seed, options.json, options.exhaustive)
        case _:
            from manual_grads.commands.verify import verify

            return verify(options.only, options.seed, options.json)


if __name__ == "__main__":
    sys.exit(main())
