"""Wrong gradients, each with the diagnoses that are right for it; none may pass."""

import itertools

import jax
import jax.core as jax_core
import jax.numpy as jnp

from manual_grads.rules import jvp, vjp
from tests.checking.corpus import functions as f
from tests.checking.corpus.right import trapped_sinc

SIG = (f.sigmoid, (f.Z,), jax.grad)
VEC = (lambda z: f.sigmoid(z).sum(), (f.VECTOR,), jax.grad)
JAC = (f.softmax, (f.LOGITS,), jax.jacobian)
CE = (f.cross_entropy, (f.LOGITS, f.LABEL), jax.grad)
CES = (f.batch_cross_entropy, f.BATCH, jax.grad)
NET = (f.network, f.NETWORK, f.GRADS_3)
LN = (f.layer_norm, (f.VECTOR, f.normal(6)), jax.grad)
GELU = (f.gelu, (f.VECTOR,), jax.grad)
LSE = (f.log_sum_exp, (f.VECTOR,), jax.grad)
NORM = (f.norm, (f.VECTOR,), jax.grad)
ATT = (f.attention, f.HEAD, f.GRADS_3)
SOLVE = (f.linear_solve, f.SYSTEM, f.GRADS_2)
COUNT = itertools.count()
KEPT = []


def net(change):
    def manual(x, A, B, y):
        h, dv, delta = f.network_parts(x, A, B, y)
        return change(x, A, B, y, h, dv, delta, *f.network_grads(x, A, B, y))

    return manual


def att(change):
    def manual(q, k, v):
        scale = 1 / q.shape[-1] ** 0.5
        p = jax.nn.softmax(q @ k.T * scale)
        do = 2 * (p @ v)
        dp = do @ v.T
        return change(q, k, v, p, do, dp, scale, *f.attention_grads(q, k, v))

    return manual


def leaky(z):
    KEPT.append(z)
    return f.sigmoid_grad(z) + (0 * KEPT[-2] if len(KEPT) > 1 else 0)


def float32_only(z):
    return f.sigmoid_grad(z) * (1.01 if z.dtype == jnp.float32 else 1)


@jax.custom_batching.custom_vmap
def batched_wrong(z):
    return f.sigmoid_grad(z)


batched_wrong.def_vmap(lambda size, batched, z: (2 * f.sigmoid_grad(z), batched[0]))


def traced_wrong(z):
    return f.sigmoid_grad(z) * (2 if isinstance(z, jax_core.Tracer) else 1)


def python_branch(z):
    return f.sigmoid_grad(z) if z > -1e9 else z


def eye(s):
    return jnp.eye(s.shape[-1], dtype=s.dtype)


def naive_hot(s, y):
    e = jnp.exp(s)
    return e / e.sum() - jax.nn.one_hot(y, len(s), dtype=s.dtype)


