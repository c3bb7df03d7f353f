"""Every rule measured in every format: in two threads, on the inputs of each size and kind of labels."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax.numpy as jnp
import numpy as np

from manual_grads.accuracy import inputs, survey, sweep
from manual_grads.accuracy.promises import bound, derived
from manual_grads.accuracy.survey import Measured
from manual_grads.rules import Rule

COMPARED = ("plain", "jax.nn")  # forwards
CLASSES, ALL_CLASSES = (10,), (1, 2, 3, 10, 200, 10_000, 100_000)
SPREAD = 2**22  # of float32's 2³² numbers; the test suite tries four times as many


def measure_all(jobs: list[tuple[Rule, str]], seed: int, exhaustive: bool) -> Iterator[Measured]:
    """The rules measured, in order: compiled and run in two threads, while the true values are computed in this one."""
    pool = ThreadPoolExecutor(2)
    try:
        pending = []
        for rule, dtype in jobs:
            if rule.name in sweep.REFERENCES and dtype != "float64":
                sweep.certify(rule.name, jnp.dtype(dtype), seed=seed)  # here, since flint's precision is global
                pending.append((rule, dtype, pool.submit(swept, rule, dtype, seed, exhaustive), ()))
                continue
            groups = list(groups_of(rule, dtype, seed, exhaustive))
            results = [pool.submit(run_all, rule, dtype, cases, i == 0 or exhaustive) for i, cases in enumerate(groups)]
            pending.append((rule, dtype, results, groups))
        for rule, dtype, results, groups in pending:
            if not groups:
                yield results.result()
                continue
            known = (survey.known(rule, jnp.dtype(dtype), cases) for cases in groups)
            yield survey.measured(rule, dtype, ((r.result(), k) for r, k in zip(results, known, strict=True)))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # whoever reads has left, or something failed: leave, too


def groups_of(rule: Rule, dtype: str, seed: int, exhaustive: bool) -> Iterator[inputs.Cases]:
    """The cases of every size and kind of labels that a rule is measured on, those for autodiff first.

    Distributions include one-hot ones: class indices are tried besides in float32 alone, lest it take more than a
    minute, nearly all of it compilation. The test suite makes every combination.
    """
    kinds = inputs.LABELS[::-1] if len(rule.label_kinds) > 1 else inputs.LABELS[:1]
    matrices = any(word in rule.name for word in ("jacobian", "hessian"))
    for classes in ALL_CLASSES if exhaustive else CLASSES:
        for kind in kinds if exhaustive or dtype == "float32" else kinds[:1]:
            if not (matrices and classes > 10):
                yield inputs.cases(rule, jnp.dtype(dtype), classes, kind, seed)


def run_all(rule: Rule, dtype: str, cases: inputs.Cases, compare: bool) -> dict[str, Any]:
    """The results by hand, and for comparison those by autodiff."""
    got = survey.run(survey.autodiff(rule, dtype), dtype, cases.args) if compare else {}
    return {"by hand": survey.run(survey.for_each_example(rule), dtype, cases.args), **got}


def swept(rule: Rule, dtype: str, seed: int, exhaustive: bool) -> Measured:
    """A function of one number, at all numbers of a 16-bit format, at 2²² or all 2³² of float32."""
    format_, bits = jnp.dtype(dtype), jnp.finfo(dtype).bits
    count = 2**bits if exhaustive or bits == 16 else SPREAD
    promised = bound(rule, (np.float64(0),), format_)
    by_hand = sweep.sweep(rule.name, rule.manual, format_, sweep.spread(format_, count, seed), promised)
    compared = {}
    for name in COMPARED:
        # A comparison, not what is certified: 2²² numbers show what it does.
        numbers = sweep.spread(format_, min(count, SPREAD), seed)
        one = survey.autodiff(rule, dtype)
        compared[name] = sweep.sweep(rule.name, lambda z, one=one, name=name: one(z)[name], format_, numbers, promised)
    at_most = derived(rule, (np.float64(0),), format_)
    return Measured(rule=rule, dtype=dtype, inputs=count, derived=at_most, by_hand=by_hand, autodiff=compared)
