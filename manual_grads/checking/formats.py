"""The formats that a check is made in: the example's own and float64, or those asked for."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.arrays import eps_of, is_float
from manual_grads.rules import FLOATS


class TrialFormat(NamedTuple):
    """A format to check in: its name, and the dtype of each array."""

    name: str
    dtypes: list[Any]

    def cast(self, arrays: list[Any]) -> list[Any]:
        """The arrays in this format; to be called under its setting (`computing_in`)."""
        # By NumPy: JAX would compile a conversion for every shape.
        return [jax.device_put(np.asarray(x).astype(d)) for x, d in zip(arrays, self.dtypes, strict=True)]


def formats_of(example: list[Any], dtypes: Sequence[Any] | None) -> list[TrialFormat]:
    """The example's own dtypes and float64, or those asked for; integers keep theirs.

    Raises:
        ValueError: if none is asked for.
        TypeError: if one is asked for that isn't a floating-point format.
    """
    own = _own(example)
    if dtypes is None:
        name = str(jnp.result_type(*(d for d in own if jnp.issubdtype(d, jnp.floating))))
        formats, names = [TrialFormat(name, own)], [] if name == "float64" else ["float64"]
    else:
        formats, names = [], asked_for(dtypes)
    for name in names:
        floats = jnp.dtype(name)
        formats.append(TrialFormat(name, [floats if is_float(x) else d for x, d in zip(example, own, strict=True)]))
    return formats


def is_own(fmt: TrialFormat, example: list[Any]) -> bool:
    """Whether a format is the example's own."""
    return fmt.dtypes == _own(example)


def asked_for(dtypes: Any) -> list[str]:
    """The names of the formats that are asked for; one may stand alone."""
    given = [dtypes] if isinstance(dtypes, str) or not isinstance(dtypes, Sequence) else dtypes
    if not given:
        raise ValueError(f"dtypes is empty, expected some of {', '.join(FLOATS)}, or None for the example's own")
    return [_name(dtype) for dtype in given]


def own_eps(example: list[Any]) -> float:
    """ε of the widest of the example's own formats: what a result must at least be good to, in any."""
    return min(eps_of(d) for d in _own(example) if jnp.issubdtype(d, jnp.floating))


def _own(example: list[Any]) -> list[Any]:
    return [jax.dtypes.canonicalize_dtype(x.dtype) for x in example]


def _name(dtype: Any) -> str:
    """The name of a floating-point format."""
    try:
        name = jnp.dtype(dtype).name
    except TypeError:
        name = ""
    if name not in FLOATS:
        raise TypeError(f"dtypes holds {dtype!r}, expected some of {', '.join(FLOATS)}")
    return name
