"""The loss of a linear layer and its gradients in float64, and how far from them a float32 computation may be."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Result(NamedTuple):
    loss: np.ndarray  # one per example
    dh: np.ndarray
    dB: np.ndarray


def problem(examples, hidden, classes, dtype="float32", scale=1.0, seed=0):
    """Random h, B and y of any dtype, float64 included."""
    random = np.random.default_rng(seed)
    h = scale * random.normal(size=(examples, hidden))
    B = random.normal(size=(classes, hidden))
    with jax.enable_x64(True):  # for the conversion alone: NumPy has no bfloat16
        h, B = (np.asarray(jnp.asarray(x, dtype)) for x in (h, B))
    return h, B, random.integers(0, classes, examples)


def truth(h, B, y, c):
    """The losses R and the gradients of c · R; and Result of bounds, componentwise, for a unit roundoff of 1.

    A logit that is a sum of H products is wrong by at most H |h| · |B|; G by 2 of these, relatively, from its own and
    the normalizer's, and by the additions that the normalizer and the gradients take. A weight c is exact here.
    """
    h, B = np.asarray(h, np.float64), np.asarray(B, np.float64)
    s = h @ B.T
    top = s.max(1, keepdims=True)
    log_z = top + np.log(np.exp(s - top).sum(1, keepdims=True))
    label = np.arange(len(B)) == y[:, None]
    others = np.where(label, 0, np.exp(s - log_z))
    G = c[:, None] * np.where(label, -others.sum(1, keepdims=True), others)
    # R = −ln(1 − Σ others) keeps its digits where R is small, and ln Z − s_y where it is large.
    loss = (log_z - s[np.arange(len(h)), y][:, None])[:, 0]
    loss = np.where(loss < 0.5, -np.log1p(-np.minimum(others.sum(1), 0.5)), loss)

    logit = (h.shape[1] + 2) * (abs(h) @ abs(B).T).max(initial=0)
    relative = 2 * logit + len(B) + len(h) + 16
    bounds = Result(
        loss=2 * logit + (len(B) + 16) * abs(loss), dh=relative * (abs(G) @ abs(B)), dB=relative * (abs(G).T @ abs(h))
    )
    return Result(loss, G @ B, G.T @ h), bounds


def check(got, want, bounds, roundoff, stored=0.0):
    """Asserts that `got` is within the bounds for this unit roundoff; its numbers may be stored to another one."""
    for name, value, true, bound in zip(Result._fields, got, want, bounds, strict=True):
        error = abs(np.asarray(value, np.float64) - true)
        allowed = roundoff * bound + (stored * abs(true) if name != "loss" else 0) + TINY
        assert (error <= allowed).all(), (name, np.max(error / allowed))


TINY = 1e-37  # XLA on CPU flushes what is subnormal in float32
