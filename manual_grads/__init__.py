"""Hand-written gradients in JAX: the sigmoid, softmax and log-loss, and a two-layer network."""

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
