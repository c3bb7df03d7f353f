r"""Two passes over the classes, a tile of logits at a time, for the loss $R = L(g(Bh))$ of Task 21 and its gradients.

A tile holds the logits of some classes, its rows, and of some examples, its columns. The first pass finds the
normalizers, and with them the losses,
$$m = \max_{k \neq y} s_k, \quad o = \sum_{k \neq y} e^{s_k - m}, \quad R = \ln(1 + o\,e^{m - s_y}), \quad
\ln Z = s_y + R,$$
and the second the gradients, where nothing cancels in the label's entry:
$$G_{kn} = e^{s_{kn} - \ln Z_n}, \quad G_{yn} = e^{-R_n} - 1, \quad dB = G h, \quad dh = G^T B.$$
What the options add to either is in `logits`.
"""

import operator
from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from manual_grads.formulas.stable.exponentials import once
from manual_grads.nn.linear_cross_entropy.logits import Tile, capped, logit_gradient, rows, tile_logits
from manual_grads.nn.linear_cross_entropy.mesh import (
    all_classes,
    first_class,
    first_of_largest,
    largest,
    total,
    varying_like,
)
from manual_grads.nn.linear_cross_entropy.options import (
    Indices,
    Layer,
    PerExample,
    Settings,
    Shares,
    Statistics,
    Weights,
)

# What dB will be written over, and what the other logits are kept in.
Memory = tuple[Weights | Tile | None, Tile | None]


class Running(NamedTuple):
    """What the first pass has found of the classes so far, of each example."""

    m: PerExample  # the largest logit but the label's
    o: PerExample  # Σ e^(s − m), without the label's
    spread: PerExample | None  # Σ (s_y − s), for label smoothing
    best: tuple[PerExample, Indices] | None  # the largest logit and its class, for the prediction


def normalizer_pass(
    layer: Layer, y: Indices, s_y: PerExample, memory: Memory, stored: int, tile: int, settings: Settings
) -> tuple[Memory, Running]:
    r"""$m = \max_{k \neq y} s_k$ and $o = \sum_{k \neq y} e^{s_k - m}$, of this device's classes.

    Leaves the logits in `memory`: of the first `stored` examples in what dB will be written over, of the others beside.
    They aren't capped there, since the cap's derivative needs them as they were.
    """
    finite_s_y = s_y if layer.bias is None else jnp.where(s_y == -jnp.inf, 0, s_y)

    def add(carry: tuple, first: Array | int, classes: int) -> tuple:
        (written, rest), so_far = carry
        s = tile_logits(layer, layer.h.T, first, classes, settings)
        if stored:
            written = with_rows(written, s[:, :stored], first)
        if rest is not None:
            rest = with_rows(rest, s[:, stored:], first)
        # Of the logits before the cap, which keeps their order until it rounds them to ties.
        best = None if so_far.best is None else larger(so_far.best, s, first)
        s = capped(s, settings)
        others = jnp.where(is_label(s, first, y), -jnp.inf, s)
        m = jnp.maximum(so_far.m, others.max(0))
        # Where there is none so far but the label's, or those masked by a bias of −∞, −∞ − (−∞) would be NaN.
        shift = jnp.where(m == -jnp.inf, 0, m)
        o = so_far.o * jnp.exp(so_far.m - shift) + jnp.exp(others - shift).sum(0)
        spread = None if so_far.spread is None else so_far.spread + (finite_s_y - s).sum(0)
        return (written, rest), Running(m, o, spread, best)

    nothing = jnp.zeros_like(s_y)
    running = Running(
        m=nothing - jnp.inf,
        o=nothing,
        spread=nothing if settings.label_smoothing else None,
        best=(nothing - jnp.inf, jnp.zeros(s_y.shape, jnp.int32)) if settings.has_aux else None,
    )
    start = varying_like((memory, running), layer.h, layer.B, *optional(layer.bias, layer.scale), s_y)
    return over_classes(add, start, layer.B.shape[0], tile)


def larger(best: tuple[PerExample, Indices], s: Tile, first: Array | int) -> tuple[PerExample, Indices]:
    """The largest logit and the first class that has it, of what was the largest so far and of a tile."""
    value, index = best
    top, at = s.max(0), first + s.argmax(0).astype(index.dtype)
    return jnp.maximum(value, top), jnp.where(top > value, at, index)


def statistics(running: Running, s_y: PerExample, layer: Layer, settings: Settings) -> Statistics:
    r"""$R = \ln(1 + o\,e^d)$ and $\ln Z = s_y + R$ with $d = m - s_y$, from what every device has found of its classes.

    For a positive d, $R = d + \ln(1 + (o - (1 - e^{-d})))$ and $\ln Z = m + (R - d)$, which don't overflow. The largest
    of all logits isn't what $s_y$ is subtracted from: where it is $s_y$, XLA need not have rounded both alike.

    Textbook: $-(s_y - \ln \sum_k e^{s_k})$, Task 19.3's line "−Σ_k I(y=k) (s_k − ln Σe^s_i)".
    """
    axis = settings.axis
    m = largest(running.m, axis)
    o = total(running.o * jnp.exp(running.m - jnp.where(m == -jnp.inf, 0, m)), axis)
    d = m - s_y
    ahead = jnp.maximum(d, 0)  # of the label's logit
    log_sum = jnp.log1p(o * jnp.exp(jnp.minimum(d, 0)) + jnp.expm1(-ahead))
    prediction = None
    if running.best is not None:
        value, index = running.best
        prediction = first_of_largest(value, index + first_class(layer.B.shape[0], axis), axis)
    return Statistics(
        loss=ahead + log_sum,
        log_z=jnp.maximum(m, s_y) + log_sum,
        spread=None if running.spread is None else total(running.spread, axis),
        prediction=prediction,
    )


