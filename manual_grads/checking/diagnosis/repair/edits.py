"""Edits of an expression, as lines of Python: what is evaluated to try one is what is shown to the user.

In an edit v is the value of the expression, or of one operand; a, b and c are the operands, in order; q is a value from
elsewhere, and p another; n is the length of an axis. `axis` stands for each axis in turn.

To add one: a line below, with a cost. The lower it is, the simpler the change, and the earlier it is tried.
"""

from typing import NamedTuple


class Edit(NamedTuple):
    """What to write instead, and how great a change that is."""

    text: str
    cost: float


def _edits(lines: str) -> tuple[Edit, ...]:
    """A cost and an edit a line."""
    pairs = (line.split(maxsplit=1) for line in lines.strip().splitlines())
    return tuple(Edit(text, float(cost)) for cost, text in pairs)


# Of a value, by itself.
ALONE = _edits("""
1.2 -v
1.2 v.mT
1.4 2 * v
1.4 v / 2
1.5 n * v
1.5 v / n
1.6 1 - v
2.0 v / n**0.5
2.0 v * n**0.5
1.8 v**2
1.8 v - 1
1.8 v + 1
1.8 1 / v
1.9 v**0.5
1.9 jnp.abs(v)
2.0 3 * v
2.0 v / 3
2.0 4 * v
2.0 v / 4
2.0 jnp.exp(v)
2.0 jnp.log(v)
2.0 -v / 2
2.0 -2 * v
2.0 n**2 * v
2.0 v / n**2
2.1 v.sum(axis, keepdims=True)
2.1 v.mean(axis, keepdims=True)
2.1 v - v.mean(axis, keepdims=True)
2.1 v - v.max(axis, keepdims=True)
2.1 v / v.sum(axis, keepdims=True)
2.2 jnp.flip(v, axis)
2.2 v**3
2.2 v * (1 - v)
2.2 1 - v**2
2.2 1 / v**0.5
2.2 1 / v**2
2.2 jnp.tril(v)
2.2 jnp.triu(v)
2.2 jnp.maximum(v, 0)
2.2 jnp.sign(v)
2.2 jnp.zeros_like(v)
2.2 jnp.ones_like(v)
2.2 jnp.cumsum(v, axis)
2.3 jnp.cos(v)
2.3 jnp.sin(v)
2.3 jnp.tanh(v)
2.3 jax.nn.sigmoid(v)
2.4 v - v.sum(axis, keepdims=True)
2.4 v * 2**0.5
2.4 v / 2**0.5
2.4 (v + v.mT) / 2
2.4 v + v.mT
2.6 v / jnp.sqrt((v**2).sum(axis, keepdims=True))
2.8 v * (n - 1) / n
2.8 v * n / (n - 1)
2.8 v * ((n - 1) / n)**0.5
2.8 v * (n / (n - 1))**0.5
""")
# Of a value, with another.
WITH_ANOTHER = _edits("""
1.6 q
1.9 v * q
2.0 v + q
2.0 v - q
2.1 v / q
2.2 q - v
2.4 q / v
""")
# Of a value, with what a neighbour's step would make of another.
WITH_A_STEP = _edits("""
2.2 v * q[..., None]
2.2 v / q[..., None]
2.2 q[..., None]
2.2 q.reshape(v.shape)
2.3 jnp.sign(q)
2.3 v - q[..., None]
2.3 v + q[..., None]
2.3 v * (1 - q)
2.3 v * (q > 0)
2.3 jnp.where(q, v, 0)
2.4 v * q * (1 - q)
2.4 v * (1 - q**2)
2.4 v * q**2
2.4 v / q**2
2.4 v + q.mT
2.4 v - q.mT
2.4 q.mT
2.4 v * q.mT
2.5 v * q**0.5
2.5 v / q**0.5
2.5 2 * v * q
2.5 v * q / 2
2.5 v + 2 * q
2.5 v - 2 * q
2.5 v + q / 2
2.5 v - q / 2
2.5 v + q / n
2.5 v - q / n
2.5 v * q / n
2.5 n * v * q
2.5 -v * q
2.6 v * q**3
2.6 v / q**3
2.6 v * jnp.exp(q)
2.6 v * jnp.exp(-q)
2.6 v * jnp.cos(q)
2.6 v * jnp.sin(q)
2.6 v * jnp.sign(q)
2.6 v * jnp.tanh(q)
2.6 v * jax.nn.sigmoid(q)
2.6 v * (1 + q)
2.6 v / (1 + q)
2.6 v / (1 - q)
2.6 v / (1 + q**2)
2.6 v / (1 - q**2)
2.7 v - (v * q).sum(axis, keepdims=True)
2.7 v - q * (v * q).sum(axis, keepdims=True)
2.7 v - q * (v * q).mean(axis, keepdims=True)
2.7 v - q * v.sum(axis, keepdims=True)
2.7 v - q.sum(axis, keepdims=True)
2.7 v + q.sum(axis, keepdims=True)
2.7 v - q.mean(axis, keepdims=True)
2.7 v * q.sum(axis, keepdims=True)
2.7 v / q.sum(axis, keepdims=True)
2.8 q @ v
2.8 v @ q
2.8 q.mT @ v
2.8 v @ q.mT
""")
# Of a value, with two others.
WITH_TWO = _edits("""
3.0 v + p * q
3.0 v - p * q
3.0 v * p * q
3.0 v * p / q
3.2 v + p / q
3.2 v - p / q
3.2 v + p @ q
3.2 v + p @ q.mT
3.2 v + p.mT @ q
3.2 v - p * q.sum(axis, keepdims=True)
3.2 v - p * q.mean(axis, keepdims=True)
3.2 v - p * (q * v).sum(axis, keepdims=True)
3.2 v - p * (q * v).mean(axis, keepdims=True)
""")
# Of a number in the code.
OF_NUMBER = _edits("""
1.1 v + 1
1.1 v - 1
1.1 -v
1.2 2 * v
1.2 v / 2
1.3 1 / v
1.3 n
1.4 v**0.5
1.4 v**2
1.5 n - 1
1.5 n**0.5
1.6 v * n
1.6 v / n
1.7 10 * v
1.7 v / 10
1.8 1 - v
1.8 3 * v
1.8 v / 3
""")

