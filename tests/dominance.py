"""Rows of logits of which one class has a given share of everything, and their softmax's Jacobian in float64."""

import numpy as np


def dominated(share, classes=10, seed=0):
    """Float32 logits, a row for each share; class 3 has it, and the others the rest, unevenly."""
    share = np.asarray(share)
    others = np.random.default_rng(seed).uniform(0.5, 1.5, (len(share), classes))
    others[:, 3] = 0
    g = others / others.sum(-1, keepdims=True) * (1 - share[:, None])
    g[:, 3] = share
    return np.log(g).astype(np.float32)


def jacobian_of(logits):
    """$g_k (I(k=l) - g_l)$ of each row, 1 − g_k being the sum of the others: exact to some roundings of float64."""
    e = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    g = e / e.sum(-1, keepdims=True)
    diagonal = np.eye(g.shape[-1], dtype=bool)
    others = (~diagonal * g[:, None, :]).sum(-1)
    return np.where(diagonal, others[..., None], -g[:, None, :]) * g[..., None]


def ulp(got, want):
    """The largest error, in float32's units in the last place of the true value."""
    return np.max(np.abs(np.asarray(got, np.float64) - want) / np.spacing(np.abs(want).astype(np.float32)))
