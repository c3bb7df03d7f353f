"""Mistakes, planted one at a time in the backward passes: what stands on a line, and what to put there instead."""

import ast
import importlib
import inspect
import linecache
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from manual_grads.checking.report import Repair

# By file and pass. What stands there occurs once in the file: the line that it is on is the one that is wrong.
MISTAKES: dict[str, dict[str, list[tuple[str, str]]]] = {
    "norms": {
        "batch norm": [
            ("inv * (dhat - dhat.mean(0) - hat", "inv * (dhat - hat"),
            (
                "(dhat * hat).mean(0))\n    return dx, dgamma, dbeta",
                "(dhat * hat).sum(0))\n    return dx, dgamma, dbeta",
            ),
            ("inv = 1 / jnp.sqrt(var + 1e-5)", "inv = 1 / (var + 1e-5)"),
            ("dgamma = (c * hat).sum(0)", "dgamma = (c * centred).sum(0)"),
            ("dbeta = c.sum(0)", "dbeta = c.mean(0)"),
        ],
        "layer norm": [
            ("mean_dhat - hat * projection) / std", "mean_dhat - centred * projection) / std"),
            ("projection = (dhat * hat).mean(-1, keepdims=True)", "projection = dhat.mean(-1, keepdims=True)"),
            ("(dhat - mean_dhat - hat", "(dhat + mean_dhat - hat"),
            ("hat = centred / std", "hat = centred / std**2"),
        ],
        "RMS norm": [
            ("x * r**3 * inner", "x * r**2 * inner"),
            ("inner = (dy * x).mean", "inner = (dy * x).sum"),
            ("dy = c * gain", "dy = c"),
            ("dx = r * dy - x", "dx = r * dy + x"),
        ],
        "cosine similarity": [
            ("cos * a / na**2", "cos * a / na"),
            ("db = a / (na * nb)", "db = b / (na * nb)"),
            ("nb = jnp.sqrt(b @ b)\n    cos", "nb = jnp.sqrt(a @ b)\n    cos"),
        ],
    },
    "activations": {
        "GELU": [
            ("jnp.exp(-(x**2) / 2)", "jnp.exp(-(x**2))"),
            ("c * (cdf + x * pdf)", "c * (cdf + pdf)"),
            ("c * (cdf + x * pdf)", "cdf + x * pdf"),
        ],
        "GELU by tanh": [
            ("sech2 = 1 - t**2", "sech2 = 1 - t"),
            ("(1 + 3 * 0.044715 * x**2)", "(1 + 2 * 0.044715 * x**2)"),
            ("return 0.5 * (1 + t) + 0.5", "return (1 + t) + 0.5"),
        ],
        "SwiGLU": [
            ("return s * (1 + a * (1 - s))", "return s * (1 - a * (1 - s))"),
            ("db = dh * g", "db = dh * a"),
            ("da @ W.T + db @ V.T", "da @ W.T + db @ W.T"),
            ("da = dh * b * silu_slope(a)", "da = dh * silu_slope(a)"),
            ("dU = (g * b).T @ c", "dU = (a * b).T @ c"),
        ],
        "softplus": [("lambda z, c: c * jax.nn.sigmoid(z), (", "lambda z, c: c * jax.nn.sigmoid(-z), (")],
        "sigmoid": [("* (1 - jax.nn.sigmoid(z))  # noqa", "* (1 + jax.nn.sigmoid(z))  # noqa")],
    },
    "attention": {
        "attention": [
            ("ds = p * (dp - delta) * scale", "ds = p * (dp - delta)"),
            ("ds = p * (dp - delta) * scale", "ds = p * dp * scale"),
            ("dk = ds.T @ q", "dk = dp.T @ q"),
            ("delta = (p * dp).sum(-1", "delta = (p * dp).mean(-1"),
        ],
        "multi-head attention": [
            ("inner = (p * dp).sum(-1, keepdims=True)", "inner = dp.sum(-1, keepdims=True)"),
            ('dx_k = jnp.einsum("hte,hde->td", dk, Wk)', 'dx_k = jnp.einsum("hte,hde->td", dk, Wq)'),
            ("ds = softmax_vjp(p, dp) / root", "ds = softmax_vjp(p, dp) * root"),
            ("ds = softmax_vjp(p, dp) / root", "ds = softmax_vjp(s, dp) / root"),
            ('dWo = jnp.einsum("hte,td->hed", o, c)', 'dWo = jnp.einsum("hte,td->hed", v, c)'),
        ],
    },
    "recurrent": {
        "LSTM step": [
            ("dg = dnew * i * (1 - g**2)", "dg = dnew * i * (1 - g)"),
            ("df = sigmoid_vjp(f, dnew * c)", "df = sigmoid_vjp(f, dnew * g)"),
            ("return c * s * (1 - s)", "return c * s * (1 + s)"),
            ("dnew = dc + dh * o * (1 - t**2)", "dnew = dh * o * (1 - t**2)"),
            ("dnew * f, dW, dU, dz", "dnew * i, dW, dU, dz"),
            ("dU = jnp.outer(dz, h)", "dU = jnp.outer(dz, new)"),
        ],
        "recurrent network": [
            ("dz = dh * (1 - new**2)", "dz = dh * (1 - h**2)"),
            ("dW = dW + jnp.outer(dz, x)", "dW = dW - jnp.outer(dz, x)"),
            ("dU = dU + jnp.outer(dz, h)", "dU = dU + jnp.outer(dz, new)"),
            ("return (U.T @ dz, dW, dU)", "return (U @ dz, dW, dU)"),
            ("start = (2 * last", "start = (last"),
        ],
    },
    "losses": {
        "cross-entropy": [
            ("return (p - hot) / len(y)", "return p - hot"),
            ("return (p - hot) / len(y)", "return (p - hot) / s.shape[-1]"),
            ("return (p - hot) / len(y)", "return (hot - p) / len(y)"),
            ("p = jax.nn.softmax(s)\n    hot", "p = jax.nn.softmax(s, axis=0)\n    hot"),
        ],
        "Kullback–Leibler": [
            ("da = p * (ratio - kl)", "da = p * ratio"),
            ("kl = (p * ratio).sum()", "kl = (q * ratio).sum()"),
            ("db = q - p", "db = p - q"),
        ],
        "Gaussian log-density": [
            ("dlog_sigma = z**2 - 1", "dlog_sigma = z**2"),
            ("dx = -z * inv", "dx = z * inv"),
            ("dmu = z * inv", "dmu = z"),
        ],
        "logistic regression": [
            ("dm = -jax.nn.sigmoid(-m) / len(y)", "dm = -jax.nn.sigmoid(m) / len(y)"),
            ("dz = dm * y", "dz = dm"),
            ("X.T @ dz + 0.1 * w", "X.T @ dz + 0.05 * w"),
            ("db = dz.sum()", "db = dz.mean()"),
        ],
        "ridge regression": [
            ("dr = r / len(y)", "dr = 2 * r / len(y)"),
            ("dw = X.T @ dr + 0.1 * w\n", "dw = X.T @ dr\n"),
            ("dX = jnp.outer(dr, w)", "dX = jnp.outer(r, w)"),
            ("return dw, dX, -dr", "return dw, dX, dr"),
        ],
    },
    "linear": {
        "network": [
            ("dw = dh * (1 - h**2)", "dw = dh * (1 - w**2)"),
            ("da = dw.sum(0)", "da = dh.sum(0)"),
            ("dv = p - jax.nn.one_hot", "dv = p + jax.nn.one_hot"),
            ("return dw @ A, dA", "return dh @ A, dA"),
            ("db = dv.sum(0)", "db = dv.mean(0)"),
        ],
        "ReLU network": [
            ("dw = jnp.where(w > 0, dh, 0)", "dw = jnp.where(w < 0, dh, 0)"),
            ("dw = jnp.where(w > 0, dh, 0)", "dw = jnp.where(w > 0, 0, dh)"),
            ("return dw @ A.T, x.T @ dw, h.T @ dv", "return dw @ A.T, x.T @ dw, w.T @ dv"),
        ],
        "Cholesky solve": [
            ("dA = -jnp.outer(u, u)", "dA = jnp.outer(u, u)"),
            ("dL = 2 * dA @ L", "dL = dA @ L"),
            ("dA = -jnp.outer(u, u)", "dA = -jnp.outer(u, b)"),
            ("dL = 2 * dA @ L", "dL = 2 * dA @ L.T"),
        ],
        "convolution": [
            ("dx = jnp.zeros_like(x).at[rows].add(spread)", "dx = jnp.zeros_like(x).at[rows].set(spread)"),
            ("spread = c[:, None] * k", "spread = c[:, None] * k[::-1]"),
            ("dk = windows.T @ c", "dk = windows[::-1].T @ c"),
        ],
    },
    "entries": {
        "embedding look-up": [
            ("return zeros.at[ids].add(c)", "return zeros.at[ids].set(c)"),
            ("return zeros.at[ids].add(c)", "return table.at[ids].add(c)"),
        ],
        "cumulative sum": [
            ("dx = jax.lax.cumsum(c, reverse=True)", "dx = jax.lax.cumsum(c)"),
            ("total = jnp.cumsum(x)\n", "total = jnp.cumsum(c)\n"),
        ],
        "weighted cumulative sum": [
            ("jnp.flip(jnp.cumsum(jnp.flip(c, 0)), 0)", "jnp.cumsum(jnp.flip(c, 0))"),
            ("dw = back * x", "dw = back * w"),
        ],
        "max pooling": [
            ("best = windows.argmax(-1)", "best = windows.argmin(-1)"),
            ("return dx.reshape(x.shape), windows.max(-1)", "return dx.reshape(x.shape), windows.mean(-1)"),
            ("dx = c[:, None] * hot", "dx = c[:, None] + hot"),
        ],
        "log-sum-exp": [
            ("e = jnp.exp(x - m)\n", "e = jnp.exp(x + m)\n"),
            ("return c * e / total, m", "return c * e, m"),
            ("m + jnp.log(total)", "jnp.log(total)"),
        ],
    },
    "unseen": {
        "dice loss": [
            ("slope = p * jax.nn.sigmoid(-z)", "slope = p * jax.nn.sigmoid(z)"),
            ("total = p.sum() + y.sum()", "total = p.sum() - y.sum()"),
            ("2 * both / total**2 - 2", "2 * both / total - 2"),
            ("- 2 * y / total\n", "- y / total\n"),
            ("both = (p * y).sum()", "both = p.sum() * y.sum()"),
        ],
        "Huber loss": [
            ("jnp.sign(r)) / x.size", "jnp.sign(r))"),
            ("inside = jnp.abs(r) < 1", "inside = jnp.abs(r) < 2"),
            ("jnp.where(inside, r, jnp.sign(r))", "jnp.where(inside, r, 1)"),
            ("return dr, -dr", "return dr, dr"),
        ],
        "bilinear": [
            ("ds = 1 - t**2", "ds = 1 - score**2"),
            ("dy = ds[:, None] * left", "dy = ds[:, None] * y"),
            ("dx = ds[:, None] * (y @ W.T)", "dx = y @ W.T"),
            ("dW = (ds[:, None] * x).T @ y", "dW = (ds[:, None] * x).T @ (ds[:, None] * y)"),
            ("(left * y).sum(-1) + b", "(left * y).sum(-1) - b"),
        ],
        "GRU step": [
            ("dz = c * (h - g)", "dz = c * (g - h)"),
            ("dg = c * (1 - z) * (1 - g**2)", "dg = c * z * (1 - g**2)"),
            ("dr = dg * v * r * (1 - r)", "dr = dg * v * (1 - r)"),
            ("du = jnp.concatenate([dr, dz, dg * r])", "du = jnp.concatenate([dr, dz, dg])"),
            ("dh = U.T @ du + c * z", "dh = U.T @ du"),
            ("dr = dg * v", "dr = dg * u[:n]"),
            ("jnp.outer(du, h)\n\n\ndef group", "jnp.outer(da, h)\n\n\ndef group"),
        ],
        "group norm": [
            ("- mean - hat * cov)", "- mean - cov)"),
            ("dgain = (c * hat.reshape(x.shape)).sum(-1)", "dgain = (c * x).sum(-1)"),
            ("dg = rstd * (dhat", "dg = (dhat"),
            ("mean = dhat.mean(-1, keepdims=True)\n    cov", "mean = hat.mean(-1, keepdims=True)\n    cov"),
        ],
        "mixture": [
            ("dlogits = len(x) * prior - post.sum(0)", "dlogits = prior - post.sum(0)"),
            ("dmu = -weighted.sum(0)", "dmu = weighted.sum(0)"),
            ("weighted = post * diff", "weighted = prior * diff"),
            ("- diff**2 / 2)\n    dlogits", "- diff**2)\n    dlogits"),
        ],
        "leaky ReLU layer": [
            ("gate = jnp.where(w > 0, 1.0, 0.1)", "gate = jnp.where(w > 0, 1.0, 0.01)"),
            ("gate = jnp.where(w > 0, 1.0, 0.1)", "gate = jnp.where(w > 0, 0.1, 1.0)"),
            ("dW = x.T @ dw", "dW = x.T @ c"),
            ("dx = dw @ W.T", "dx = w @ W.T"),
            ("dc = w * gate", "dc = w"),
        ],
    },
}


