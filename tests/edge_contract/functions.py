"""The public functions, called together: the results that should be the same are a tuple under one name."""

import jax
import jax.numpy as jnp

import manual_grads as mg


def softmax(s, t):
    return {
        "softmax": mg.softmax(s),
        "log_softmax": mg.log_softmax(s),
        "jacobian": mg.softmax_jacobian(s),
        "product": (mg.softmax_jvp(s, t), mg.softmax_vjp(s, t)),
    }


def loss(s, y, t, c):
    return {
        "loss": mg.softmax_cross_entropy(s, y),
        "grad": mg.softmax_cross_entropy_grad(s, y),
        "loss_jvp": mg.softmax_cross_entropy_jvp(s, y, t),
        "loss_vjp": mg.softmax_cross_entropy_vjp(s, y, c),
        "hessian": mg.softmax_cross_entropy_hessian(s, y),
        "hvp": mg.softmax_cross_entropy_hvp(s, y, t),
    }


def both_labels(function, scores, label, *rest):
    """For class indices and for the same as one-hot distributions."""
    one_hot = (jnp.arange(scores.shape[-1]) == label[..., None]).astype(scores.dtype)
    return jax.tree.map(lambda *kinds: kinds, function(scores, label, *rest), function(scores, one_hot, *rest))


def everything(s, label, t, c):
    return softmax(s, t) | both_labels(loss, s, label, t, c)


def logloss(probs, y):
    return {"loss": mg.logloss(probs, y), "grad": mg.logloss_grad(probs, y)}


def logloss_of_label(probs, label):
    return both_labels(logloss, probs, label)


def sigmoid(z):
    return {"sigmoid": mg.sigmoid(z), "grad": mg.sigmoid_grad(z), "jacobian": mg.sigmoid_jacobian(z)}


def network(x, y, c, A, B):
    """dA and dB only of a single example: over a batch, they are sums."""
    dx, dA, dB = mg.two_layer_grads(x, A, B, y)
    cx, cA, cB = mg.two_layer_vjp(x, A, B, y, c)
    dv, _, dsigma, _ = mg.two_layer_jacobians(x, A, B, y)
    summed = {"dA": dA, "dB": dB, "vjp_A": cA, "vjp_B": cB} if x.ndim == 1 else {}
    return {"loss": mg.two_layer_loss(x, A, B, y), "dx": dx, "vjp_x": cx, "dv": dv, "dsigma": dsigma} | summed
