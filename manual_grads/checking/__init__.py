"""Verifying hand-written derivatives: `check_gradient`, and the claims of the registry against three oracles."""

from manual_grads.checking.check import check_gradient
from manual_grads.checking.report import GradientMismatch, Report
from manual_grads.checking.rule import check_rule

__all__ = ["GradientMismatch", "Report", "check_gradient", "check_rule"]
