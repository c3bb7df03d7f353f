"""The loss of a linear layer and its gradients in float64, and how far from them a float32 computation may be."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Result(NamedTuple):
    loss: np.ndarray  # one per example
    dh: np.ndarray
    dB: np.ndarray
    dbias: Any = None
    dscale: Any = None


def problem(examples, hidden, classes, dtype="float32", scale=1.0, seed=0):
    """Random h, B and y of any dtype, float64 included."""
    random = np.random.default_rng(seed)
    h = scale * random.normal(size=(examples, hidden))
    B = random.normal(size=(classes, hidden))
    with jax.enable_x64(True):  # for the conversion alone: NumPy has no bfloat16
        h, B = (np.asarray(jnp.asarray(x, dtype)) for x in (h, B))
    return h, B, random.integers(0, classes, examples)


def truth(
    h,
    B,
    y,
    c,
    *,
    bias=None,
    soft_cap=None,
    logit_scale: Any = 1.0,
    label_smoothing=0.0,
    z_loss=0.0,
    weights=None,
    G_roundoff=0.0,
):
    """The losses and the gradients of c · losses; and Result of bounds, componentwise, for a unit roundoff of 1.

    A logit that is a sum of H products is wrong by at most H |h| · |B|; G by 2 of these, relatively, from its own and
    the normalizer's, and by the additions that the normalizer and the gradients take. A weight c is exact here. The
    options add terms to G, of which each has that error; z-loss has that of ln Z, too, and the cap's slope that of a
    logit relative to the cap. `G_roundoff` is what G is rounded to, relative to the unit roundoff.
    """
    h, B = np.asarray(h, np.float64), np.asarray(B, np.float64)
    b = np.zeros(len(B)) if bias is None else np.asarray(bias, np.float64)
    w = np.ones(len(h)) if weights is None else np.asarray(weights, np.float64)[y]
    logit_scale, (N, H), K = float(logit_scale), h.shape, len(B)
    s = logit_scale * (h @ B.T) + b
    slope = np.ones_like(s)
    if soft_cap is not None:
        slope = 1 / np.cosh(s / soft_cap) ** 2
        s = soft_cap * np.tanh(s / soft_cap)
    top = s.max(1, keepdims=True)
    log_z = top + np.log(np.exp(s - top).sum(1, keepdims=True))
    label = np.arange(K) == y[:, None]
    g = np.exp(s - log_z)
    others = np.where(label, 0, g)
    # R = −ln(1 − Σ others) keeps its digits where R is small, and ln Z − s_y where it is large.
    s_y = s[np.arange(N), y][:, None]
    R = (log_z - s_y)[:, 0]
    R = np.where(R < 0.5, -np.log1p(-np.minimum(others.sum(1), 0.5)), R)
    loss = R + (label_smoothing * (s_y - s).mean(1) if label_smoothing else 0)
    # G, as terms that are added up: g − I(k=y), what smoothing adds, and z-loss.
    terms = [
        (c * w)[:, None] * np.where(label, -others.sum(1, keepdims=True), others) * slope,
        (c * w)[:, None] * label_smoothing * (label - 1 / K) * slope,
        c[:, None] * 2 * z_loss * log_z * g * slope,
    ]
    G, magnitude = np.sum(terms, 0), np.abs(terms).sum(0)

    # Scale, bias and rounding take 4 more; a cap 12 of its result, which isn't larger: 5 ULP of XLA's tanh, and c.
    logit = (H + (16 if soft_cap else 4)) * abs(
        abs(logit_scale) * (abs(h) @ abs(B).T) + np.where(np.isfinite(b), abs(b), 0)
    ).max(initial=0)
    relative = 2 * logit * (1 + 1 / (soft_cap or np.inf)) + K + N + 16
    off = relative * magnitude + 2 * z_loss * abs(c)[:, None] * g * slope * logit + G_roundoff * abs(G)
    full = w * loss + z_loss * log_z[:, 0] ** 2
    bounds = Result(
        loss=w * (2 * logit + (K + 16) * abs(loss)) + z_loss * abs(log_z[:, 0]) * (2 * logit + 16 * abs(log_z[:, 0])),
        dh=abs(logit_scale) * (off @ abs(B)),
        dB=abs(logit_scale) * (off.T @ abs(h)),
        dbias=off.sum(0),
        dscale=(abs(h) * (off @ abs(B))).sum() + N * H * (abs(h) * (magnitude @ abs(B))).sum(),
    )
    dh = G @ B
    return Result(full, logit_scale * dh, logit_scale * (G.T @ h), G.sum(0), (h * dh).sum()), bounds


def check(got, want, bounds, roundoff, stored=0.0):
    """Asserts that `got` is within the bounds for this unit roundoff; its numbers may be stored to another one."""
    for name, value, true, bound in zip(Result._fields, got, want, bounds, strict=False):
        error = abs(np.asarray(value, np.float64) - true)
        allowed = roundoff * bound + (stored * abs(true) if name != "loss" else 0) + TINY
        assert (error <= allowed).all(), (name, np.max(error / allowed))


TINY = 1e-37  # XLA on CPU flushes what is subnormal in float32
