"""Drop-in replacements for functions of `jax.nn` and optax, whose derivatives are the document's own.

The names, signatures and semantics are theirs; values and derivatives are computed by this package's accurate formulas.
`linear_softmax_cross_entropy` is the last layer of a network with many classes, which they lack.
"""

from manual_grads.nn.cross_entropy import softmax_cross_entropy, softmax_cross_entropy_with_integer_labels
from manual_grads.nn.linear_cross_entropy import linear_softmax_cross_entropy
from manual_grads.nn.sigmoid import sigmoid
from manual_grads.nn.softmax import log_softmax, softmax
from manual_grads.nn.two_layer import two_layer_loss

__all__ = [
    "linear_softmax_cross_entropy",
    "log_softmax",
    "sigmoid",
    "softmax",
    "softmax_cross_entropy",
    "softmax_cross_entropy_with_integer_labels",
    "two_layer_loss",
]
