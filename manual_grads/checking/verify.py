"""The verdict on a rule: its claim checked for one example and for a batch, with each kind of labels it takes."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from manual_grads.checking.check import check_gradient
from manual_grads.checking.raised import told, written_at
from manual_grads.checking.report import GradientMismatch, Report, Row
from manual_grads.rules import FLOATS, Rule, Sizes, batched

BATCH = (2, 3)  # unequal to each other; an example has other sizes


class RuleVerdict(NamedTuple):
    """What was found for a rule."""

    rule: Rule
    reports: list[Report]
    failures: list[str]

    @property
    def rows(self) -> list[Row]:
        """Every check that was made."""
        return [row for report in self.reports for row in report.rows]

    @property
    def passed(self) -> bool:
        """Whether everything held."""
        return not self.failures


def verify_rule(rule: Rule, seed: int = 0, thorough: bool = True) -> RuleVerdict:
    """Checks a rule's claim; whatever fails or raises is recorded, not raised. Ctrl-C alone is."""
    verdict = RuleVerdict(rule, [], [])

    def attempt(what: str, function: Callable[[], Any]) -> Any:
        try:
            return function()
        except GradientMismatch as mismatch:
            verdict.reports.append(mismatch.report)
            verdict.failures.append(f"{rule.name}, {what}:\n{mismatch}")
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a broken rule is a row of the table, whatever it raises: sys.exit too
            verdict.failures.append(f"{rule.name}, {what}: {told(error, written_at(rule.manual) or rule.name)}")

    for what, args, by, dtypes, whole in attempt("drawing its example", lambda: list(claims(rule, seed))) or ():
        check = partial(check_gradient, rule.forward, rule.manual, args, by, dtypes=dtypes, seed=seed)
        if report := attempt(what, partial(check, thorough=thorough and whole)):
            verdict.reports.append(report)
    return verdict


def claims(rule: Rule, seed: int) -> Iterator[tuple[str, tuple[Any, ...], Any, Any, bool]]:
    """What a rule claims, as (its name, arguments, transform, formats, whether to be thorough).

    Of one example, quickly, in every format; of a batch, by every transform. A rule whose `example` takes no notice of
    `sizes.batch` claims nothing of batches, and so with `sizes.soft_labels`.
    """
    seen = []
    for soft_labels in rule.label_kinds:
        kind = (", distributions" if soft_labels else ", class indices") if len(rule.label_kinds) > 1 else ""
        one, many = (
            rule.example(jax.random.key(seed), jnp.dtype("float32"), Sizes(batch=batch, soft_labels=soft_labels))
            for batch in ((), BATCH)
        )
        shapes = [(jnp.shape(x), jnp.result_type(x)) for x in one]
        if shapes in seen:
            continue
        seen.append(shapes)
        batch_axes = tuple(jnp.ndim(m) - jnp.ndim(o) for m, o in zip(many, one, strict=True))
        yield f"one example{kind}", one, rule.by, FLOATS, not any(batch_axes)
        if any(batch_axes):
            by = partial(batched, by=rule.by, batch_axes=batch_axes, summed=rule.summed)
            yield f"a batch{kind}", many, by, None, True
