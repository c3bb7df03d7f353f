"""Mistakes in products with a Jacobian, and in gradients of sums: each with the names of the causes that are right."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from manual_grads.rules import jvp, vjp
from tests.checking.corpus.functions import normal


def vjp_of(*which):
    """The vjp with respect to these arguments."""
    return lambda f: vjp(f, which)


ROWS, SQUARE, C = normal(4, 5), normal(4, 4), normal(4, 5)
VECTOR, OTHER, V_C = normal(6), normal(6), normal(6)
TABLE, PICKED = normal(5, 3), np.array([3, 0, 4, 1], np.int32)
TWICE = np.array([3, 0, 3, 1], np.int32)
KEEP = (np.random.default_rng(3).random((4, 5)) < 0.8).astype(np.float32)
MATRICES = (normal(4, 3), normal(3, 5), normal(4, 5))
SQUARES = (normal(4, 4), normal(4, 4), normal(4, 4))

# Elementwise functions.
TANH = (jnp.tanh, (VECTOR, V_C), vjp)
TANGENT = (jnp.tanh, (VECTOR, V_C), jvp)
SWISH = (jax.nn.silu, (VECTOR, V_C), vjp)
PRODUCT = (lambda x, y: x * y, (VECTOR, OTHER, V_C), vjp_of(0, 1))
QUOTIENT = (lambda x, y: x / (2 + y * y), (VECTOR, OTHER, V_C), vjp_of(0, 1))
POWER = (lambda x, y: jnp.exp(x) * jnp.sin(y), (VECTOR, OTHER, V_C), vjp_of(0, 1))
DROPOUT = (lambda x, keep: x * keep / 0.8, (ROWS, KEEP, C), vjp)


def swish_slope(x):
    s = jax.nn.sigmoid(x)
    return s * (1 + x * (1 - s))


# Products of matrices, and what is broadcast.
MATMUL = (lambda x, w: x @ w, MATRICES, vjp_of(0, 1))
SQUARE_MATMUL = (lambda x, w: x @ w, SQUARES, vjp_of(0, 1))
LAYER = (lambda x, w: jnp.tanh(x @ w), MATRICES, vjp_of(0, 1))
BIAS = (lambda x, b: x + b, (SQUARE, normal(4), normal(4, 4)), vjp_of(0, 1))
SCALED = (lambda x, s: x * s, (ROWS, normal(5), C), vjp_of(0, 1))
BILINEAR = (lambda a, x, b: a @ x @ b, (normal(4), normal(4, 4), normal(4)), lambda f: jax.grad(f, (0, 1, 2)))


# Normalisation.
def layer_norm(x):
    return (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5)


def layer_norm_vjp(x, c, axis=-1, mean=jnp.mean):
    hat, r = layer_norm(x), 1 / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return r * (c - mean(c, axis, keepdims=True) - hat * (c * hat).mean(-1, keepdims=True))


def rms_norm(x):
    return x / jnp.sqrt((x * x).mean(-1, keepdims=True) + 1e-5)


def rms_norm_vjp(x, c, inner=jnp.mean, power=1):
    r = 1 / jnp.sqrt((x * x).mean(-1, keepdims=True) + 1e-5)
    return r * c - x * r**3 * inner(c * x, -1, keepdims=True) * power


def l2_normalised(x):
    return x / jnp.sqrt((x * x).sum(-1, keepdims=True))


LAYER_NORM, RMS_NORM = (layer_norm, (ROWS, C), vjp), (rms_norm, (ROWS, C), vjp)
UNIT = (l2_normalised, (ROWS, C), vjp)
SOFTMAX = (lambda x: jax.nn.softmax(x, -1), (ROWS, C), vjp)
SQUARE_SOFTMAX = (lambda x: jax.nn.softmax(x, -1), (SQUARE, normal(4, 4)), vjp)
LSE = (lambda x: logsumexp(x, -1), (ROWS, normal(4)), vjp)


def softmax_vjp(x, c, axis=-1):
    p = jax.nn.softmax(x, axis)
    return p * (c - (p * c).sum(axis, keepdims=True))


# Losses and reductions.
MEAN_SQUARES = (lambda x, y: ((x - y) ** 2).mean(), (ROWS, C), jax.grad)
ROW_MEANS = (lambda x: x.mean(-1), (ROWS, normal(4)), vjp)
CUMSUM = (lambda x: jnp.cumsum(x), (VECTOR, V_C), vjp)
DIFFERENCES = (lambda x: x[1:] - x[:-1], (VECTOR, normal(5)), vjp)
MASKED = (lambda x, n: jnp.where(jnp.arange(6) < n, x, 0) ** 2, (VECTOR, np.int32(3), V_C), vjp)
CAUSAL = (lambda x: jnp.tril(x), (SQUARE, normal(4, 4)), vjp)


def differences_vjp(x, c):
    return jnp.concatenate([-c[:1], c[:-1] - c[1:], c[-1:]])


# Looking up and scattering.
LOOK_UP = (lambda t, i: t[i], (TABLE, PICKED, normal(4, 3)), vjp)
LOOK_UP_TWICE = (lambda t, i: t[i], (TABLE, TWICE, normal(4, 3)), vjp)
TAKEN = (lambda x, i: (x[i] ** 2).sum(), (VECTOR, np.array([0, 5, 2, 2], np.int32)), jax.grad)
SCATTERED = (lambda x, i: jnp.zeros(5, x.dtype).at[i].add(x), (normal(4), TWICE, normal(5)), vjp)


def attention(q, k, v):
    return jax.nn.softmax(q @ k.T / q.shape[-1] ** 0.5) @ v


def attention_vjp(q, k, v, c, scale=True, centred=True, of_keys=None):
    scale = 1 / q.shape[-1] ** 0.5 if scale else 1.0
    p = jax.nn.softmax(q @ k.T / q.shape[-1] ** 0.5)
    dp = c @ v.T
    ds = p * (dp - (p * dp).sum(-1, keepdims=True)) if centred else p * dp
    return ds @ k * scale, (ds if of_keys is None else of_keys(ds)).T @ q * scale, p.T @ c


HEAD = (attention, (normal(4, 3), normal(4, 3), normal(4, 2), normal(4, 2)), vjp_of(0, 1, 2))
IGNORED, OTHER_VALUE = {"ignored cotangent"}, {"another argument's value"}
TERM, FACTOR, MISTAKEN = {"missing term"}, {"missing factor"}, {"mistaken"}

PLANTED = {
    # name: ((forward, args, by), manual, names of the causes that are right)
    "tanh: cotangent ignored": (TANH, lambda x, c: 1 - jnp.tanh(x) ** 2, IGNORED),
    "tanh: tangent ignored": (TANGENT, lambda x, t: 1 - jnp.tanh(x) ** 2, IGNORED),
    "tanh: no square": (TANH, lambda x, c: c * (1 - jnp.tanh(x)), TERM | MISTAKEN),
    "tanh: only the cotangent": (TANH, lambda x, c: c, TERM | FACTOR),
    "tanh: of its value": (TANH, lambda x, c: c * (1 - jnp.tanh(jnp.tanh(x)) ** 2), OTHER_VALUE),
    "swish: no second term": (SWISH, lambda x, c: c * jax.nn.sigmoid(x), TERM),
    "swish: cotangent squared": (SWISH, lambda x, c: c * c * swish_slope(x), FACTOR | OTHER_VALUE),
    "product: swapped": (PRODUCT, lambda x, y, c: (c * x, c * y), OTHER_VALUE | {"swapped"}),
    "product: by x": (PRODUCT, lambda x, y, c: (c * y, c * y), OTHER_VALUE | {"swapped"}),
    "quotient: sign": (
        QUOTIENT,
        lambda x, y, c: (c / (2 + y * y), c * x * 2 * y / (2 + y * y) ** 2),
        {"sign"},
    ),
    "quotient: no square": (
        QUOTIENT,
        lambda x, y, c: (c / (2 + y * y), -c * x * 2 * y / (2 + y * y)),
        FACTOR,
    ),
    "exp sin: swapped": (
        POWER,
        lambda x, y, c: (c * jnp.exp(y) * jnp.sin(x), c * jnp.exp(x) * jnp.cos(y)),
        OTHER_VALUE,
    ),
    "dropout: not scaled": (DROPOUT, lambda x, keep, c: c * keep, {"constant factor"}),
    "dropout: no mask": (DROPOUT, lambda x, keep, c: c / 0.8, FACTOR | {"not zero"} | OTHER_VALUE),
    "matmul: cotangent ignored": (
        MATMUL,
        lambda x, w, c: (jnp.ones_like(c) @ w.T, x.T @ c),
        IGNORED,
    ),
    "matmul: not transposed": (SQUARE_MATMUL, lambda x, w, c: (c @ w, x.T @ c), {"transposed", *OTHER_VALUE}),
    "matmul: transposed": (SQUARE_MATMUL, lambda x, w, c: (c @ w.T, c.T @ x), {"transposed"}),
    "layer: no slope": (LAYER, lambda x, w, c: (c @ w.T, x.T @ c), MISTAKEN | TERM),
    "layer: 1 − v": (
        LAYER,
        lambda x, w, c: (
            (c * (1 - jnp.tanh(x @ w))) @ w.T,
            x.T @ (c * (1 - jnp.tanh(x @ w))),
        ),
        MISTAKEN | TERM,
    ),
    "bias: the wrong axis": (BIAS, lambda x, b, c: (c, c.sum(1)), {"wrong axis"}),
    "bias: averaged": (BIAS, lambda x, b, c: (c, c.mean(0)), {"constant factor"}),
    "scale: no x": (SCALED, lambda x, s, c: (c * s, c.sum(0)), MISTAKEN | OTHER_VALUE),
    "bilinear: outer product turned": (
        BILINEAR,
        lambda a, x, b: (x @ b, jnp.outer(b, a), x.T @ a),
        {"transposed"},
    ),
    "bilinear: not transposed": (BILINEAR, lambda a, x, b: (x @ b, jnp.outer(a, b), x @ a), OTHER_VALUE | MISTAKEN),
    "layer norm: the wrong axis": (LAYER_NORM, lambda x, c: layer_norm_vjp(x, c, axis=0), {"wrong axis"}),
    "layer norm: a sum for a mean": (
        LAYER_NORM,
        lambda x, c: layer_norm_vjp(x, c, mean=jnp.sum),
        {"sum for mean"},
    ),
    "layer norm: no mean": (
        LAYER_NORM,
        lambda x, c: (
            layer_norm_vjp(x, c - c.mean(-1, keepdims=True)) * 0
            + layer_norm_vjp(x, c)
            + c.mean(-1, keepdims=True) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5)
        ),
        TERM,
    ),
    "layer norm: only scaled": (
        LAYER_NORM,
        lambda x, c: c / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5),
        TERM,
    ),
    "RMS norm: a sum for a mean": (RMS_NORM, lambda x, c: rms_norm_vjp(x, c, jnp.sum), {"sum for mean"}),
    "RMS norm: no second term": (RMS_NORM, lambda x, c: rms_norm_vjp(x, c, power=0), TERM),
    "RMS norm: sign": (RMS_NORM, lambda x, c: rms_norm_vjp(x, c, power=-1), TERM),
    "unit length: not projected": (UNIT, lambda x, c: c / jnp.sqrt((x * x).sum(-1, keepdims=True)), TERM),
    "softmax: not centred": (SOFTMAX, lambda x, c: jax.nn.softmax(x, -1) * c, TERM),
    "softmax: the other axis": (SQUARE_SOFTMAX, lambda x, c: softmax_vjp(x, c, 0), {"wrong axis", *OTHER_VALUE}),
    "softmax: c for p": (
        SOFTMAX,
        lambda x, c: jax.nn.softmax(x, -1) * (c - c.sum(-1, keepdims=True)),
        TERM,
    ),
    "log-sum-exp: cotangent ignored": (LSE, lambda x, c: jax.nn.softmax(x, -1), IGNORED),
    "log-sum-exp: of all": (LSE, lambda x, c: jax.nn.softmax(x.ravel()).reshape(x.shape) * c[:, None], FACTOR),
    "mean square: no 2": (MEAN_SQUARES, lambda x, y: (x - y) / x.size, {"constant factor"}),
    "mean square: over the batch": (MEAN_SQUARES, lambda x, y: 2 * (x - y) / len(x), {"constant factor"}),
    "mean square: y − x": (MEAN_SQUARES, lambda x, y: 2 * (y - x) / x.size, {"sign"}),
    "row means: summed": (ROW_MEANS, lambda x, c: jnp.broadcast_to(c[:, None], x.shape), {"constant factor"}),
    "cumulative sum: forwards": (CUMSUM, lambda x, c: jnp.cumsum(c), {"permuted", "mistaken", "missing term"}),
    "differences: shifted": (DIFFERENCES, lambda x, c: jnp.roll(differences_vjp(x, c), 1), {"permuted", "shifted"}),
    "mask: one too many": (MASKED, lambda x, n, c: jnp.where(jnp.arange(6) <= n, 2 * x * c, 0), {"off by one"}),
    "mask: one too few": (MASKED, lambda x, n, c: jnp.where(jnp.arange(6) < n - 1, 2 * x * c, 0), {"off by one"}),
    "causal: without the diagonal": (CAUSAL, lambda x, c: jnp.tril(c, -1), {"off-diagonal only", "off by one"}),
    "look-up: set": (
        LOOK_UP,
        lambda t, i, c: jnp.zeros_like(t).at[i].set(c),
        {"duplicate indices"},
    ),
    "look-up: set, twice in the example": (
        LOOK_UP_TWICE,
        lambda t, i, c: jnp.zeros_like(t).at[i].set(c),
        {"duplicate indices"},
    ),
    "look-up: the next": (
        LOOK_UP,
        lambda t, i, c: jnp.zeros_like(t).at[(i + 1) % 5].add(c),
        {"off by one", "permuted"},
    ),
    "taken: set": (TAKEN, lambda x, i: jnp.zeros_like(x).at[i].set(2 * x[i]), {"duplicate indices"}),
    "scattered: not gathered": (SCATTERED, lambda x, i, c: c[:4], {"mistaken", "another argument's value"}),
    "attention: no scale": (
        HEAD,
        lambda q, k, v, c: attention_vjp(q, k, v, c, scale=False),
        {"constant factor"},
    ),
    "attention: not centred": (
        HEAD,
        lambda q, k, v, c: attention_vjp(q, k, v, c, centred=False),
        TERM,
    ),
    "attention: keys not transposed": (
        HEAD,
        lambda q, k, v, c: attention_vjp(q, k, v, c, of_keys=jnp.transpose),
        {"transposed", *MISTAKEN},
    ),
}
