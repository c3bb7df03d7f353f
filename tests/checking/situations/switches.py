"""Wrong at one number alone: where the forward switches from one form to another, whatever number that is."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.checking.situations import Situations

SWITCHES = Situations()
x = np.array([0.3, -1.2, 2.0], np.float32)
signs, margins = np.array([1, -1, 1]), np.array([0.5, -2, 1], np.float32)
where = jnp.where


def hinge(w):
    return jnp.maximum(0, 1 - w).sum()


SWITCHES.right("hinge", hinge, lambda w: where(w < 1, -1.0, 0), x)
SWITCHES.wrong("hinge, NaN at 1", hinge, lambda w: where(w < 1, -1.0, where(w == 1, jnp.nan, 0)), x)
SWITCHES.wrong("hinge, +1 at 1", hinge, lambda w: where(w < 1, -1.0, where(w == 1, 1.0, 0)), x)


def relu6(w):
    return jax.nn.relu6(w).sum()


SWITCHES.right("relu6", relu6, lambda w: where((w > 0) & (w < 6), 1.0, 0), x)
SWITCHES.wrong("relu6, 5 at 6", relu6, lambda w: where((w > 0) & (w < 6), 1.0, where(w == 6, 5.0, 0)), x)


def clipped(w):
    return jnp.clip(w, -0.5, 2.5).sum()


SWITCHES.right("clip", clipped, lambda w: where((w >= -0.5) & (w < 2.5), 1.0, 0), x)
SWITCHES.wrong(
    "clip, NaN at 2.5", clipped, lambda w: where((w >= -0.5) & (w < 2.5), 1.0, where(w == 2.5, jnp.nan, 0)), x
)


def relu_from_2(v):
    return jax.nn.relu(3 * v - 6).sum()


SWITCHES.right("relu of 3v − 6", relu_from_2, lambda v: where(v > 2, 3.0, 0), x)
SWITCHES.wrong("relu of 3v − 6, −50 at 2", relu_from_2, lambda v: where(v > 2, 3.0, where(v == 2, -50.0, 0)), x)


def joined(k):
    """A line and a parabola that meet smoothly at k."""
    return lambda v: where(v < k, 2 * v, 2 * v + (v - k) ** 2).sum()


def of_joined(k, at_k=2.0):
    return lambda v: where(v == jnp.asarray(k, v.dtype), at_k, where(v < k, 2.0, 2 + 2 * (v - k)))


for k in (0.1, 1 / 3, 3.7):
    SWITCHES.right(f"a smooth switch at {k:.3g}", joined(k), of_joined(k), x)
    SWITCHES.wrong(f"a smooth switch at {k:.3g}, 0 there", joined(k), of_joined(k, 0.0), x)
    SWITCHES.wrong(f"a smooth switch at {k:.3g}, 0 there, quickly", joined(k), of_joined(k, 0.0), x, thorough=False)


def cubed(v):
    return (jnp.abs(2 * v - 3) ** 3).sum()


def of_cubed(v):
    return 6 * jnp.abs(2 * v - 3) ** 2 * jnp.sign(2 * v - 3)


SWITCHES.right("|2v − 3|³", cubed, of_cubed, x)
SWITCHES.wrong("|2v − 3|³, 7 at 1.5", cubed, lambda v: where(v == 1.5, 7.0, of_cubed(v)), x)


def hinge_of_labels(w, y):
    return jnp.maximum(0, 1 - y * w).sum()


def of_hinge_of_labels(at_margin):
    return lambda w, y: where(y * w < 1, -y, where(y * w == 1, at_margin * y, 0.0)).astype(w.dtype)


for name, y in (("signs", signs), ("margins", margins)):
    SWITCHES.right(f"hinge by {name}", hinge_of_labels, of_hinge_of_labels(0.0), x, y)
    SWITCHES.wrong(f"hinge by {name}, 10⁴ at the margin", hinge_of_labels, of_hinge_of_labels(1e4), x, y)


# Where autodiff has no number at all.
def norm(v):
    return jnp.sqrt((v * v).sum())


def of_norm(at_zero):
    return lambda v: where((v == 0).all(), at_zero, v / where((v == 0).all(), 1, norm(v)))


SWITCHES.right("a norm without a trap, 0 at 0", norm, of_norm(0.0), x)
SWITCHES.right("a norm without a trap, a unit vector at 0", norm, of_norm(jnp.array([1.0, 0, 0])), x)
for at_zero in (jnp.nan, jnp.inf, 1e3):
    SWITCHES.wrong(f"a norm without a trap, {at_zero:g} at 0", norm, of_norm(at_zero), x)
    SWITCHES.wrong(f"a norm without a trap, {at_zero:g} at 0, quickly", norm, of_norm(at_zero), x, thorough=False)


def squared_with_its_sign(v):
    return (v * jnp.sqrt(v * v)).sum()


SWITCHES.right("v√v²", squared_with_its_sign, lambda v: 2 * jnp.abs(v), x)
SWITCHES.wrong("v√v², 5 at 0", squared_with_its_sign, lambda v: where(v == 0, 5.0, 2 * jnp.abs(v)), x)
