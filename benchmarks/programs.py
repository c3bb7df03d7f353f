"""JAX's contenders: compiled ahead of time, and every way of autodiff to the same derivative."""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.workload import Contender, Inputs, Program
from manual_grads import nn
from manual_grads.accuracy.peers import PEERS
from manual_grads.formulas import plain
from manual_grads.formulas.inputs import are_indices

Way = Callable[[Callable[..., Any]], Callable[..., Any]]


def jax_program(function: Callable[..., Any], inputs: Inputs) -> Program:
    """The function compiled for arguments like these."""
    args = place(inputs)
    start = time.perf_counter()
    compiled = jax.jit(function).lower(*args).compile()
    seconds = time.perf_counter() - start
    memory = compiled.memory_analysis()
    return Program(
        place=place,
        run=lambda args: jax.block_until_ready(compiled(*args)),
        outputs=lambda results: [np.asarray(leaf) for leaf in jax.tree.leaves(results)],
        compile_seconds=seconds,
        temporaries=None if memory is None else memory.temp_size_in_bytes,
    )


def place(inputs: Inputs) -> tuple[jax.Array, ...]:
    """The inputs on JAX's device."""
    return jax.block_until_ready(tuple(jnp.asarray(array) for array in inputs))


def by_jax(name: str, kind: str, function: Callable[..., Any]) -> Contender:
    """A contender that JAX compiles."""
    return Contender(name, kind, function, jax_program)


def by_autodiff(way: Way, forward: Callable[..., Any], label: str = "") -> tuple[Contender, ...]:
    """`way` (such as `jax.grad`) of the literal forward function, of jax.nn's or optax's, and of our drop-in."""
    return (
        by_jax(f"{label}plain", "autodiff", way(forward)),
        by_jax(f"{label}jax.nn/optax", "autodiff", way(PEERS[forward])),
        by_jax(f"{label}through nn", "drop-in", way(DROP_INS[forward])),
    )


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """The drop-in for either kind of labels."""
    if are_indices(labels):
        return nn.softmax_cross_entropy_with_integer_labels(logits, labels)
    return nn.softmax_cross_entropy(logits, labels)


DROP_INS: dict[Callable[..., Any], Callable[..., Any]] = {
    plain.sigmoid: nn.sigmoid,
    plain.softmax: nn.softmax,
    plain.log_softmax: nn.log_softmax,
    plain.softmax_cross_entropy: cross_entropy,
    plain.two_layer_loss: nn.two_layer_loss,
}


def grad_of_sum(argnums: int | tuple[int, ...] = 0) -> Way:
    """`jax.grad` of the sum over the batch: every example's own gradient, since no example sees another."""

    def way(forward: Callable[..., Any]) -> Callable[..., Any]:
        return jax.grad(lambda *args: forward(*args).sum(), argnums)

    return way


def vjp_with_value(forward: Callable[..., Any]) -> Callable[..., Any]:
    """The value, and the vjp's product with a cotangent."""

    def way(x: jax.Array, cotangent: jax.Array) -> tuple[jax.Array, jax.Array]:
        value, pullback = jax.vjp(forward, x)
        return value, pullback(cotangent)[0]

    return way


def reference(function: Callable[..., Any], inputs: Inputs) -> list[np.ndarray]:
    """The function's results in float64, for the same (rounded) inputs."""
    with jax.enable_x64(True):
        wide = [jnp.asarray(a, jnp.float64 if jnp.issubdtype(a.dtype, jnp.floating) else None) for a in inputs]
        return [np.asarray(leaf) for leaf in jax.tree.leaves(jax.jit(function)(*wide))]
