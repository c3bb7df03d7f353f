"""Situations that users of the checker are in, each with the verdict that is true: a file for each kind."""

from collections.abc import Callable
from typing import Any, NamedTuple

from manual_grads.checking import GradientMismatch, check_gradient


class Situation(NamedTuple):
    """A claim, and what is asked of the check."""

    name: str
    right: bool
    forward: Any
    manual: Callable[..., Any]
    args: Any
    options: dict[str, Any]


class Situations(list[Situation]):
    """Those of one kind, to be added by `right(name, forward, manual, args, …)` and `wrong(…)`."""

    def right(self, name: str, forward: Any, manual: Callable[..., Any], *args: Any, **options: Any) -> None:
        """One that must pass."""
        self.append(Situation(name, True, forward, manual, args, options))

    def wrong(self, name: str, forward: Any, manual: Callable[..., Any], *args: Any, **options: Any) -> None:
        """One that must be rejected."""
        self.append(Situation(name, False, forward, manual, args, options))


def verdict(situation: Situation, **options: Any) -> str:
    """What the check says: "passed", or the text of the rejection."""
    try:
        check_gradient(situation.forward, situation.manual, situation.args, **(situation.options | options))
    except GradientMismatch as error:
        return str(error)
    return "passed"
