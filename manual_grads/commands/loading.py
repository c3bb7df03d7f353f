"""The rules that somebody's own file registers."""

import importlib
import importlib.util
import sys
from pathlib import Path

from manual_grads.rules import RULES, Rule


class NoRules(Exception):
    """There is nothing to check, and why."""


def rules_of(target: str) -> list[Rule]:
    """The rules that a file, or a module with its submodules, registers with `@derivative_of`.

    While it is imported, the registry holds its rules alone: they may have the names of this package's own.

    Raises:
        NoRules: if there is no such file or module, it can't be imported, or it registers nothing.
    """
    path = Path(target)
    is_file = path.suffix == ".py" or path.is_file()
    if is_file and not path.is_file():
        raise NoRules(f"{target}: no such file")
    sys.path.insert(0, str(path.resolve().parent if is_file else Path.cwd()))
    others = dict(RULES)
    RULES.clear()
    try:
        name = path.stem if is_file else target
        _import(name, path if is_file else None)
        found = dict(RULES)
    except Exception as error:
        raise NoRules(f"{target} can't be imported: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)
        RULES.clear()
        RULES.update(others)
    already = [rule for rule in others.values() if f"{rule.manual.__module__}.".startswith(f"{name}.")]
    rules = list(found.values()) or already
    if not rules:
        raise NoRules(
            f"{target} registers no rule: decorate a gradient with @derivative_of(forward, by=…, example=…), which "
            "manual_grads.rules has"
        )
    return rules


def _import(name: str, path: Path | None) -> None:
    if path is None:
        importlib.import_module(name)
        return
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # as dataclasses and pickling expect
    spec.loader.exec_module(module)
