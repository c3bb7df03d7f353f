"""`manual-grads check`: the rules that somebody's own file or module registers, verified as this package's are."""

from manual_grads.commands.loading import rules_of
from manual_grads.commands.verify import verify_rules


def check(target: str, seed: int, as_json: bool) -> int:
    """Verifies the rules that a file or a module registers."""
    return verify_rules("check", rules_of(target), seed, as_json)
