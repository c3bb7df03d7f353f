"""Functions that run in one format alone, in NumPy alone, or in a kernel."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl

from manual_grads.rules import vjp
from tests.checking.situations import Situations

FORMATS = Situations()
random = np.random.default_rng(3)
x = np.array([0.3, -1.2, 2.0], np.float32)
weights = random.normal(size=(3, 3)).astype("float32")


def only(dtype, f):
    """f, for arrays of that format alone."""

    def of_that(*args):
        for a in jax.tree.leaves(args):
            if jnp.issubdtype(a.dtype, jnp.floating) and a.dtype != dtype:
                raise TypeError(f"this kernel is for {dtype} alone, and was given {a.dtype}")
        return f(*args)

    return of_that


def squares(x):
    return (jnp.tanh(x) ** 2).sum()


def squares_grad(x):
    return 2 * jnp.tanh(x) * (1 - jnp.tanh(x) ** 2)


def loop(w, x):
    """A scan and a product, in float32."""
    return jax.lax.scan(lambda c, y: (jnp.tanh(w @ c) + y, None), x, jnp.stack([x, x]))[0].sum()


for dtype in ("float32", "bfloat16", "float16"):
    FORMATS.right(f"a forward for {dtype} alone", only(dtype, squares), squares_grad, x, dtypes=[dtype])
    FORMATS.wrong(
        f"a forward for {dtype} alone, 1.1 times its gradient",
        only(dtype, squares),
        lambda x: 1.1 * squares_grad(x),
        x,
        dtypes=[dtype],
    )
FORMATS.right("a forward for float32 alone, no format asked for", only("float32", squares), squares_grad, x)
FORMATS.right("a gradient for float32 alone", squares, only("float32", squares_grad), x)
FORMATS.right("a loop for float32 alone", only("float32", loop), jax.grad(loop), weights, x)
FORMATS.wrong("the same, of its second argument", only("float32", loop), lambda w, x: w * x, weights, x)
FORMATS.wrong(
    "a gradient for float32 alone, 0.1 % wrong", squares, only("float32", lambda x: 1.001 * squares_grad(x)), x
)


# NumPy.
def numpy_grad(x):
    t = np.tanh(np.asarray(x))
    return 2 * t * (1 - t * t)


def numpy_grad_in_place(x):
    g = np.zeros(x.shape)
    for i in range(x.size):
        g[i] = 2 * np.tanh(x[i]) * (1 - np.tanh(x[i]) ** 2)
    x[:] = 0
    return g


def numpy_forward(x):
    return np.sum(np.tanh(np.asarray(x)) ** 2)


FORMATS.right("a gradient in NumPy", squares, numpy_grad, x)
FORMATS.right("a gradient in NumPy, entry by entry, into what it was given", squares, numpy_grad_in_place, x)
FORMATS.right("a gradient in NumPy, quickly", squares, numpy_grad, x, thorough=False)
FORMATS.wrong("a gradient in NumPy, a factor missing", squares, lambda x: numpy_grad(x) / 2, x)
FORMATS.wrong("a gradient in NumPy, its sign beyond 2", squares, lambda x: numpy_grad(x) * np.where(x > 2, -1, 1), x)
FORMATS.wrong("a gradient in NumPy, transposed", lambda w: (w**3).sum(), lambda w: 3 * np.asarray(w).T ** 2, weights)
FORMATS.wrong("a gradient in NumPy, of another shape", squares, lambda x: numpy_grad(x)[:2], x)
FORMATS.right("both in NumPy", numpy_forward, numpy_grad, x)
FORMATS.right("a forward in NumPy", numpy_forward, squares_grad, x)
FORMATS.wrong("both in NumPy, 1.01 times", numpy_forward, lambda x: 1.01 * numpy_grad(x), x)


# Kernels.
def in_kernel(f, *args):
    """f of whole arrays, as a kernel; its result is like its first argument."""

    def kernel(*refs):
        *inputs, out = refs
        out[...] = f(*(ref[...] for ref in inputs))

    return pl.pallas_call(kernel, out_shape=jax.ShapeDtypeStruct(args[0].shape, args[0].dtype), interpret=True)(*args)


def loss(w, x, y):
    return -jnp.take_along_axis(jax.nn.log_softmax(x @ w.T), y[:, None], 1).mean()


def weights_gradient(w, x, y, factor=1.0):
    s = jnp.matmul(x, w.T, precision="highest")
    m = s.max(-1, keepdims=True)
    log_z = m + jnp.log(jnp.exp(s - m).sum(-1, keepdims=True))
    is_label = y[:, None] == jax.lax.broadcasted_iota(jnp.int32, s.shape, 1)
    return factor * jnp.matmul((jnp.exp(s - log_z) - is_label.astype(s.dtype)).T, x, precision="highest") / x.shape[0]


linear = random.normal(size=(6, 3)).astype("f"), random.normal(size=(4, 3)).astype("f"), np.array([1, 0, 4, 2])
for seed in range(3):
    FORMATS.right(
        f"a gradient in a kernel, seed {seed}", loss, partial(in_kernel, weights_gradient), *linear, seed=seed
    )
FORMATS.wrong(
    "a gradient in a kernel, 0.1 % wrong",
    loss,
    partial(in_kernel, lambda w, x, y: weights_gradient(w, x, y, 1.001)),
    *linear,
)
FORMATS.right(
    "a vjp in a kernel", jnp.tanh, lambda x, c: in_kernel(lambda x, c: c * (1 - jnp.tanh(x) ** 2), x, c), x, x, by=vjp
)


# What computes in float32 inside, whatever it is given, and can't be looked into.
def in_float32(x):
    """x σ(x), by a callback."""
    narrow = np.asarray(x, np.float32)
    return (narrow / (1 + np.exp(-narrow))).astype(x.dtype)


def called_back(x):
    result = jax.ShapeDtypeStruct(x.shape, x.dtype)
    return jax.pure_callback(in_float32, result, x, vmap_method="expand_dims").sum()


def kernel_in_float32(x):
    return in_kernel(lambda x: (v := x.astype("float32")) * (1 / (1 + jnp.exp(-v))).astype(x.dtype), x).sum()


def silu_grad(x, factor=1.0):
    s = jax.nn.sigmoid(x)
    return factor * (s + x * s * (1 - s))


eight = np.random.default_rng(0).normal(size=8).astype(np.float32)
for what, forward in {"callback": called_back, "kernel": kernel_in_float32}.items():
    for options in ({}, {"dtypes": "float32"}, {"thorough": False}):
        how = ", ".join(map(str, options.values())).replace("False", "quickly")
        FORMATS.right(f"a {what} in float32, {how}", forward, silu_grad, eight, **options)
        FORMATS.wrong(
            f"a {what} in float32, 1.05 times, {how}", forward, partial(silu_grad, factor=1.05), eight, **options
        )


# A mask of one value may be of both.
def masked(z, mask):
    return jnp.where(mask, z**2, 0).sum()


every = np.array([True] * 4)
z = np.random.default_rng(3).normal(size=4).astype(np.float32)
FORMATS.wrong("a mask that is true throughout, ignored", masked, lambda z, mask: 2 * z, z, every)
FORMATS.wrong("a mask that is true throughout, ignored, quickly", masked, lambda z, _: 2 * z, z, every, thorough=False)
FORMATS.right("a mask that is true throughout", masked, lambda z, mask: jnp.where(mask, 2 * z, 0), z, every)
FORMATS.right(
    "a mean of what a mask shows",
    lambda z, mask: masked(z, mask) / mask.sum(),
    lambda z, mask: jnp.where(mask, 2 * z, 0) / mask.sum(),
    z[:1],
    every[:1],
)
