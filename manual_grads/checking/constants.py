"""NumPy arrays that a function closes over: a constant for each setting of 64 bits, as a check traces it under both.

JAX makes one constant of such an array, in the format of the setting that meets it first, and uses it under the other
setting too: a float64 table becomes float32 for good, or the other way round, and the program doesn't compile.
"""

import weakref
from functools import cache
from typing import Any

import numpy as np


@cache
def keep_settings_apart() -> bool:
    """Has JAX make a constant for each setting from here on; whether it could. Asked for once in a process.

    It rests on JAX's internals: where they are others, a check fails with JAX's own error for such arrays, as without.
    """
    try:
        from jax._src import dtypes, literals

        make, register = literals.TypedNdArray, dtypes.canonicalize_value_handlers.__setitem__
        register(np.ndarray, _ConstantOf(make, dtypes.canonicalize_dtype))
    except Exception:  # another JAX
        return False
    return True


class _ConstantOf:
    """An array's constant in the present setting: the same one as long as it is in use, since it may be large."""

    def __init__(self, make: Any, canonical: Any) -> None:
        self.make, self.canonical = make, canonical
        self.known: dict[tuple[int, str], tuple[Any, Any]] = {}  # weak references to the array and to its constant

    def __call__(self, x: np.ndarray) -> Any:
        dtype = self.canonical(x.dtype)
        key = (id(x), str(dtype))
        array, constant = (reference() for reference in self.known.get(key, (_nothing, _nothing)))
        if array is x and constant is not None:
            return constant
        constant = self._made(np.asarray(x, dtype))
        try:
            forget = lambda _: self.known.pop(key, None)  # noqa: E731
            self.known[key] = (weakref.ref(x, forget), weakref.ref(constant, forget))
        except TypeError:  # without weak references, it is made anew each time
            pass
        return constant

    def _made(self, x: np.ndarray) -> Any:
        try:
            return self.make(x)
        except TypeError:  # JAX 0.9
            return self.make(x, weak_type=False)


def _nothing() -> None:
    return None