WRONG = {
    # name: ((forward, args, by), manual, diagnoses of which the first that is given must be one)
    "sigmoid: sign": (SIG, lambda z: -f.sigmoid_grad(z), {"sign"}),
    "sigmoid: twice": (SIG, lambda z: 2 * f.sigmoid_grad(z), {"constant factor"}),
    "sigmoid: half": (SIG, lambda z: f.sigmoid_grad(z) / 2, {"constant factor"}),
    "sigmoid: 0.1 %": (SIG, lambda z: 1.001 * f.sigmoid_grad(z), {"constant factor"}),
    "sigmoid: only σ": (SIG, lambda z: f.sigmoid(z), {"missing factor", "missing term"}),
    "sigmoid: only 1 − σ": (SIG, lambda z: 1 - f.sigmoid(z), {"missing factor", "missing term"}),
    "sigmoid: σ(1 + σ)": (SIG, lambda z: f.sigmoid(z) * (1 + f.sigmoid(z)), {"missing term"}),
    "sigmoid: zero beyond 8": (SIG, lambda z: jnp.where(jnp.abs(z) < 8, f.sigmoid_grad(z), 0), {"tails"}),
    "sigmoid: zero beyond 12": (VEC, lambda z: jnp.where(jnp.abs(z) < 12, f.sigmoid_grad(z), 0), {"tails"}),
    "sigmoid: clipped at 5": (VEC, lambda z: f.sigmoid_grad(jnp.clip(z, -5, 5)), {"tails"}),
    "sigmoid: NaN in the tail": (VEC, lambda z: jnp.exp(-z) / (1 + jnp.exp(-z)) ** 2, {"not finite"}),
    "sigmoid: infinity at zero": (VEC, lambda z: f.sigmoid_grad(z) + jnp.where(z == 0, jnp.inf, 0), {"not finite"}),
    "sigmoid: twice when batched": (SIG, batched_wrong, {"only when batched"}),
    "sigmoid: twice when traced": (SIG, traced_wrong, {"only when jitted"}),
    "sigmoid: a Python branch": (SIG, python_branch, {"raises when traced"}),
    "sigmoid: in float16": (SIG, lambda z: f.sigmoid_grad(z).astype(jnp.float16), {"wrong dtype"}),
    "sigmoid: wrong in float32": (SIG, float32_only, {"one dtype"}),
    "sigmoid: an axis too many": (SIG, lambda z: f.sigmoid_grad(z)[None], {"wrong shape", "not reduced"}),
    "sigmoid: a tuple": (SIG, lambda z: (f.sigmoid_grad(z),), {"wrong tree"}),
    "sigmoid: non-deterministic": (SIG, lambda z: f.sigmoid_grad(z) * (1 + next(COUNT) % 3), {"non-deterministic"}),
    "sigmoid: a leaked tracer": (SIG, leaky, {"leaked tracer", "raises when traced"}),
    "sigmoid: rounded through bfloat16": (
        VEC,
        lambda z: f.sigmoid_grad(z).astype(jnp.bfloat16).astype(z.dtype),
        {"rounded"},
    ),
    "sigmoid: entry 2 zero": (VEC, lambda z: f.sigmoid_grad(z).at[2].set(0), {"one place"}),
    "sigmoid: only entry 0": (
        VEC,
        lambda z: 0 * z + jnp.zeros_like(z).at[0].set(f.sigmoid_grad(z[0])),
        {"right in one place"},
    ),
    "sigmoid: reversed": (VEC, lambda z: f.sigmoid_grad(z)[::-1], {"permuted"}),
    "sigmoid: averaged": (VEC, lambda z: f.sigmoid_grad(z) / len(z), {"constant factor"}),
    "sigmoid: negative inputs": (
        VEC,
        lambda z: jnp.where(z < 0, 0.9, 1) * f.sigmoid_grad(z),
        {"tails", "special points", "negative inputs"},
    ),
    "softmax: diagonal only": (JAC, lambda s: f.softmax_jacobian(s) * eye(s), {"diagonal only"}),
    "softmax: off-diagonal only": (JAC, lambda s: f.softmax_jacobian(s) * (1 - eye(s)), {"off-diagonal only"}),
    "softmax: diag(g)": (JAC, lambda s: jnp.diag(f.softmax(s)), {"missing term"}),
    "softmax: −g gᵀ": (
        JAC,
        lambda s: -jnp.outer(f.softmax(s), f.softmax(s)),
        {"missing term", "on the diagonal", "off-diagonal only"},
    ),
    "softmax: sign": (JAC, lambda s: -f.softmax_jacobian(s), {"sign"}),
    "softmax: rolled": (JAC, lambda s: jnp.roll(f.softmax_jacobian(s), 1, 0), {"permuted"}),
    "softmax: + g gᵀ": (
        JAC,
        lambda s: jnp.diag(f.softmax(s)) + jnp.outer(f.softmax(s), f.softmax(s)),
        {"missing term"},
    ),
    "softmax: vjp without the mean": (
        (f.softmax, (f.LOGITS, f.normal(5)), vjp),
        lambda s, c: f.softmax(s) * c,
        {"missing term"},
    ),
    "softmax: jvp without the mean": (
        (f.softmax, (f.LOGITS, f.normal(5)), jvp),
        lambda s, t: f.softmax(s) * t,
        {"missing term"},
    ),
    "softmax: vjp not weighted": (
        (f.softmax, (f.LOGITS, f.normal(5)), vjp),
        lambda s, c: c - (f.softmax(s) * c).sum(),
        {"missing factor", "missing term"},
    ),
    "a transposed Jacobian": (
        (lambda x: jnp.stack([x[0] ** 2, x[1] * x[0], x[2]]), (f.normal(3),), jax.jacobian),
        lambda x: jnp.array([[2 * x[0], 0, 0], [x[1], x[0], 0], [0, 0, 1]], x.dtype).T,
        {"transposed"},
    ),
    "cross-entropy: sign": (CE, lambda s, y: -f.cross_entropy_grad(s, y), {"sign"}),
    "cross-entropy: without y": (CE, lambda s, y: f.softmax(s), {"missing term", "label's entry", "one place"}),
    "cross-entropy: only −y": (CE, lambda s, y: -jax.nn.one_hot(y, len(s), dtype=s.dtype), {"missing term"}),
    "cross-entropy: 2g − y": (CE, lambda s, y: f.cross_entropy_grad(s, y) + f.softmax(s), {"missing term"}),
    "cross-entropy: the next class": (
        CE,
        lambda s, y: f.cross_entropy_grad(s, (y + 1) % 5),
        {"off by one", "permuted", "missing term"},
    ),
    "cross-entropy: overflows": (CE, naive_hot, {"not finite"}),
    "cross-entropy: rolled": (CE, lambda s, y: jnp.roll(f.cross_entropy_grad(s, y), 1), {"permuted"}),
    "cross-entropy: clipped": (
        CE,
        lambda s, y: jnp.clip(f.cross_entropy_grad(s, y), -0.99, 0.99),
        {"clipped"},
    ),
    "batch: summed": (CES, lambda s, y: f.batch_cross_entropy_grad(s, y) * len(y), {"constant factor"}),
    "batch: mean over classes": (
        CES,
        lambda s, y: f.batch_cross_entropy_grad(s, y) * len(y) / s.shape[1],
        {"constant factor"},
    ),
    "batch: example 1 wrong": (CES, lambda s, y: f.batch_cross_entropy_grad(s, y).at[1].multiply(1.1), {"one place"}),
    "batch: class 3 wrong": (CES, lambda s, y: f.batch_cross_entropy_grad(s, y).at[:, 3].multiply(0.9), {"one place"}),
    "batch: label 0 wrong": (
        CES,
        lambda s, y: jnp.where((y == 0)[:, None], 1.2, 1).astype(s.dtype) * f.batch_cross_entropy_grad(s, y),
        {"one class"},
    ),
    "batch: transposed": (CES, lambda s, y: f.batch_cross_entropy_grad(s, y).T, {"transposed"}),
    "network: no σ'": (
        NET,
        net(lambda x, A, B, y, h, dv, d, dx, dA, dB: ((dv @ B) @ A, (dv @ B).T @ x, dB)),
        # The gradient at σ's result in the place of that before it is what a missing σ' makes.
        {"one output", "unexplained", "missing factor", "missing term", "mistaken"},
    ),
    "network: σ not σ'": (
        NET,
        net(lambda x, A, B, y, h, dv, d, dx, dA, dB: ((dv @ B * h) @ A, (dv @ B * h).T @ x, dB)),
        {"one output", "unexplained", "missing factor", "missing term"},
    ),
    "network: dA averaged": (
        NET,
        net(lambda x, A, B, y, h, dv, d, dx, dA, dB: (dx, dA / len(y), dB)),
        {"constant factor"},
    ),
    "network: dB negated": (NET, net(lambda x, A, B, y, h, dv, d, dx, dA, dB: (dx, dA, -dB)), {"sign"}),
    "network: dA transposed": (NET, net(lambda x, A, B, y, h, dv, d, dx, dA, dB: (dx, dA.T, dB)), {"transposed"}),
    "network: dA not summed": (
        NET,
        net(lambda x, A, B, y, h, dv, d, dx, dA, dB: (dx, d[:, :, None] * x[:, None], dB)),
        {"not reduced"},
    ),
    "network: dB of one example": (
        NET,
        net(lambda x, A, B, y, h, dv, d, dx, dA, dB: (dx, dA, jnp.outer(dv[0], h[0]))),
        {"one output", "unexplained"},
    ),
    "network: dx by the wrong B": (
        NET,
        net(lambda x, A, B, y, h, dv, d, dx, dA, dB: (dv @ B @ A, dA, dB)),
        {"one output", "missing factor", "missing term", "mistaken"},
    ),
    "network: two missing": (NET, net(lambda x, A, B, y, h, dv, d, dx, dA, dB: (dx, dA)), {"wrong tree"}),
    "layer norm: no mean": (
        LN,
        lambda x, c: f.layer_norm_grad(x, c) + c.mean() / jnp.sqrt(x.var() + 1e-5),
        {"missing term"},
    ),
    "layer norm: no projection": (LN, lambda x, c: (c - c.mean()) / jnp.sqrt(x.var() + 1e-5), {"missing term"}),
    "layer norm: N − 1": (LN, lambda x, c: f.layer_norm_grad(x, c) * (5 / 6) ** 0.5, {"constant factor"}),
    "layer norm: variance, no root": (
        LN,
        lambda x, c: f.layer_norm_grad(x, c) / jnp.sqrt(x.var() + 1e-5),
        {"missing term", "missing factor"},
    ),
    "GELU: no density": (
        GELU,
        lambda x: f.gelu_grad(x) - x * jnp.exp(-x * x / 2) / (2 * jnp.pi) ** 0.5,
        {"missing term"},
    ),
    "GELU: of the tanh form": (GELU, f.tanh_gelu_grad, {"unexplained"}),
    "GELU: 1 beyond 3": (GELU, lambda x: jnp.where(x > 3, 1, f.gelu_grad(x)), {"tails"}),
    "GELU: 0 below −4": (GELU, lambda x: jnp.where(x < -4, 0, f.gelu_grad(x)), {"tails"}),
    "GELU: averaged": (GELU, lambda x: f.gelu_grad(x) / x.size, {"constant factor"}),
    "log-sum-exp: overflows": (LSE, lambda x: jnp.exp(x) / jnp.exp(x).sum(), {"not finite"}),
    "log-sum-exp: not normalised": (LSE, lambda x: jnp.exp(x - x.max()), {"missing term", "missing factor"}),
    "log-sum-exp: one-hot": (
        LSE,
        lambda x: (x == x.max()).astype(x.dtype),
        {"unexplained", "missing term"},
    ),
    "norm: not divided": (NORM, lambda x: x, {"missing factor", "missing term"}),
    "norm: divided twice": (NORM, lambda x: x / (x * x).sum(), {"missing factor", "missing term"}),
    "norm: twice": (NORM, lambda x: 2 * x / jnp.sqrt((x * x).sum()), {"constant factor"}),
    "norm: absolute": (
        NORM,
        lambda x: jnp.abs(x) / jnp.sqrt((x * x).sum()),
        {"negative inputs", "missing factor"},  # the factor being the sign of x
    ),
    "norm: an ε of 10⁻⁶": (
        NORM,
        lambda x: x / jnp.sqrt((x * x).sum() + 1e-6),
        {"missing term", "special points"},
    ),
    "norm: Hessian without xxᵀ": (
        (f.norm, (f.VECTOR,), jax.hessian),
        lambda x: jnp.eye(len(x), dtype=x.dtype) / f.norm(x),
        {"missing term"},
    ),
    "attention: no scale": (ATT, lambda q, k, v: f.attention_grads(q, k, v, 1.0), {"constant factor"}),
    "attention: dv of p": (ATT, att(lambda q, k, v, p, do, dp, c, dq, dk, dv: (dq, dk, dv / 2)), {"constant factor"}),
    "attention: no row mean": (
        ATT,
        att(lambda q, k, v, p, do, dp, c, dq, dk, dv: ((p * dp) @ k * c, (p * dp).T @ q * c, dv)),
        {"one output", "missing term", "unexplained"},
    ),
    "attention: dk negated": (ATT, att(lambda q, k, v, p, do, dp, c, dq, dk, dv: (dq, -dk, dv)), {"sign"}),
    "solve: sign of dA": (
        SOLVE,
        lambda a, b: (-f.linear_solve_grads(a, b)[0], f.linear_solve_grads(a, b)[1]),
        {"sign"},
    ),
    "solve: dA transposed": (
        SOLVE,
        lambda a, b: (f.linear_solve_grads(a, b)[0].T, f.linear_solve_grads(a, b)[1]),
        {"transposed"},
    ),
    "solve: A for Aᵀ": (
        SOLVE,
        lambda a, b: (
            -jnp.outer(jnp.linalg.solve(a, 2 * jnp.linalg.solve(a, b)), jnp.linalg.solve(a, b)),
            f.linear_solve_grads(a, b)[1],
        ),
        {"missing factor"},  # one of the outer product's two
    ),
    "solve: b's only half": (
        SOLVE,
        lambda a, b: (f.linear_solve_grads(a, b)[0], f.linear_solve_grads(a, b)[1] / 2),
        {"constant factor"},
    ),
    "sinc: NaN at zero": (
        (trapped_sinc, (f.VECTOR,), jax.grad),
        lambda x: jnp.cos(x) / x - jnp.sin(x) / x**2,
        {"not finite"},
    ),
}
