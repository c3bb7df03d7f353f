"""At a kink what lies between the slopes on its sides is right, and nothing else; where there is a slope, only that."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.rules import jvp, vjp
from tests.checking.situations import Situations

KINKS = Situations()
random = np.random.default_rng(7)


def normal(*shape):
    """Numbers of float32."""
    return random.normal(size=shape).astype("float32")


x, c = normal(5), np.array([1, 0.03, -2, 0.5, 0.001], "float32")
rows, weights, rows_c = normal(3, 4), normal(4, 6), normal(3, 6)
small_c = np.array([1, -0.02, 0.4], "float32")


# Functions of each entry.
def relu(x):
    return jnp.maximum(x, 0)


KINKS.right("relu, 0 at 0", relu, lambda x, c: jnp.where(x > 0, c, 0), x, c, by=vjp)
KINKS.right("relu, 1 at 0", relu, lambda x, c: jnp.where(x >= 0, c, 0), x, c, by=vjp)
KINKS.wrong("relu, 5 at 0", relu, lambda x, c: jnp.where(x == 0, 5 * c, (x > 0) * c), x, c, by=vjp)
KINKS.wrong("relu, -1 at 0", relu, lambda x, c: jnp.where(x == 0, -c, (x > 0) * c), x, c, by=vjp)
KINKS.wrong("relu, NaN at 0", relu, lambda x, c: jnp.where(x == 0, jnp.nan, (x > 0) * c), x, c, by=vjp)
KINKS.right("relu6", jax.nn.relu6, lambda x, c: jnp.where((x > 0) & (x < 6), c, 0), x, c, by=vjp)
KINKS.right("leaky relu", jax.nn.leaky_relu, lambda x, c: jnp.where(x >= 0, c, 0.01 * c), x, c, by=vjp)
KINKS.right("abs, a tangent", jnp.abs, lambda x, t: jnp.sign(x) * t, x, c, by=jvp)
KINKS.wrong("abs, 1.5 at 0", lambda x: jnp.abs(x).sum(), lambda x: jnp.where(x == 0, 1.5, jnp.sign(x)), x)
KINKS.wrong("abs, x / |x|", lambda x: jnp.abs(x).sum(), lambda x: x / jnp.abs(x), x)
KINKS.right("clip", lambda x: jnp.clip(x, -1, 1), lambda x, c: jnp.where(jnp.abs(x) < 1, c, 0), x, c, by=vjp)
KINKS.wrong(
    "clip, 2 at its bounds",
    lambda x: jnp.clip(x, -1, 1),
    lambda x, c: c * jnp.select([jnp.abs(x) < 1, jnp.abs(x) == 1], [1.0, 2.0], 0.0).astype(x.dtype),
    x,
    c,
    by=vjp,
)
KINKS.right(
    "hinge loss",
    lambda s, y: jnp.maximum(0, 1 - y * s).sum(),
    lambda s, y: jnp.where(1 - y * s > 0, -y, 0),
    x,
    np.sign(x),
)
KINKS.right("an absolute distance", lambda a, b: jnp.abs(a - b).sum(), lambda a, b: jnp.sign(a - b), x, c)


# Of several entries.
def of_product(x, w):
    return jax.nn.relu(x @ w)


def gradients_of_product(x, w, c):
    active = (x @ w > 0) * c
    return active @ w.T, x.T @ active


KINKS.right(
    "relu of a product",
    of_product,
    gradients_of_product,
    rows,
    weights,
    rows_c,
    by=lambda f: vjp(f, (0, 1)),
)
KINKS.right(
    "relu of a product, 1 at 0",
    of_product,
    lambda x, w, c: ((x @ w >= 0) * c) @ w.T,
    rows,
    weights,
    rows_c,
    by=vjp,
)


def even(x):
    """1 / n for each of n largest."""
    largest = x == x.max(-1, keepdims=True)
    return largest / largest.sum(-1, keepdims=True)


def first(x):
    """1 for the first of the largest."""
    return jax.nn.one_hot(x.argmax(-1), x.shape[-1], dtype=x.dtype)


def row_maximum(x):
    return x.max(-1)


KINKS.right("the largest of a row, evenly", row_maximum, lambda x, c: even(x) * c[:, None], rows, small_c, by=vjp)
KINKS.right("the largest of a row, the first", row_maximum, lambda x, c: first(x) * c[:, None], rows, small_c, by=vjp)
KINKS.wrong(
    "the largest of a row, all of it to each",
    row_maximum,
    lambda x, c: (x == x.max(-1, keepdims=True)) * c[:, None],
    rows,
    small_c,
    by=vjp,
)
KINKS.wrong("the largest of all, to each", lambda x: x.max(), lambda x: (x == x.max()).astype(x.dtype), rows)
KINKS.wrong(
    "the largest of all, to none at a tie",
    lambda x: x.max(),
    lambda x: ((x == x.max()) & ((x == x.max()).sum() == 1)).astype(x.dtype),
    rows,
)
KINKS.right(
    "pooling by the largest",
    lambda x: x.reshape(3, 2, 2).max(-1).sum(),
    lambda x: first(x.reshape(3, 2, 2)).reshape(3, 4),
    rows,
)
KINKS.right(
    "sorting",
    lambda x: (jnp.sort(x) * jnp.arange(5)).sum(),
    lambda x: jnp.zeros_like(x).at[jnp.argsort(x)].set(jnp.arange(5).astype(x.dtype)),
    x,
)


def norm(x):
    squares = (x * x).sum()
    return jnp.where(squares > 0, jnp.sqrt(jnp.where(squares > 0, squares, 1)), 0)


KINKS.right("a norm, 0 at 0", norm, lambda x: x / jnp.where(norm(x) > 0, norm(x), 1), x)
KINKS.wrong("a norm, NaN at 0", norm, lambda x: x / jnp.sqrt((x * x).sum()), x)


# Each entry within its sides, and not all together.
def norm_s_gradient(x, at_zero: jax.Array | float = 0.0):
    return jnp.where(norm(x) > 0, x / jnp.where(norm(x) > 0, norm(x), 1), at_zero)


def larger(x, y):
    return jnp.maximum(x, y).sum()


def distance(w, x, y):
    return jnp.abs(x @ w - y).sum()


both = partial(jax.grad, argnums=(0, 1))
KINKS.right("a norm, the first axis at 0", norm, lambda x: norm_s_gradient(x, jnp.arange(5) == 0), x)
KINKS.wrong("a norm, ones at 0", norm, lambda x: norm_s_gradient(x, 1.0), x)
KINKS.wrong("a norm, ones at 0, quickly", norm, lambda x: norm_s_gradient(x, 1.0), x, thorough=False)
KINKS.wrong("minus a norm, ones at 0", lambda x: -norm(x), lambda x: -norm_s_gradient(x, 1.0), x)
KINKS.wrong(
    "norms of rows, ones at 0",
    lambda x: jax.vmap(norm)(x).sum(),
    lambda x: jax.vmap(partial(norm_s_gradient, at_zero=1.0))(x),
    rows,
)
KINKS.right(
    "the larger of two, half to each",
    larger,
    lambda x, y: ((x > y) + (x == y) / 2, (x < y) + (x == y) / 2),
    x,
    c,
    by=both,
)
KINKS.wrong("the larger of two, all to each", larger, lambda x, y: ((x >= y) * 1.0, (x <= y) * 1.0), x, c, by=both)
KINKS.wrong("the larger of two, none at a tie", larger, lambda x, y: ((x > y) * 1.0, (x < y) * 1.0), x, c, by=both)
for at_zero, add in ((-1.0, KINKS.right), (1.5, KINKS.wrong)):
    add(
        f"absolute residuals, {at_zero:g} at 0",
        distance,
        lambda w, x, y, k=at_zero: x.T @ jnp.where(x @ w == y, k, jnp.sign(x @ w - y)).astype(x.dtype),
        normal(4),
        rows,
        small_c,
    )

# Where the forward switches from one form to another, and has a slope.
KINKS.right(
    "huber", lambda x: jnp.where(jnp.abs(x) < 1, x * x / 2, jnp.abs(x) - 0.5).sum(), lambda x: jnp.clip(x, -1, 1), x
)
KINKS.wrong(
    "softplus, 0 at 0",
    lambda x: (jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x)))).sum(),
    lambda x: jnp.where(x == 0, 0, jax.nn.sigmoid(x)),
    x,
)
KINKS.wrong(
    "softplus, 0 at 0, in float32 alone",
    lambda x: (jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x)))).sum(),
    lambda x: jnp.where(x == 0, 0, jax.nn.sigmoid(x)),
    x,
    dtypes="float32",
)
KINKS.wrong(
    "softplus, 0 at 0, quickly",
    lambda x: (jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x)))).sum(),
    lambda x: jnp.where(x == 0, 0, jax.nn.sigmoid(x)),
    x,
    thorough=False,
)
KINKS.right(
    "softplus",
    lambda x: (jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x)))).sum(),
    jax.nn.sigmoid,
    x,
)
KINKS.wrong(
    "a square with its sign, 1 at 0",
    lambda x: jnp.where(x > 0, x * x, -x * x).sum(),
    lambda x: jnp.where(x == 0, 1, 2 * jnp.abs(x)),
    x,
)
