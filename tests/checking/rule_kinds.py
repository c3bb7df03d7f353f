"""Every kind of derivative rule, right and with a mistake: `KINDS[name] = (right, wrong, arguments, options)`."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jax.experimental import pallas as pl

x = np.array([0.3, -1.2, 2.0], np.float32)
y = np.array([1.1, 0.4, -0.7], np.float32)
label = np.array([0, 2, 1])
KINDS = {}


def kind(name, *args, **options):
    """Adds what makes a function of a part that is 1 where it is right."""

    def add(of_part):
        KINDS[name] = (of_part(1.0), of_part(options.pop("part", 1.1)), args, options)

    return add


def vjp_rule(f, forwards, backwards, **options):
    ruled = jax.custom_vjp(f, nondiff_argnums=options.pop("nondiff_argnums", ()))
    ruled.defvjp(forwards, backwards, **options)
    return ruled


def jvp_rule(f, rule, **options):
    ruled = jax.custom_jvp(f, nondiff_argnums=options.pop("nondiff_argnums", ()))
    ruled.defjvp(rule, **options)
    return ruled


@kind("nondiff_argnums of a custom_vjp", 3, x)
def _(part):
    return vjp_rule(
        lambda n, x: x**n,
        lambda n, x: (x**n, x),
        lambda n, x, c: (part * n * x ** (n - 1) * c,),
        nondiff_argnums=(0,),
    )


@kind("a function among nondiff_argnums", jnp.sin, x)
def _(part):
    return jvp_rule(
        lambda f, x: f(x) ** 2,
        lambda f, p, t: (f(p[0]) ** 2, part * 2 * f(p[0]) * jax.jvp(f, p, t)[1]),
        nondiff_argnums=(0,),
    )


@kind("a Python float among nondiff_argnums", x, 0.7)
def _(part):
    return vjp_rule(
        lambda x, a: jnp.where(a > 0.5, a * x**2, x),
        lambda x, a: (a * x**2 if a > 0.5 else x, x),
        lambda a, x, c: (2 * part * a * x * c if a > 0.5 else c,),
        nondiff_argnums=(1,),
    )


@kind("several results", x, y)
def _(part):
    return vjp_rule(
        lambda x, y: (x * y, {"sum": (x + y).sum()}),
        lambda x, y: ((x * y, {"sum": (x + y).sum()}), (x, y)),
        lambda saved, c: (saved[1] * c[0] + c[1]["sum"], saved[0] * c[0] + part * c[1]["sum"]),
    )


@kind("a tree that holds integers", {"w": x, "at": label}, y)
def _(part):
    return vjp_rule(
        lambda p, y: p["w"][p["at"]] * y,
        lambda p, y: (p["w"][p["at"]] * y, (p, y)),
        lambda saved, c: (
            {
                "w": part * jnp.zeros_like(saved[0]["w"]).at[saved[0]["at"]].add(saved[1] * c),
                "at": np.zeros(saved[0]["at"].shape, jax.dtypes.float0),
            },
            saved[0]["w"][saved[0]["at"]] * c,
        ),
    )


@kind("float0 for integers", x, label)
def _(part):
    return vjp_rule(
        lambda x, i: jnp.sin(x)[i],
        lambda x, i: (jnp.sin(x)[i], (x, i)),
        lambda saved, c: (
            part * jnp.cos(saved[0]) * jnp.zeros_like(c).at[saved[1]].add(c),
            np.zeros(saved[1].shape, jax.dtypes.float0),
        ),
    )


@kind("None for integers", x, label)
def _(part):
    return vjp_rule(
        lambda x, i: jnp.sin(x)[i],
        lambda x, i: (jnp.sin(x)[i], (x, i)),
        lambda saved, c: (part * jnp.cos(saved[0]) * jnp.zeros_like(c).at[saved[1]].add(c), None),
    )


@kind("a key", jax.random.key(0), x)
def _(part):
    def masked(key, x):
        return x * jax.random.bernoulli(key, 0.5, x.shape)

    return vjp_rule(masked, lambda key, x: (masked(key, x), key), lambda key, c: (None, part * masked(key, c)))


@kind("integers among the results", x)
def _(part):
    return jvp_rule(
        lambda x: (x**2, x.argmax()),
        lambda p, t: ((p[0] ** 2, p[0].argmax()), (part * 2 * p[0] * t[0], np.zeros((), jax.dtypes.float0))),
    )


@kind("symbolic zeros of a custom_jvp: one tangent alone", x, y)
def _(part):
    def rule(primals, tangents):
        x, y = primals
        dx, dy = tangents
        if type(dx) is SymbolicZero:
            return x * y, part * x * dy
        return x * y, y * dx + (0 if type(dy) is SymbolicZero else x * dy)

    return jvp_rule(lambda x, y: x * y, rule, symbolic_zeros=True)


@kind("symbolic zeros of a custom_vjp: one result alone", x)
def _(part):
    def forwards(x):
        return (jnp.sin(x.value), jnp.exp(x.value)), x.value

    def backwards(x, c):
        if type(c[0]) is SymbolicZero:
            return (part * jnp.exp(x) * c[1],)
        return (jnp.cos(x) * c[0] + (0 if type(c[1]) is SymbolicZero else jnp.exp(x) * c[1]),)

    return vjp_rule(lambda x: (jnp.sin(x), jnp.exp(x)), forwards, backwards, symbolic_zeros=True)


@kind("symbolic zeros of a custom_vjp: one argument alone", x, y)
def _(part):
    def forwards(x, y):
        return x.value * y.value, (x.value, y.value, None if x.perturbed else ())

    def backwards(saved, c):
        x, y, alone = saved
        return y * c, (1.0 if alone is None else part) * x * c

    return vjp_rule(lambda x, y: x * y, forwards, backwards, symbolic_zeros=True)


@kind("residuals under vmap", x, part=0.0)
def _(part):
    @jax.custom_batching.custom_vmap
    def doubled(x, c):
        return 2 * x * c

    @doubled.def_vmap
    def _(size, batched, x, c):  # a cotangent that isn't batched, or is
        every = x * (c[:, None] if batched[1] else c)
        return 2 * (every if part else every[::-1]), True

    return vjp_rule(lambda x: (x**2).sum(), lambda x: ((x**2).sum(), x), lambda x, c: (doubled(x, c),))


@kind("a Pallas kernel", x)
def _(part):
    def kernel(x_ref, out_ref):
        out_ref[...] = jnp.sin(x_ref[...]) ** 2

    def f(x):
        return pl.pallas_call(kernel, out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype), interpret=True)(x)

    return vjp_rule(f, lambda x: (f(x), x), lambda x, c: (part * jnp.sin(2 * x) * c,))


@kind("a while_loop", x)
def _(part):
    def root(a):  # √(1 + a²), by Newton's method
        b = 1 + a * a
        return jax.lax.while_loop(lambda s: s[0] < 60, lambda s: (s[0] + 1, (s[1] + b / s[1]) / 2), (0, b))[1]

    return jvp_rule(root, lambda p, t: (root(*p), part * p[0] / root(*p) * t[0]))


@kind("a rule that chooses at a kink", x, part=0.9)
def _(part):
    return jvp_rule(
        lambda x: jnp.maximum(x, 0), lambda p, t: (jnp.maximum(p[0], 0), part * jnp.where(p[0] > 0, t[0], 0))
    )


@kind("the largest of several", x)
def _(part):
    def rule(p, t):
        return p[0].max(), part * t[0][p[0].argmax()]

    return jvp_rule(lambda x: x.max(), rule)


@kind("only forwards", x)
def _(part):
    def rule(p, t):  # a loop that reverse mode can't go through
        loop = jax.lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] + p[0] * t[0]), (0, 0 * t[0]))
        return 1.5 * p[0] ** 2, part * loop[1]

    return jvp_rule(lambda x: 1.5 * x**2, rule)


@kind("an array that is closed over", x)
def _(part):
    w = np.array([0.5, 0.3, 0.2])
    return vjp_rule(
        lambda x: (w * jnp.sin(x)).sum(),
        lambda x: ((w * jnp.sin(x)).sum(), x),
        lambda x, c: (part * w * jnp.cos(x) * c,),
    )


@kind("a partial function", x, y, argnums=1)
def _(part):
    return partial(
        vjp_rule(
            lambda a, x, y: a * x * jnp.sin(y),
            lambda a, x, y: (a * x * jnp.sin(y), (a, x, y)),
            lambda saved, c: (0 * saved[0], 0 * saved[1], part * saved[0] * saved[1] * jnp.cos(saved[2]) * c),
        ),
        np.float32(2.0),
    )
