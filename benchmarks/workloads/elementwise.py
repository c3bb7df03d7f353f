"""Task 18: σ′ of many numbers."""

import manual_grads as mg
from benchmarks import torch_peers
from benchmarks.programs import by_autodiff, by_jax, grad_of_sum
from benchmarks.workload import Workload
from benchmarks.workloads.draws import normal
from manual_grads.formulas import plain


def sigmoid_grad(count: int) -> Workload:
    """σ′(z), elementwise."""
    return Workload(
        family="σ′",
        sizes={"n": count},
        inputs="random",
        draw=lambda random: (normal(random, count, scale=4),),
        contenders=(
            by_jax("by hand", "hand", mg.sigmoid_grad),
            *by_autodiff(grad_of_sum(), plain.sigmoid),
            *torch_peers.sigmoid_grad(),
        ),
        reference=grad_of_sum()(plain.sigmoid),
        flops=6 * count,
        terms=1,
        largest_logit=24,
    )
