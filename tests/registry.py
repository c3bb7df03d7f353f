"""The registry as pytest parameters: every rule, with each kind of labels that it takes."""

import pytest

import manual_grads  # noqa: F401 - registers the rules
from manual_grads.accuracy.promises import PROMISES
from manual_grads.rules import RULES

# One worker a rule, so that its references are compiled once.
RULES_AND_LABELS = [
    pytest.param(
        rule,
        soft_labels,
        id=f"{rule.name}-{'distribution' if soft_labels else 'integer'}" if len(rule.label_kinds) > 1 else rule.name,
        marks=pytest.mark.xdist_group(rule.name),
    )
    for rule in RULES.values()
    for soft_labels in rule.label_kinds
]

# Those whose accuracy is promised; of a new rule, it need not be.
PROMISED_RULES = [RULES[name] for name in PROMISES]
PROMISED_RULES_AND_LABELS = [param for param in RULES_AND_LABELS if param.values[0] in PROMISED_RULES]
