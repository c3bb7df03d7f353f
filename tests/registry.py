"""The registry as pytest parameters: every rule, with each kind of labels that it takes."""

from collections.abc import Iterable

import pytest

import manual_grads  # noqa: F401 - registers the rules
from manual_grads.accuracy.promises import PROMISES
from manual_grads.rules import RULES, Rule


def with_labels(rules: Iterable[Rule]) -> list:
    """Parameters `rule, soft_labels`."""
    return [
        pytest.param(
            rule,
            soft_labels,
            id=f"{rule.name}-{'distribution' if soft_labels else 'integer'}"
            if len(rule.label_kinds) > 1
            else rule.name,
        )
        for rule in rules
        for soft_labels in rule.label_kinds
    ]


RULES_AND_LABELS = with_labels(RULES.values())
PROMISED_RULES = [RULES[name] for name in PROMISES]  # a new rule's accuracy need not be promised
PROMISED_RULES_AND_LABELS = with_labels(PROMISED_RULES)
