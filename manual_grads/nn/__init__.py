"""Drop-in replacements for functions of `jax.nn` and optax, whose derivatives are the document's own.

The names, signatures and semantics are theirs; values and derivatives are computed by this package's accurate formulas.
"""

from manual_grads.nn.cross_entropy import softmax_cross_entropy, softmax_cross_entropy_with_integer_labels
from manual_grads.nn.sigmoid import sigmoid
from manual_grads.nn.softmax import log_softmax, softmax
from manual_grads.nn.two_layer import two_layer_loss

__all__ = [
    "log_softmax",
    "sigmoid",
    "softmax",
    "softmax_cross_entropy",
    "softmax_cross_entropy_with_integer_labels",
    "two_layer_loss",
]
