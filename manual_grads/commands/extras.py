"""What a command needs beyond JAX, and what to install where that is missing: looked at before it begins."""

import importlib.util
from collections.abc import Iterable

from manual_grads.commands.process import BadInput

# By extra, in the order in which one includes those before it: the package that has each module.
PACKAGES = {
    "verify": {
        "chex": "chex",
        "flint": "python-flint",
        "optax": "optax",
        "rich": "rich",
        "sklearn": "scikit-learn",
        "sympy": "sympy",
    },
    "plot": {"matplotlib": "matplotlib"},
    "bench": {},
}
NEEDED = {
    "verify": ("chex", "flint", "rich", "sklearn", "sympy"),
    "check": ("chex", "flint", "rich", "sympy"),
    "lines": ("flint", "rich", "sympy"),
    "accuracy": ("flint", "optax", "rich"),
    "accuracy --plot": ("flint", "matplotlib", "optax", "rich"),
    "train": ("optax", "rich", "sklearn"),
    "train --plot": ("matplotlib", "optax", "rich", "sklearn"),
}


def require(command: str, modules: Iterable[str], extra: str | None = None) -> None:
    """Does nothing where a command has what it needs.

    Args:
        command: as it is typed.
        modules: what it imports.
        extra: what to install; if None, the least extra that has them.

    Raises:
        BadInput: if something is missing: all that is, and how to install it.
    """
    missing = [module for module in modules if not is_there(module)]
    if not missing:
        return
    package_of = {module: package for packages in PACKAGES.values() for module, package in packages.items()}
    extra = extra or [name for name, packages in PACKAGES.items() if set(packages) & set(missing)][-1]
    names = sorted(package_of[module] for module in missing)
    isnt = "isn't" if len(names) == 1 else "aren't"
    raise BadInput(
        f"{command} needs {listed(names)}, which {isnt} installed here. In a clone of this repository: "
        f"pip install '.[{extra}]'; elsewhere: pip install {' '.join(names)}"
    )


def is_there(module: str) -> bool:
    """Whether a module can be imported, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def listed(names: list[str]) -> str:
    """Names, as they are listed in a sentence."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
