"""What a Pallas kernel does, as a jaxpr of ordinary operations: by JAX's own interpreter of kernels, if it has one."""

from functools import lru_cache
from typing import Any

import jax


@lru_cache(maxsize=64)
def interpreted(eqn: Any) -> Any:
    """The closed jaxpr of a `pallas_call`; None, where this JAX can't say, and the kernel is opaque.

    It rests on JAX's internals: where they are others, its rounding isn't measured, and the report says so.
    """
    try:
        from inspect import signature

        from jax._src.pallas.hlo_interpreter import pallas_call_hlo_interpret as interpret

        taken = signature(interpret).parameters
        params: dict[str, Any] = {"backend": None} | eqn.params
        chosen = {name: params[name] for name in taken if name in params}
        shapes = [jax.ShapeDtypeStruct(var.aval.shape, var.aval.dtype) for var in eqn.invars]
        return jax.make_jaxpr(lambda *args: interpret(*args, **chosen))(*shapes)
    except Exception:  # another JAX, or a kernel that its interpreter doesn't know
        return None
