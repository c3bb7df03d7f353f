"""The command line: `python -m manual_grads`, installed as `manual-grads`."""

import argparse
import sys
from collections.abc import Sequence

TASKS = ("18", "19", "19.1", "19.2", "19.3", "21")


def parser() -> argparse.ArgumentParser:
    """The arguments of every command."""
    top = argparse.ArgumentParser(
        prog="manual-grads",
        description="Gradients derived by hand, verified against JAX's. With no command: verify.",
    )
    commands = top.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", help="verify every rule, every line, and the network on data")
    verify.add_argument("--only", metavar="NAME", action="append", help="verify this rule alone (may be repeated)")
    verify.add_argument("--seed", type=int, default=0, help="seed of the random inputs (default: 0)")
    lines = commands.add_parser("lines", help="the document's lines in order, each with its verdict")
    lines.add_argument("task", nargs="?", choices=TASKS, metavar="TASK", help=f"{', '.join(TASKS)} (default: all)")
    lines.add_argument("--seed", type=int, default=0, help="seed of the random inputs (default: 0)")
    for command in (verify, lines):
        command.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns 0 if everything holds, 1 if anything fails, 2 for bad usage."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help")):
        given.insert(0, "verify")
    top = parser()
    options = top.parse_args(given)
    try:
        from manual_grads import commands  # rich, chex, sympy and flint: not for --help
    except ModuleNotFoundError as missing:
        print(f"{missing}; install what the command needs: pip install 'manual-grads[verify]'", file=sys.stderr)
        return 2
    if options.command == "lines":
        return commands.lines(options.task, options.seed, options.json)
    unknown = set(options.only or ()) - set(commands.RULES)
    if unknown:
        top.error(f"--only {' '.join(sorted(unknown))}: no such rule; expected one of {', '.join(commands.RULES)}")
    return commands.verify(options.only, options.seed, options.json)


if __name__ == "__main__":
    sys.exit(main())
