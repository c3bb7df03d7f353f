"""`manual_grads.nn` in place of `jax.nn` and optax: forward, and the gradient through it, as a user calls them."""

from collections.abc import Callable
from math import prod
from typing import Any

import jax

from benchmarks.programs import DROP_INS, by_jax, vjp_with_value
from benchmarks.workload import Contender, Workload
from benchmarks.workloads.cross_entropy import drawn
from benchmarks.workloads.draws import LARGEST, logits, normal
from manual_grads.accuracy.peers import PEERS
from manual_grads.formulas import plain

FORWARDS: dict[str, Callable[..., Any]] = {
    "sigmoid": plain.sigmoid,
    "softmax": plain.softmax,
    "log-softmax": plain.log_softmax,
}


def against_peers(way: Callable[..., Any], forward: Callable[..., Any]) -> tuple[Contender, ...]:
    """`way` of our drop-in, of the literal forward function, and of jax.nn's or optax's."""
    return (
        by_jax("through nn", "hand", way(DROP_INS[forward])),
        by_jax("plain", "autodiff", way(forward)),
        by_jax("jax.nn/optax", "autodiff", way(PEERS[forward])),
    )


def drop_in(name: str, *sizes: int, gradient: bool = False) -> Workload:
    """The function's value, of N×K logits or of n numbers; with its vjp, if that is wished."""
    forward, way = FORWARDS[name], vjp_with_value if gradient else lambda f: f
    return Workload(
        family=f"nn.{name.replace('-', '_')}" + " and gradient" * gradient,
        sizes=named(sizes),
        inputs="random",
        draw=lambda random: (numbers(random, sizes), *([normal(random, *sizes)] if gradient else [])),
        contenders=against_peers(way, forward),
        reference=way(forward),
        flops=(9 if gradient else 5) * prod(sizes),
        terms=2 * sizes[-1] if len(sizes) > 1 else 1,
        largest_logit=LARGEST["random"],
    )


def loss_and_gradient(batch: int, classes: int, labels: str = "indices") -> Workload:
    """The mean loss and its gradient, as a training step has it."""

    def way(forward: Callable[..., Any]) -> Callable[..., Any]:
        return jax.value_and_grad(lambda s, y: forward(s, y).mean())

    return Workload(
        family=f"nn loss and gradient, {labels}",
        sizes={"N": batch, "K": classes},
        inputs="random",
        draw=drawn(batch, classes, labels, "random"),
        contenders=against_peers(way, plain.softmax_cross_entropy),
        reference=way(plain.softmax_cross_entropy),
        flops=8 * batch * classes,
        terms=2 * classes,
        largest_logit=LARGEST["random"],
    )


def named(sizes: tuple[int, ...]) -> dict[str, int]:
    """Sizes by the document's letters."""
    return dict(zip("NK" if len(sizes) == 2 else "n", sizes, strict=True))


def numbers(random: Any, sizes: tuple[int, ...]) -> Any:
    """Logits, or what a sigmoid is taken of."""
    return logits(random, "random", *sizes) if len(sizes) == 2 else normal(random, *sizes, scale=2)
