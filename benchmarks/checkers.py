"""The kill list and public rules under other checkers: `python -m benchmarks.checkers [--write docs/checkers.md]`.

Every gradient of the corpus that `check_gradient` is tested on is given to what people use instead: as a `custom_vjp`
of the forward to `jax.test_util.check_grads` and `chex.assert_numerical_grads`, which look at derivatives only; and to
`allclose` against `jax.grad`, at the example, with NumPy's default tolerances. `public_rules.py` has the rules.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax.test_util import check_grads
from rich.progress import track

from benchmarks import public_rules, repairs
from manual_grads.checking import check_gradient
from manual_grads.commands import outputs, process
from tests.checking.corpus.right import RIGHT
from tests.checking.corpus.wrong import WRONG

Entry = tuple[Any, Callable[..., Any], Any, Callable[..., Any]]  # forward, manual, args, by


class Unsuited(Exception):
    """What this checker can't be asked."""


def with_manual_vjp(entry: Entry) -> tuple[Callable[..., Any], list[Any]]:
    """The forward with the manual gradient as its derivative rule, and the arguments that are differentiated.

    Raises:
        Unsuited: if the claim isn't `jax.grad`'s, or the arguments come from a sampler.
    """
    forward, manual, args, by = entry
    argnums: Any = by.keywords.get("argnums", 0) if isinstance(by, partial) else 0
    if getattr(by, "func", by) is not jax.grad or callable(args):
        raise Unsuited
    places: tuple[int, ...] = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    def every(moved: Any) -> list[Any]:
        given = dict(zip(places, moved, strict=True))
        return [given.get(i, arg) for i, arg in enumerate(args)]

    @jax.custom_vjp
    def f(*moved: Any) -> Any:
        return forward(*every(moved))

    def backward(moved: Any, c: Any) -> Any:
        gradients = manual(*every(moved))
        gradients = (gradients,) if isinstance(argnums, int) else gradients
        return jax.tree.map(lambda g: c * g, tuple(gradients))

    f.defvjp(lambda *moved: (f(*moved), moved), backward)
    return f, [jax.tree.map(jnp.asarray, args[i]) for i in places]


def ours(entry: Entry) -> None:
    """This package's checker, at its defaults; what mends a rejected gradient isn't looked for."""
    forward, manual, args, by = entry
    check_gradient(forward, manual, args, by, repair_seconds=0)


def ours_quick(entry: Entry) -> None:
    """This package's checker, at its quickest."""
    forward, manual, args, by = entry
    check_gradient(forward, manual, args, by, thorough=False, repair_seconds=0)


def jax_check_grads(entry: Entry) -> None:
    """`jax.test_util.check_grads`, first order, reverse mode, its default tolerances."""
    f, moved = with_manual_vjp(entry)
    check_grads(f, moved, order=1, modes=["rev"])


def chex_numerical_grads(entry: Entry) -> None:
    """`chex.assert_numerical_grads`, first order, reverse mode, its default tolerance."""
    f, moved = with_manual_vjp(entry)
    chex.assert_numerical_grads(f, moved, order=1, modes=["rev"])


def allclose(entry: Entry) -> None:
    """`allclose` against `by(forward)` at the example: NumPy's default tolerances."""
    forward, manual, args, by = entry
    drawn: Any = args(jax.random.key(0)) if callable(args) else args
    given = jax.tree.map(jnp.asarray, tuple(drawn))
    got, want = manual(*given), by(forward)(*given)
    for g, w in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(np.asarray(g, np.float64), np.asarray(w, np.float64), rtol=1e-5, atol=1e-8)


CHECKERS: dict[str, Callable[[Entry], None]] = {
    "`check_gradient`": ours,
    "`check_gradient(thorough=False)`": ours_quick,
    "`jax.test_util.check_grads`": jax_check_grads,
    "`chex.assert_numerical_grads`": chex_numerical_grads,
    "`numpy.allclose` to `jax.grad`": allclose,
}


