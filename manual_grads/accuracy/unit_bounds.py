"""The unit bounds as numbers: what `units` measured, and `bounds` derives from."""

import math
from typing import NamedTuple


class Unit(NamedTuple):
    """A function's largest error: in ULP of the value, and relative to the value, in u (half an ULP of 1)."""

    ulp: float
    relative: float
    at: float = math.nan  # where the relative error is so large


# What was found with JAX and jaxlib 0.10.2 on an x86-64 CPU. Float32: at every number of the domain, rounded up to two
# digits after the point, so that it is a proof for that platform. Float64: at 2²⁴ numbers, one of each of as many
# strata, and a seventh added, since a larger sample finds a little more; so that it is none.
UNIT_BOUNDS: dict[tuple[str, str], Unit] = {
    ("exp", "float32"): Unit(5.52, 5.53),
    ("exp", "float64"): Unit(1.70, 2.30),
    ("exp, not near overflow", "float32"): Unit(1.02, 1.42),
    ("exp, not near overflow", "float64"): Unit(1.70, 2.30),
    ("log", "float32"): Unit(1.20, 2.05),
    ("log", "float64"): Unit(0.58, 1.15),
    ("log1p", "float32"): Unit(2.53, 3.64),
    ("log1p", "float64"): Unit(147.0, 275.0),
    ("log1p, from 0", "float32"): Unit(2.53, 3.64),
    ("log1p, from 0", "float64"): Unit(2.15, 3.06),
    ("expm1", "float32"): Unit(6.17, 7.03),
    ("expm1", "float64"): Unit(4.80, 6.10),
    ("scaled exp", "float32"): Unit(0.98, 1.38),
    ("scaled exp", "float64"): Unit(1.07, 1.46),
}
