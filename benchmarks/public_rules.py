"""Public derivative rules under checkers: those of JAX and optax, and the same with mistakes planted in them."""

import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.test_util import check_grads
from rich.progress import track

from manual_grads.checking import check_rule
from tests.checking.public_rules.functions import RULES, PublicRule
from tests.checking.public_rules.planted import PLANTED, with_mistake


def ours_quick(public: PublicRule) -> None:
    """This package's checker, at its quickest."""
    check_rule(public.f, public.args, thorough=False, repair_seconds=0, **public.options)


def jax_check_grads(public: PublicRule) -> None:
    """`jax.test_util.check_grads`, first order, reverse mode, its default tolerances, at the example."""
    check_grads(public.f, jax.tree.map(jnp.asarray, public.args), order=1, modes=["rev"])


CHECKERS: dict[str, Callable[[PublicRule], None]] = {
    "`check_rule(thorough=False)`": ours_quick,
    "`jax.test_util.check_grads`": jax_check_grads,
}


def passes(checker: Callable[[PublicRule], None], public: PublicRule) -> bool:
    """Whether it passes; an exception counts as a rejection."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            checker(public)
    except Exception:  # GradientMismatch, AssertionError, or what the rule itself raises
        return False
    return True


def survey(names: list[str] | None = None) -> dict[str, dict[str, Any]]:
    """For each checker: the mistakes it let pass, the public rules it rejected, and its seconds for each of these."""
    chosen = list(RULES) if names is None else names
    found: dict[str, dict[str, Any]] = {name: {"missed": [], "false alarms": [], "seconds": []} for name in CHECKERS}
    right = [(name, False, RULES[name]) for name in chosen]
    planted = [(f"{name}: {m}", True, with_mistake(name, m)) for name in chosen for m in PLANTED.get(name, ())]
    for name, is_wrong, public in track(right + planted, "public rules", disable=not sys.stdout.isatty()):
        for checker, check in CHECKERS.items():
            jax.clear_caches()  # or it would find what the one before has compiled
            start = time.perf_counter()
            passed = passes(check, public)
            if not is_wrong:
                found[checker]["seconds"].append(time.perf_counter() - start)
            if passed == is_wrong:
                found[checker]["missed" if is_wrong else "false alarms"].append(name)
    return found


def table(found: dict[str, dict[str, Any]]) -> str:
    """The survey as a section of Markdown."""
    mistakes = 2 * len(PLANTED)
    rows = ["| checker | mistakes that pass | public rules rejected | median seconds of these |", "|---|---|---|---|"]
    details = []
    for name, of in found.items():
        missed, alarms = of["missed"], of["false alarms"]
        counts = f"{len(missed)} of {mistakes} | {len(alarms)} of {len(RULES)}"
        rows.append(f"| {name} | {counts} | {np.median(of['seconds']):.2g} |")
        if missed or alarms:
            text = f"lets pass: {'; '.join(missed) or 'none'}. It rejects: {'; '.join(alarms) or 'none'}."
            details.append(f"**{name}** {text}")
    head = HEAD.format(rules=len(RULES), functions=len(PLANTED))
    return head + "\n".join(rows) + "\n\n" + "\n\n".join(details) + "\n"


HEAD = """
## Public rules

`check_rule` asks whether the `custom_jvp` and `custom_vjp` rules in a function are its derivative. The corpus
([tests/checking/public_rules](../tests/checking/public_rules)) has the {rules} functions of `jax.nn`, `jax.numpy`,
`jax.scipy.special`, `jax.experimental` and optax that have such rules or call one, and in each of {functions} of them
two mistakes, planted one at a time. Our check tries them where they are meant to be used (`domain=`), `check_grads` at
the example.

"""