def verdict(checker: Callable[[Entry], None], entry: Entry) -> str:
    """Whether it passes, is rejected (an exception of the gradient itself is a rejection), or can't be asked."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            checker(entry)
    except Unsuited:
        return "can't be asked"
    except Exception:  # GradientMismatch, AssertionError, or what the gradient itself raises
        return "rejected"
    return "passed"


def survey(names: list[str] | None = None) -> dict[str, dict[str, Any]]:
    """For each checker: the wrong ones it let pass, the right ones it rejected, what it can't be asked, its seconds."""
    wrong: list[tuple[str, bool, Entry]] = [(n, True, (*w[0][:1], w[1], *w[0][1:])) for n, w in WRONG.items()]
    entries = wrong + [(n, False, r) for n, r in RIGHT.items()]
    entries = [e for e in entries if names is None or e[0] in names]
    found: dict[str, dict[str, Any]] = {
        name: {"missed": [], "false alarms": [], "unasked wrong": [], "unasked right": [], "seconds": []}
        for name in CHECKERS
    }
    for name, is_wrong, entry in track(entries, "checking", disable=not sys.stdout.isatty()):
        for checker, check in CHECKERS.items():
            jax.clear_caches()  # or it would find what the one before has compiled
            start = time.perf_counter()
            said = verdict(check, entry)
            if said == "can't be asked":
                found[checker]["unasked wrong" if is_wrong else "unasked right"].append(name)
                continue
            found[checker]["seconds"].append(time.perf_counter() - start)
            if is_wrong and said == "passed":
                found[checker]["missed"].append(name)
            elif not is_wrong and said == "rejected":
                found[checker]["false alarms"].append(name)
    return found


def table(found: dict[str, dict[str, Any]]) -> str:
    """The survey as a page of Markdown."""
    rows = [
        "| checker | wrong ones that pass | right ones rejected | can't be asked | median seconds |",
        "|---|---|---|---|---|",
    ]
    details = []
    for name, of in found.items():
        asked = len(WRONG) - len(of["unasked wrong"]), len(RIGHT) - len(of["unasked right"])
        unasked = len(of["unasked wrong"]) + len(of["unasked right"])
        rows.append(
            f"| {name} | {len(of['missed'])} of {asked[0]} | {len(of['false alarms'])} of {asked[1]} | {unasked} "
            f"| {np.median(of['seconds']):.2g} |"
        )
        if of["missed"] or of["false alarms"]:
            missed, alarms = "; ".join(of["missed"]) or "none", "; ".join(of["false alarms"]) or "none"
            details.append(f"**{name}** lets pass: {missed}. It rejects: {alarms}.")
    versions = f"jax {jax.__version__}, chex {chex.__version__}, Python {sys.version.split()[0]}"
    return (
        HEAD.format(wrong=len(WRONG), right=len(RIGHT), versions=versions)
        + "\n".join(rows)
        + TAIL
        + "\n\n".join(details)
        + "\n"
    )


HEAD = """# Gradient checkers compared

Written by `python -m benchmarks.checkers --write docs/checkers.md` with {versions}.

The corpus that `check_gradient` is tested on ([tests/checking/corpus](../tests/checking/corpus)) holds {wrong} wrong
gradients and {right} right ones, in four formats, of functions from the sigmoid to a linear solve. Each is given to
what people use instead, with its default tolerances: as the `custom_vjp` of the forward function, to the two that
compare derivatives with finite differences along one direction (these can't be asked about Jacobians, products, or
arguments that are drawn), and at the example only, to `allclose`. An exception counts as a rejection.

"""
TAIL = """

The corpus is this project's own: none of it may pass `check_gradient`, or its tests fail. What the table says of the
others is what it is for. Seconds are of one run, compilation and our diagnosis of what is wrong included, the search
for what mends it not; only their ratios mean anything.

"""


def main(arguments: list[str] | None = None) -> int:
    """Prints the page, or writes it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checkers", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page there")
    options = parser.parse_args(arguments)
    run = process.run if arguments is None else process.status
    return run("python -m benchmarks.checkers", lambda: write(options.write))


def write(file: Path | None) -> int:
    """Prints the page, or writes it into a file."""
    if file:
        outputs.require_file("--write", file)
    page = table(survey()) + public_rules.table(public_rules.survey()) + repairs.table(repairs.survey())
    if file:
        file.write_text(page, encoding="utf-8")
    else:
        print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