def gradient_pass(
    layer: Layer,
    y: Indices,
    found: Statistics,
    shares: Shares,
    memory: Memory,
    stored: int,
    tile: int,
    settings: Settings,
    into: Layer | None = None,
) -> Layer:
    r"""$dh = \alpha\,G^T B$, $dB = \alpha\,G h$, $db = \sum_n G$ and $d\alpha = \sum_n h_n (G^T B)_n$.

    Here $G_{kn} = a_n g_{kn}$, and $-a_n (1 - g_{yn})$ for the label, without options. The gradient dB is written over
    `memory`, a tile at a time; or else, like db, added to what it is `into`.

    Textbook: Task 21's lines "(g − y)ᵀ σ(Ax)ᵀ" for dB, h being σ(Ax), and "(g − y) · B · diag(σ') · A" for dh, up to B.
    """
    written, rest = memory if into is None else (into.B, None)
    dtype, products = layer.dtype, settings.products
    classes_in_all = all_classes(layer.B.shape[0], settings.axis)
    bound = jnp.abs(shares.of_loss)
    if shares.of_normalizer is not None:
        bound += jnp.abs(2 * settings.z_loss * shares.of_normalizer * found.log_z)
    unit = products.scale(bound)

    def add(carry: tuple, first: Array | int, classes: int) -> tuple:
        dh_T, written, dbias = carry
        weights = rows(layer.B, first, classes)
        # The tile's logits: those kept, and those that are computed again.
        s = lax.dynamic_slice(written, (first, 0), (classes, stored))
        if rest is not None:
            s = jnp.concatenate([s, rows(rest, first, classes)], axis=1)
        elif stored < layer.h.shape[0]:
            again = tile_logits(layer, layer.h[stored:].T, first, classes, settings)
            s = jnp.concatenate([s, again], axis=1) if stored else again
        # The gradients with respect to them, and what is summed of those.
        G = logit_gradient(s, is_label(s, first, y), found, shares, settings, classes_in_all)
        if dbias is not None:
            dbias = with_rows(dbias, rows(dbias, first, classes) + G.sum(1), first)
        operands = products.operands(G if unit is None else G * unit)
        dB = summed(products.matmul(part, layer.h.astype(part.dtype), dtype) for part in operands)
        if layer.scale is not None:
            dB *= layer.scale.astype(dtype)
        if unit is not None:
            dB /= unit
        if into is not None:
            dB += rows(written, first, classes)
        written = with_rows(written, dB, first) if classes < layer.B.shape[0] else dB
        # XLA on a CPU multiplies untransposed matrices in half the time: hence dhᵀ, and Bᵀ that is really transposed.
        weights_T = once(weights.astype(operands[0].dtype).T)
        return summed([dh_T, *(products.matmul(weights_T, part, dtype) for part in operands)]), written, dbias

    dbias = None if layer.bias is None else jnp.zeros(layer.bias.shape, dtype) if into is None else into.bias
    start = (jnp.zeros(layer.h.shape[::-1], dtype), written, dbias)
    start = varying_like(start, layer.h, layer.B, shares.of_loss, found.loss, *optional(layer.bias, layer.scale))
    dh_T, dB, dbias = over_classes(add, start, layer.B.shape[0], tile)
    dh = dh_T.T if unit is None else dh_T.T / unit
    if layer.scale is None:
        return Layer(dh, dB, dbias)
    return Layer(layer.scale.astype(dtype) * dh, dB, dbias, (layer.h * dh).sum())


def over_classes(add: Callable[[tuple, Array | int, int], tuple], carry: tuple, classes: int, tile: int) -> tuple:
    """`add(carry, first, count)` for tiles of `tile` classes, and at last for those that are left over."""
    if tile >= classes:
        return add(carry, 0, classes)
    firsts = jnp.arange(0, classes - tile + 1, tile)
    carry, _ = lax.scan(lambda carry, first: (add(carry, first, tile), None), carry, firsts)
    rest = classes % tile
    return add(carry, classes - rest, rest) if rest else carry


def with_rows(x: Array, new: Array, first: Array | int) -> Array:
    """`x` with some rows replaced by `new` ones, in their first columns."""
    return new if new.shape == x.shape else lax.dynamic_update_slice(x, new, (first, *(0,) * (x.ndim - 1)))


def is_label(s: Tile, first: Array | int, y: Indices) -> Any:
    """Where the tile has a label's logit."""
    return (first + jnp.arange(s.shape[0]))[:, None] == y


def optional(*arrays: Array | None) -> list[Array]:
    """Those that are there."""
    return [x for x in arrays if x is not None]


def summed(terms: Iterable[Array]) -> Array:
    """Their sum, added up from the first."""
    return reduce(operator.add, terms)
