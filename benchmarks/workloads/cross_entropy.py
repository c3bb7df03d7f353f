"""Task 19.3: the gradient of softmax's log-loss, and the product of its Hessian with a vector."""

import manual_grads as mg
from benchmarks import torch_peers
from benchmarks.programs import by_autodiff, by_jax, grad_of_sum
from benchmarks.workload import Inputs, Workload
from benchmarks.workloads.draws import LARGEST, Draw, distribution, indices, logits, normal
from manual_grads.formulas import plain
from manual_grads.rules import jvp


def drawn(batch: int, classes: int, labels: str, inputs: str) -> Draw:
    """Logits and their labels; where an example is peaked, its label is the likely class."""

    def draw(random) -> Inputs:
        s = logits(random, inputs, batch, classes)
        if labels == "distribution":
            return s, distribution(random, batch, classes)
        i = s.argmax(-1).astype("int32") if inputs == "peaked" else indices(random, batch, classes)
        return s, i

    return draw


def cross_entropy_grad(batch: int, classes: int, labels: str = "indices", inputs: str = "random") -> Workload:
    """∂R/∂s for each example; labels are "indices", or each a "distribution"."""
    return Workload(
        family=f"cross-entropy gradient, {labels}",
        sizes={"N": batch, "K": classes},
        inputs=inputs,
        draw=drawn(batch, classes, labels, inputs),
        contenders=(
            by_jax("by hand", "hand", mg.softmax_cross_entropy_grad),
            *by_autodiff(grad_of_sum(), plain.softmax_cross_entropy),
            *torch_peers.cross_entropy_grad(),
        ),
        reference=grad_of_sum()(plain.softmax_cross_entropy),
        flops=(5 if labels == "indices" else 7) * batch * classes,
        terms=2 * classes,
        largest_logit=LARGEST[inputs],
    )


def cross_entropy_loss(batch: int, classes: int, labels: str = "indices") -> Workload:
    """R for each example, alone."""
    return Workload(
        family=f"cross-entropy loss, {labels}",
        sizes={"N": batch, "K": classes},
        inputs="random",
        draw=drawn(batch, classes, labels, "random"),
        contenders=(
            by_jax("by hand", "hand", mg.softmax_cross_entropy),
            *by_autodiff(lambda forward: forward, plain.softmax_cross_entropy),
        ),
        reference=plain.softmax_cross_entropy,
        flops=3 * batch * classes,
        terms=2 * classes,
        largest_logit=LARGEST["random"],
    )


def cross_entropy_hvp(batch: int, classes: int, inputs: str = "random") -> Workload:
    """H·t for each example."""
    draw = drawn(batch, classes, "indices", inputs)

    def way(forward):
        return jvp(grad_of_sum()(forward))

    return Workload(
        family="cross-entropy Hessian·t",
        sizes={"N": batch, "K": classes},
        inputs=inputs,
        draw=lambda random: (*draw(random), normal(random, batch, classes)),
        contenders=(
            by_jax("by hand", "hand", mg.softmax_cross_entropy_hvp),
            *by_autodiff(way, plain.softmax_cross_entropy),
            *torch_peers.cross_entropy_hvp(),
        ),
        reference=way(plain.softmax_cross_entropy),
        flops=8 * batch * classes,
        terms=3 * classes,
        largest_logit=LARGEST[inputs],
    )
