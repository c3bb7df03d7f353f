"""Task 19.1: the softmax's Jacobian, and its products with a vector."""

from functools import partial

import jax

import manual_grads as mg
from benchmarks import torch_peers
from benchmarks.programs import by_autodiff, by_jax
from benchmarks.workload import Workload
from benchmarks.workloads.draws import LARGEST, logits, normal
from manual_grads.formulas import plain
from manual_grads.rules import batched, jvp, vjp


def softmax_vjp(batch: int, classes: int, inputs: str = "random") -> Workload:
    """Jᵀ·c for each example."""
    return product("softmax vjp", vjp, mg.softmax_vjp, batch, classes, inputs)


def softmax_jvp(batch: int, classes: int, inputs: str = "random") -> Workload:
    """J·t for each example."""
    return product("softmax jvp", jvp, mg.softmax_jvp, batch, classes, inputs)


def product(family: str, way, manual, batch: int, classes: int, inputs: str) -> Workload:
    """A product with each example's Jacobian."""
    return Workload(
        family=family,
        sizes={"N": batch, "K": classes},
        inputs=inputs,
        draw=lambda random: (logits(random, inputs, batch, classes), normal(random, batch, classes)),
        contenders=(
            by_jax("by hand", "hand", manual),
            *by_autodiff(way, plain.softmax),
            *torch_peers.softmax_product(forward_mode=way is jvp),
        ),
        reference=way(plain.softmax),
        flops=8 * batch * classes,  # subtract and exp, and two of each: sum, product, product with the row's scale
        terms=2 * classes,
        largest_logit=LARGEST[inputs],
    )


def softmax_jacobian(classes: int, batch: int | None = None) -> Workload:
    """The K×K Jacobian, of one example or of each of a batch."""
    sizes = {"K": classes} if batch is None else {"N": batch, "K": classes}
    ways = {by.__name__: partial(batched, by=by, batch_axes=(len(sizes) - 1,)) for by in (jax.jacrev, jax.jacfwd)}
    return Workload(
        family="softmax Jacobian",
        sizes=sizes,
        inputs="random",
        draw=lambda random: (logits(random, "random", batch or 1, classes)[slice(None) if batch else 0],),
        contenders=(
            by_jax("by hand", "hand", mg.softmax_jacobian),
            *(c for label, way in ways.items() for c in by_autodiff(way, plain.softmax, f"{label}, ")),
            *torch_peers.softmax_jacobian(batched=batch is not None),
        ),
        reference=ways["jacrev"](plain.softmax),
        flops=2 * (batch or 1) * classes**2,
        terms=2 * classes,
        largest_logit=LARGEST["random"],
    )
