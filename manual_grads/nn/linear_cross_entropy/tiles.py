r"""Two passes over the classes, a tile of logits at a time, for the loss $R = L(g(Bh))$ of Task 21 and its gradients.

A tile holds the logits of some classes, its rows, and of some examples, its columns. The first pass finds the
normalizers, and with them the losses,
$$m = \max_k s_k, \quad o = \sum_{k \neq y} e^{s_k - m}, \quad \ln Z = m + \ln(o + e^{s_y - m}), \quad
R = (m - s_y) + \ln(1 + (o - (1 - e^{s_y - m}))),$$
and the second the gradients, where nothing cancels in the label's entry:
$$G_{kn} = e^{s_{kn} - \ln Z_n}, \quad G_{yn} = e^{-R_n} - 1, \quad dB = G h, \quad dh = G^T B.$$
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp
from jax import lax
from jax.lax import Precision
from jaxtyping import Array, Float, Int

from manual_grads.formulas.inputs import widened
from manual_grads.formulas.stable.exponentials import once
from manual_grads.nn.linear_cross_entropy.mesh import all_classes, first_class, largest, total, varying_like

Hidden = Float[Array, "examples hidden"]
Weights = Float[Array, "classes hidden"]
Tile = Float[Array, "classes examples"]
PerExample = Float[Array, "examples"]
Indices = Int[Array, "examples"]
# What dB will be written over, and what the other logits are kept in.
Memory = tuple[Weights | Tile | None, Tile | None]

# A GPU's or TPU's default would round the factors to 10 or 7 bits, and no bound on the result would hold.
matmul = partial(jnp.matmul, precision=Precision.HIGHEST)


def computed(h: Hidden, B: Weights) -> Any:
    """The dtype to compute in."""
    return widened(jnp.promote_types(h.dtype, B.dtype))


def label_logits(h: Hidden, B: Weights, y: Indices, axis: Any) -> PerExample:
    r"""$s_y = B_y h$, from the device that has the class; NaN for an index that no class has."""
    local = local_labels(y, B, axis)
    is_here = (local >= 0) & (local < B.shape[0])
    label_weights = B[jnp.where(is_here, local, 0)].astype(computed(h, B))
    s_y = total(jnp.where(is_here, (h.astype(label_weights.dtype) * label_weights).sum(-1), 0), axis)
    return jnp.where(y < all_classes(B.shape[0], axis), s_y, jnp.nan)


def local_labels(y: Indices, B: Weights, axis: Any) -> Indices:
    """The labels as indices of this device's classes."""
    return y - first_class(B.shape[0], axis)


def normalizer_pass(
    h: Hidden, B: Weights, y: Indices, s_y: PerExample, memory: Memory, stored: int, tile: int
) -> tuple[Memory, PerExample, PerExample]:
    r"""$m = \max_k s_k$ and $o = \sum_{k \neq y} e^{s_k - m}$, of this device's classes and the label.

    Leaves the logits in `memory`: of the first `stored` examples in what dB will be written over, of the others beside.
    """

    def add(carry: tuple, first: Array | int, classes: int) -> tuple:
        (written, rest), m, o = carry
        s = matmul(rows(B, first, classes), h.T, preferred_element_type=s_y.dtype)
        if stored:
            written = with_rows(written, s[:, :stored], first)
        if rest is not None:
            rest = with_rows(rest, s[:, stored:], first)
        others = jnp.where(is_label(s, first, y), -jnp.inf, s)
        new_m = jnp.maximum(m, others.max(0))
        return (written, rest), new_m, o * jnp.exp(m - new_m) + jnp.exp(others - new_m).sum(0)

    start = varying_like((memory, s_y, jnp.zeros_like(s_y)), h, B, s_y)
    return over_classes(add, start, B.shape[0], tile)


def loss_and_normalizer(m: PerExample, o: PerExample, s_y: PerExample, axis: Any) -> tuple[PerExample, PerExample]:
    r"""$R = (m - s_y) + \ln(1 + (o - (1 - e^{s_y - m})))$ and ln Z, from every device's m and o.

    Textbook: $-(s_y - \ln \sum_k e^{s_k})$, Task 19.3's line "−Σ_k I(y=k) (s_k − ln Σe^s_i)".
    """
    top = largest(m, axis)
    o = total(o * jnp.exp(m - top), axis)
    e_y = jnp.exp(s_y - top)
    return (top - s_y) + jnp.log1p(o + (e_y - 1)), top + jnp.log(o + e_y)


def gradient_pass(
    h: Hidden,
    B: Weights,
    y: Indices,
    loss: PerExample,
    log_z: PerExample,
    c: PerExample,
    memory: Memory,
    stored: int,
    tile: int,
) -> tuple[Hidden, Weights]:
    r"""$dh = G^T B$ and $dB = G h$, with $G_{kn} = c_n g_{kn}$, and $-c_n (1 - g_{yn})$ for the label.

    The gradient dB is written over `memory`, a tile at a time.

    Textbook: Task 21's lines "(g − y)ᵀ σ(Ax)ᵀ" for dB, h being σ(Ax), and "(g − y) · B · diag(σ') · A" for dh, up to B.
    """
    written, rest = memory

    def add(carry: tuple, first: Array | int, classes: int) -> tuple:
        dh_T, written = carry
        weights = rows(B, first, classes)
        # The tile's logits: those kept, and those that are computed again.
        s = lax.dynamic_slice(written, (first, 0), (classes, stored))
        if rest is not None:
            s = jnp.concatenate([s, rows(rest, first, classes)], axis=1)
        elif stored < h.shape[0]:
            again = matmul(weights, h[stored:].T, preferred_element_type=c.dtype)
            s = jnp.concatenate([s, again], axis=1) if stored else again
        # The gradients with respect to them, and what is summed of those.
        G = c * jnp.where(is_label(s, first, y), jnp.expm1(-loss), jnp.exp(s - log_z))
        dB = matmul(G, h.astype(G.dtype))
        written = with_rows(written, dB, first) if classes < B.shape[0] else dB
        # XLA on a CPU multiplies untransposed matrices in half the time: hence dhᵀ, and Bᵀ that is really transposed.
        weights_T = once(weights.astype(c.dtype).T)
        return dh_T + matmul(weights_T, G), written

    start = varying_like((jnp.zeros(h.shape[::-1], c.dtype), written), h, B, c, loss)
    dh_T, dB = over_classes(add, start, B.shape[0], tile)
    return dh_T.T, dB


def over_classes(add: Callable[[tuple, Array | int, int], tuple], carry: tuple, classes: int, tile: int) -> tuple:
    """`add(carry, first, count)` for tiles of `tile` classes, and at last for those that are left over."""
    if tile >= classes:
        return add(carry, 0, classes)
    firsts = jnp.arange(0, classes - tile + 1, tile)
    carry, _ = lax.scan(lambda carry, first: (add(carry, first, tile), None), carry, firsts)
    rest = classes % tile
    return add(carry, classes - rest, rest) if rest else carry


def rows(x: Array, first: Array | int, count: int) -> Array:
    """`count` rows of x, from the `first` on."""
    return x if count == x.shape[0] else lax.dynamic_slice_in_dim(x, first, count)


def with_rows(x: Array, new: Array, first: Array | int) -> Array:
    """`x` with some rows replaced by `new` ones, in their first columns."""
    return new if new.shape == x.shape else lax.dynamic_update_slice(x, new, (first, 0))


def is_label(s: Tile, first: Array | int, y: Indices) -> Any:
    """Where the tile has a label's logit."""
    return (first + jnp.arange(s.shape[0]))[:, None] == y
