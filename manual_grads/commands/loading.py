"""The rules that somebody's own file registers."""

import importlib
import importlib.util
import os
import sys
from pathlib import Path

from manual_grads.checking.raised import told
from manual_grads.commands.process import BadInput
from manual_grads.rules import RULES, Rule


def rules_of(target: str) -> list[Rule]:
    """The rules that a file, or a module with its submodules, registers with `@derivative_of`.

    While it is imported, the registry holds its rules alone: they may have the names of this package's own.

    Raises:
        BadInput: if there is no such file or module, it can't be imported, or it registers nothing.
    """
    if not target.strip():
        raise BadInput(f"{target!r} names nothing; expected a Python file, or the name of a module")
    path = Path(target)
    is_package = os.path.isdir(path) and os.path.isfile(path / "__init__.py")
    is_file = path.suffix == ".py" or os.path.isfile(path)
    if os.path.isdir(path) and not is_package:
        raise BadInput(f"{target} is a folder; expected a Python file{_candidates(path)}, or the name of a module")
    if is_file and not os.path.isfile(path):
        raise BadInput(f"{target}: no such file; expected a Python file, or the name of a module")
    if is_file and path.suffix != ".py":
        raise BadInput(f"{target} isn't a Python file: its name doesn't end in .py")
    sys.path.insert(0, str(path.resolve().parent if is_file or is_package else Path.cwd()))
    others = dict(RULES)
    RULES.clear()
    name = path.stem if is_file else path.resolve().name if is_package else target
    try:
        _import(name, path if is_file else None)
        found = dict(RULES)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever it is: sys.exit, and what pytest raises to skip a file
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            raise BadInput(
                f"{target}: no such file or module; expected a Python file, or the name of a module"
            ) from error
        raise BadInput(f"{target} can't be imported: {told(error, target)}") from error
    finally:
        sys.path.pop(0)
        RULES.clear()
        RULES.update(others)
    already = [rule for rule in others.values() if f"{rule.manual.__module__}.".startswith(f"{name}.")]
    rules = list(found.values()) or already
    if not rules:
        raise BadInput(
            f"{target} registers no rule: decorate a gradient with @derivative_of(forward, by=…, example=…), which "
            "manual_grads.rules has"
        )
    return rules


def _candidates(folder: Path) -> str:
    """Files of a folder that may register rules, as a part of a sentence."""
    files = [file for file in sorted(folder.rglob("*.py")) if file.is_file() and os.access(file, os.R_OK)]
    files = [file for file in files if b"derivative_of" in file.read_bytes()]
    return f" such as {' or '.join(map(str, files[:3]))}" if files else ""


def _import(name: str, path: Path | None) -> None:
    if path is None:
        importlib.import_module(name)
        return
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # as dataclasses and pickling expect
    spec.loader.exec_module(module)