_ARITHMETIC = _edits("""
1.0 a + b
1.0 a - b
1.0 a * b
1.0 a / b
1.1 b - a
1.1 b / a
1.1 a
1.1 b
1.2 -a - b
1.3 -b
1.4 jnp.maximum(a, b)
1.4 jnp.minimum(a, b)
1.6 a**b
1.6 1 / (a * b)
""")
_REDUCTION = _edits("""
1.0 a.sum(axis, keepdims=True)
1.0 a.mean(axis, keepdims=True)
1.1 a.sum(keepdims=True)
1.1 a.mean(keepdims=True)
1.2 a.max(axis, keepdims=True)
1.2 a.min(axis, keepdims=True)
1.4 a.prod(axis, keepdims=True)
1.6 (a**2).sum(axis, keepdims=True)
1.6 jnp.abs(a).sum(axis, keepdims=True)
1.6 jnp.sqrt((a**2).sum(axis, keepdims=True))
1.6 jnp.sqrt((a**2).mean(axis, keepdims=True))
""")
_FUNCTION = _edits("""
1.0 a
1.2 jnp.exp(a)
1.2 jnp.exp(-a)
1.2 jnp.log(a)
1.2 jnp.log1p(a)
1.2 jnp.expm1(a)
1.2 jnp.tanh(a)
1.2 jax.nn.sigmoid(a)
1.2 jnp.sin(a)
1.2 jnp.cos(a)
1.2 jnp.sinh(a)
1.2 jnp.cosh(a)
1.2 jnp.sqrt(a)
1.2 1 / jnp.sqrt(a)
1.2 a**2
1.2 a**3
1.2 a**4
1.2 1 / a
1.2 1 / a**2
1.2 jnp.abs(a)
1.2 jnp.sign(a)
1.4 1 - a
1.4 1 - a**2
1.4 a * (1 - a)
1.4 1 / (1 + a**2)
1.4 1 / jnp.cosh(a)**2
""")
_COMPARISON = _edits("""
1.0 a < b
1.0 a <= b
1.0 a > b
1.0 a >= b
1.1 a == b
1.1 a != b
""")
_CHOICE = _edits("""
1.0 jnp.where(a, b, c)
1.1 b
1.1 c
1.2 jnp.where(a, c, 0)
1.2 jnp.where(a, 0, b)
1.3 jnp.where(a, c, 1)
1.3 jnp.where(a, 1, b)
""")
_PRODUCT = _edits("""
1.0 a.mT @ b
1.0 a @ b.mT
1.1 b @ a
1.1 b.mT @ a.mT
1.1 b.mT @ a
1.1 b @ a.mT
1.2 a.mT @ b.mT
1.2 a @ b
1.3 a
1.3 b
""")
_MOVED = _edits("1.1 a")

_CALL = _edits("""
1.1 a
1.2 jax.nn.softmax(a, axis)
1.2 jax.nn.log_softmax(a, axis)
""")

_RUNNING = _edits("""
1.0 jax.lax.cumsum(a, axis)
1.0 jax.lax.cumsum(a, axis, reverse=True)
1.1 a
""")
_EXTREME = _edits("""
1.0 jnp.argmax(a, axis)
1.0 jnp.argmin(a, axis)
""")
# Of entries that are scattered: the method of `x.at[...]`.
SCATTERED = _edits("""
1.0 add
1.0 set
1.2 multiply
1.2 max
""")
# Of indices.
OF_INDICES = _edits("""
1.2 v + 1
1.2 v - 1
1.4 n - 1 - v
1.4 jnp.flip(v, axis)
""")
# With a number k that is found by a fit: of a number in the code, of a value, of another that is added to it.
FITTED_NUMBER, FITTED_FACTOR, FITTED_TERM = 1.6, 2.6, 2.9

# What else an operation might be.
OF_OPERATION: dict[str, tuple[Edit, ...]] = dict.fromkeys("add sub mul div max min pow add_any".split(), _ARITHMETIC)
OF_OPERATION |= dict.fromkeys("reduce_sum reduce_max reduce_min reduce_prod mean".split(), _REDUCTION)
OF_OPERATION |= dict.fromkeys("lt le gt ge eq ne".split(), _COMPARISON)
OF_OPERATION |= dict.fromkeys(
    "exp log log1p expm1 tanh logistic sin cos sinh cosh sqrt rsqrt square integer_pow abs sign neg erf erfc".split(),
    _FUNCTION,
)
OF_OPERATION |= {"select_n": _CHOICE, "dot_general": _PRODUCT}
OF_OPERATION |= dict.fromkeys("moved transpose rev cumprod cummax sort stop_gradient clamp".split(), _MOVED)
OF_OPERATION |= {"call": _CALL, "cumsum": _RUNNING, "argmax": _EXTREME, "argmin": _EXTREME}
