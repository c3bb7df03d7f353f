"""Public functions that have derivative rules of their own, with arguments that they are used with.

Every `custom_jvp` and `custom_vjp` of `jax.nn`, `jax.numpy`, `jax.scipy.special`, `jax.lax` and optax, and some of what
calls one. Two are left: `jax.numpy.frexp`, whose results have no derivative, and `jax.scipy.special.wofz`, of complex
numbers.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.experimental.ode
import jax.numpy as jnp
import numpy as np
import optax
from jax._src.nn import functions
from jax.scipy import special
from optax.losses import _classification


class PublicRule(NamedTuple):
    """A function with a rule, its arguments, and what is to be known of them."""

    f: Callable[..., Any]
    args: tuple[Any, ...]
    options: dict[str, Any]


def _rule(f: Callable[..., Any], *args: Any, **options: Any) -> PublicRule:
    return PublicRule(f, args, options)


_random = np.random.default_rng(0)


def _normal(*shape: int) -> np.ndarray:
    return _random.normal(size=shape).astype(np.float32)


x, y = _normal(5), _normal(5)
positive = np.abs(_normal(5)) + np.float32(0.1)
one = np.array([0.7], np.float32)  # of what is a loop
rows = _normal(3, 4)
square = _normal(3, 3)
within = np.array([0.2, 0.5, 0.9, 0.03], np.float32)
mask = np.array([True, False, True, True])

RULES: dict[str, PublicRule] = {
    "relu": _rule(jax.nn.relu, x),
    "relu6": _rule(jax.nn.relu6, x),
    "log1mexp": _rule(jax.nn.log1mexp, positive, domain={"[0]": "positive"}),
    "softmax": _rule(
        lambda s: functions._softmax(s, -1), rows
    ),  # `jax.nn.softmax` where `jax_softmax_custom_jvp` is on
    "softmax, axis 0": _rule(lambda s: functions._softmax(s, 0), rows),
    "softmax, where": _rule(lambda s: functions._softmax(s, -1, mask, 0.0), rows),
    "silu of relu6": _rule(jax.nn.hard_silu, x),
    "hard sigmoid": _rule(jax.nn.hard_sigmoid, x),
    "softplus": _rule(jax.nn.softplus, x),
    "log sigmoid": _rule(jax.nn.log_sigmoid, x),
    "mish": _rule(jax.nn.mish, x),
    "logaddexp": _rule(jnp.logaddexp, x, y),
    "logaddexp2": _rule(jnp.logaddexp2, x, y),
    "i0": _rule(jnp.i0, x),
    "sinc": _rule(jnp.sinc, np.array([0.0, 0.3, -1.7], np.float32)),
    "det, 4 by 4": _rule(jnp.linalg.det, _normal(4, 4)),
    "slogdet": _rule(jnp.linalg.slogdet, square),
    "slogdet, 5 by 5": _rule(jnp.linalg.slogdet, _normal(5, 5)),
    "slogdet by QR": _rule(lambda a: jnp.linalg.slogdet(a, method="qr"), square),
    "pinv": _rule(jnp.linalg.pinv, _normal(3, 2)),
    "pinv, Hermitian": _rule(lambda a: jnp.linalg.pinv(a @ a.T + jnp.eye(3, dtype=a.dtype), hermitian=True), square),
    "xlogx": _rule(special.entr, positive, domain={"[0]": "positive"}),
    "relative entropy": _rule(
        special.rel_entr, positive, positive[::-1], domain={"[0]": "positive", "[1]": "positive"}
    ),
    "KL divergence": _rule(special.kl_div, positive, positive[::-1], domain={"[0]": "positive", "[1]": "positive"}),
    "expn": _rule(lambda x: special.expn(2, x), one, domain={"[0]": (0.01, 20.0)}),
    "expi": _rule(special.expi, one, domain={"[0]": (0.01, 20.0)}),
    # Beyond these, the rules of log_ndtr and erfcx are off: `test_public_rules.py` shows by how much.
    "log_ndtr": _rule(special.log_ndtr, x, domain={"[0]": (-20.0, 20.0)}),
    "logit": _rule(special.logit, within, domain={"[0]": (0.0, 1.0)}),
    "hyp1f1": _rule(lambda x: special.hyp1f1(1.5, 2.5, x), one, domain={"[0]": (0.01, 5.0)}),
    "hyp2f1": _rule(lambda x: special.hyp2f1(1.5, 2.5, 3.7, x), one, domain={"[0]": (0.01, 0.5)}),
    "poch": _rule(lambda z: special.poch(z, 2.5), positive, domain={"[0]": (0.1, 10.0)}),
    "sici": _rule(special.sici, positive, domain={"[0]": (0.1, 20.0)}),
    "xlogy": _rule(special.xlogy, x, positive, domain={"[1]": "positive"}),
    "xlog1py": _rule(special.xlog1py, x, positive, domain={"[1]": "positive"}),
    "zeta, q": _rule(lambda q: special.zeta(jnp.full_like(q, 2.5), q), positive, domain={"[0]": (0.1, 20.0)}),
    "fresnel": _rule(special.fresnel, x),
    "odeint": _rule(
        lambda y, k: jax.experimental.ode.odeint(
            lambda y, t, k: -k * y, y, jnp.array([0.0, 0.5, 1.0], y.dtype), k, rtol=1e-12, atol=1e-12
        ),
        _normal(2),
        np.float32(0.7),
        domain={"[0]": (-2.0, 2.0), "[1]": (0.1, 2.0)},
        dtypes=["float64"],  # in which such a tolerance can be met
        reference=lambda y, k: y * jnp.exp(-k * jnp.array([0.0, 0.5, 1.0], y.dtype))[:, None],
    ),
    "weighted log-softmax": _rule(_classification.weighted_logsoftmax, x, positive),
    "safe softmax cross-entropy": _rule(optax.losses.safe_softmax_cross_entropy, rows, np.eye(4, dtype=np.float32)[:3]),
    "projection to the simplex": _rule(optax.projections.projection_simplex, x),
    "projection to an l1 ball": _rule(optax.projections.projection_l1_ball, x),
    "sigmoid cross-entropy": _rule(optax.losses.sigmoid_binary_cross_entropy, x, within[[0, 1, 2, 3, 0]]),
}

if hasattr(special, "owens_t"):  # the three came to JAX together, after the oldest that is supported
    RULES |= {
        "dawsn": _rule(special.dawsn, x),
        "erfcx": _rule(special.erfcx, x, domain={"[0]": (-5.0, 5.0)}),
        "owens_t": _rule(special.owens_t, x, y),
    }

# Rules that aren't the derivative, and don't mean to be.
ON_PURPOSE = {"scaled gradient": _rule(lambda x: 2 * jnp.asarray(optax.scale_gradient(x, 0.5)), x)}
