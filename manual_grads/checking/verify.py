"""The verdict on a rule: its deviation from each oracle, and the calls and dtypes in which it holds."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.claims import (
    DTYPES,
    Call,
    as_float64,
    assert_close,
    calls,
    deviation,
    evaluate,
    label_kinds,
    reference,
)
from manual_grads.checking.oracles import ORACLES
from manual_grads.rules import Rule

# The command is to take less than a minute, nearly all of it compilation: every call and both kinds of labels in
# float32, this one call with class indices in the other dtypes. The test suite makes every combination.
EVERYTHING_IN, ELSEWHERE = "float32", "batch"


class Report(NamedTuple):
    """What was found for a rule, over both kinds of labels if it takes any."""

    rule: Rule
    deviations: dict[str, float]  # float64, per oracle: largest error relative to the output's largest entry
    calls: dict[str, bool]
    dtypes: dict[str, bool]
    failures: list[str]

    @property
    def passed(self) -> bool:
        """Whether everything held."""
        return not self.failures


def verify_rule(rule: Rule, seed: int = 0) -> Report:
    """Verifies a rule's claim, jitted; whatever fails or raises is recorded, not raised."""
    report = Report(rule, dict.fromkeys(ORACLES, 0.0), {}, dict.fromkeys(DTYPES, True), [])
    for soft_labels in label_kinds(rule):
        for dtype in (EVERYTHING_IN,) if soft_labels else DTYPES:
            with jax.enable_x64(dtype == "float64"):
                some_calls = calls(rule, dtype, soft_labels, seed)
                _verify_calls(report, some_calls, dtype, seed)
    return report


def _verify_calls(report: Report, some_calls: list[Call], dtype: str, seed: int) -> None:
    rule = report.rule
    wants = {oracle: reference(rule, oracle, some_calls) for oracle in ORACLES}
    chosen = [i for i, call in enumerate(some_calls) if dtype == EVERYTHING_IN or call.name == ELSEWHERE]
    try:
        gots = evaluate(rule, [some_calls[i] for i in chosen], jit=True)
    except Exception as error:  # a broken rule is a row of the table, whatever it raises
        report.dtypes[dtype] = False
        report.failures.append(f"{rule.name}, {dtype}: {type(error).__name__}: {error}")
        return
    for oracle, want in wants.items():
        for i, got in zip(chosen, gots, strict=True):
            call, wanted = some_calls[i], want[i]
            report.calls.setdefault(call.name, True)
            try:
                assert_close(got, wanted, dtype, oracle)
            except AssertionError as error:
                report.calls[call.name] = report.dtypes[dtype] = False
                report.failures.append(f"{rule.name}, {dtype}, {call.name}, seed {seed}, against {oracle}: {error}")
            else:
                if dtype == "float64":
                    report.deviations[oracle] = max(report.deviations[oracle], deviation(got, wanted))


class DigitsReport(NamedTuple):
    """The network's gradients for the whole data set, by hand, against `jax.grad` in float64."""

    examples: int
    deviations: dict[str, float]  # per dtype
    bounds: dict[str, float]
    failures: list[str]

    @property
    def passed(self) -> bool:
        """Whether every deviation is within its bound."""
        return not self.failures


def verify_on_digits(rule: Rule, seed: int = 0, hidden: int = 32) -> DigitsReport:
    """`two_layer_grads` on the UCI handwritten digits: 1,797 images of 8 × 8, 10 classes.

    A sum of n terms has an error of at most n·u times the sum of their absolute values (Higham, "Accuracy and Stability
    of Numerical Algorithms", section 3.1), and each term some 32 roundings of its own: that is the bound, relative to
    the largest entry of each gradient.
    """
    from sklearn.datasets import load_digits  # slow to import

    images, labels = load_digits(return_X_y=True)
    random = np.random.default_rng(seed)
    n, inputs = images.shape
    network = (images / 16, random.normal(0, inputs**-0.5, (hidden, inputs)), random.normal(0, 1, (10, hidden)))
    report = DigitsReport(n, {}, {}, [])
    for dtype in ("float32", "float64"):
        with jax.enable_x64(True):
            rounded = [as_float64(jnp.asarray(array, dtype)) for array in network]
            per_example = jax.jit(jax.vmap(rule.by(rule.forward), in_axes=(0, None, None, 0)))(*rounded, labels)
            truth = jax.tree.map(np.asarray, per_example)
            args = [array.astype(dtype) for array in rounded]
            got = jax.jit(rule.manual)(*args, labels)
        want = (truth[0], truth[1].sum(0), truth[2].sum(0))
        absolute = (np.abs(truth[0]), np.abs(truth[1]).sum(0), np.abs(truth[2]).sum(0))
        scale = max(float(a.max() / np.abs(w).max()) for a, w in zip(absolute, want, strict=True))
        report.deviations[dtype] = deviation(got, want)
        report.bounds[dtype] = (n + 32) * float(jnp.finfo(dtype).eps) / 2 * scale
        try:
            chex.assert_trees_all_equal_shapes(got, want)
            chex.assert_scalar_in(report.deviations[dtype], 0.0, report.bounds[dtype])
        except AssertionError as error:
            report.failures.append(f"{rule.name} on the digits, {dtype}: {error}")
    return report
