"""Task 21: the two-layer network's gradients, of a whole batch and per example."""

import jax
import numpy as np

import manual_grads as mg
from benchmarks import torch_peers
from benchmarks.programs import by_autodiff, by_jax, grad_of_sum
from benchmarks.workload import Inputs, Workload
from benchmarks.workloads.draws import Draw, indices, normal
from manual_grads.formulas import plain

ARGNUMS = (0, 1, 2)  # x, A and B


def whole_batch(batch: int, inputs: int, hidden: int, classes: int) -> Workload:
    """(dx, dA, dB), dA and dB summed over the batch."""
    return gradients("network", random_network(batch, inputs, hidden, classes), batch, inputs, hidden, classes)


def per_example(batch: int, inputs: int, hidden: int, classes: int) -> Workload:
    """(dx, dA, dB) of each example."""
    draw = random_network(batch, inputs, hidden, classes)
    return gradients("network per example", draw, batch, inputs, hidden, classes)


def digits(each: bool = False) -> Workload:
    """The same for minibatches of scikit-learn's digits, with the sizes of `manual-grads train`."""
    batch, inputs, hidden, classes = 64, 65, 64, 10

    def draw(random: np.random.Generator) -> Inputs:
        from manual_grads.training.digits import digits  # needs scikit-learn

        data = digits()
        some = random.choice(len(data.labels), batch, replace=False)
        _, A, B, _ = random_network(batch, inputs, hidden, classes)(random)
        return data.images[some], A, B, data.labels[some]

    workload = gradients("network per example" if each else "network", draw, batch, inputs, hidden, classes)
    return workload._replace(inputs="digits")


def random_network(batch: int, inputs: int, hidden: int, classes: int) -> Draw:
    """Inputs and weights for which neither layer saturates."""

    def draw(random: np.random.Generator) -> Inputs:
        A = normal(random, hidden, inputs, scale=inputs**-0.5)
        B = normal(random, classes, hidden, scale=hidden**-0.5)
        return normal(random, batch, inputs), A, B, indices(random, batch, classes)

    return draw


def gradients(family: str, draw: Draw, batch: int, inputs: int, hidden: int, classes: int) -> Workload:
    """One of the two families."""
    each = family == "network per example"

    def way(forward):
        gradient = grad_of_sum(ARGNUMS)(forward)
        return over_examples(gradient) if each else gradient

    return Workload(
        family=family,
        sizes={"N": batch, "D": inputs, "H": hidden, "K": classes},
        inputs="random",
        draw=draw,
        contenders=(
            by_jax("by hand", "hand", over_examples(mg.two_layer_grads) if each else mg.two_layer_grads),
            *by_autodiff(way, plain.two_layer_loss),
            *torch_peers.network(each),
        ),
        reference=way(plain.two_layer_loss),
        # Products forward, for dx or Bᵀdv, and for the weights; the last are outer products, one multiplication each.
        flops=(5 if each else 6) * batch * hidden * (inputs + classes),
        terms=inputs + 2 * hidden + 2 * classes + (0 if each else batch),
        largest_logit=6,
    )


def over_examples(function):
    """The function of one example, with the weights shared."""
    return jax.vmap(function, (0, None, None, 0))