Entry = tuple[Any, Callable[..., Any], Any, Callable[..., Any]]  # forward, manual, args, by


class Mistake(NamedTuple):
    """A pass with one of its lines wrong."""

    name: str
    line: int  # that is wrong
    file: str  # as frames and `linecache` know it
    entry: Entry


# What the search makes of those that it doesn't name first.
NOT_FIRST: dict[tuple[str, int], str] = {
    ("GELU", 1): "among",
    ("recurrent network", 4): "none",
    ("dice loss", 4): "none",
    ("Huber loss", 2): "none",
    ("mixture", 0): "among",
}


def planted(module: str, name: str, number: int) -> Mistake:
    """The pass with its mistake of that number. The source is only kept as a notebook's is: in `linecache`."""
    old, new = MISTAKES[module][name][number]
    source = inspect.getsource(importlib.import_module(f"tests.checking.repair.passes.{module}"))
    if source.count(old) != 1:
        raise ValueError(f"{old!r} stands {source.count(old)} times in {module}")
    wrong, file = source.replace(old, new), f"{module}_{name.replace(' ', '_')}_{number}.py"
    line = source[: source.index(old)].count("\n") + 1
    return Mistake(f"{name}: {new.splitlines()[0]}", line, file, of_source(wrong, file, name))


def of_source(source: str, file: str, name: str) -> Entry:
    """A pass of a module that is kept as a notebook's cell is: in `linecache`."""
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    scope: dict[str, Any] = {"__name__": file.removesuffix(".py")}
    exec(compile(source, file, "exec"), scope)
    return scope["PASSES"][name]


def mended(mistake: Mistake, repair: Repair, name: str) -> Entry | None:
    """The pass with a repair carried out, as its words say; None, where they don't say what to write."""
    said = re.fullmatch(r"`(.*)` should be `(.*)`", repair.change)
    if said is None or re.search(r"<.*>", said[2]):
        return None
    source = "".join(linecache.getlines(repair.file))
    tree = _Instead(repair.line, said[1], ast.parse(said[2], mode="eval").body)
    written = ast.unparse(ast.fix_missing_locations(tree.visit(ast.parse(source))))
    return of_source(written, f"mended_{mistake.file}", name)


class _Instead(ast.NodeTransformer):
    """Another expression in the place of one, on a line."""

    def __init__(self, line: int, old: str, new: ast.expr) -> None:
        self.line, self.old, self.new = line, old, new

    def visit(self, node: ast.AST) -> Any:
        if getattr(node, "lineno", None) == self.line and isinstance(node, ast.expr) and ast.unparse(node) == self.old:
            return self.new
        return self.generic_visit(node)


def every() -> list[tuple[str, str, int]]:
    """All of them."""
    return [
        (module, name, i)
        for module, passes in MISTAKES.items()
        for name, mistakes in passes.items()
        for i in range(len(mistakes))
    ]
