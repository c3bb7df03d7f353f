"""Hand-written gradients in JAX: the sigmoid, softmax and log-loss, and a two-layer network."""

import importlib
from typing import TYPE_CHECKING, Any

from manual_grads import program, versions  # noqa: F401 - first: before JAX; and before what an older JAX lacks
from manual_grads.formulas.linear_softmax_cross_entropy import linear_softmax_cross_entropy_grads
from manual_grads.formulas.logloss import logloss, logloss_grad
from manual_grads.formulas.sigmoid import sigmoid, sigmoid_grad, sigmoid_jacobian
from manual_grads.formulas.softmax import log_softmax, softmax, softmax_jacobian, softmax_jvp, softmax_vjp
from manual_grads.formulas.softmax_cross_entropy import (
    softmax_cross_entropy,
    softmax_cross_entropy_grad,
    softmax_cross_entropy_hessian,
    softmax_cross_entropy_hvp,
    softmax_cross_entropy_jvp,
    softmax_cross_entropy_vjp,
)
from manual_grads.formulas.two_layer import two_layer_grads, two_layer_jacobians, two_layer_loss, two_layer_vjp

__all__ = [
    "linear_softmax_cross_entropy_grads",
    "log_softmax",
    "logloss",
    "logloss_grad",
    "sigmoid",
    "sigmoid_grad",
    "sigmoid_jacobian",
    "softmax",
    "softmax_cross_entropy",
    "softmax_cross_entropy_grad",
    "softmax_cross_entropy_hessian",
    "softmax_cross_entropy_hvp",
    "softmax_cross_entropy_jvp",
    "softmax_cross_entropy_vjp",
    "softmax_jacobian",
    "softmax_jvp",
    "softmax_vjp",
    "two_layer_grads",
    "two_layer_jacobians",
    "two_layer_loss",
    "two_layer_vjp",
]

_MODULES = ("checking", "nn", "rules")  # imported when they are first asked for: they bring chex, and seconds

if TYPE_CHECKING:  # a `__getattr__` would hide every misspelt name from a type checker
    from manual_grads import checking as checking
    from manual_grads import nn as nn
    from manual_grads import rules as rules

    __version__: str
else:

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return importlib.import_module(f"{__name__}.{name}")
        if name == "__version__":
            return versions.own()
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES, "__version__", *(name for name in globals() if name.startswith("__"))})
