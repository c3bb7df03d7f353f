"""PyTorch's contenders, eager and by `torch.compile`, and its and tokamax's loss for many classes: where installed."""

import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import jax
import numpy as np

from benchmarks.programs import by_jax
from benchmarks.workload import Contender, Inputs, Program

Make = Callable[[Any], Callable[..., Any]]  # a function of tensors, given the module `torch`


def torch_program(make: Make, inputs: Inputs, compiled: bool = False) -> Program:
    """PyTorch's function of tensors like these inputs; its first call, which compiles, is made here.

    Raises:
        ModuleNotFoundError: if PyTorch isn't installed.
    """
    torch = import_module("torch")
    device = "cuda" if jax.default_backend() == "gpu" and torch.cuda.is_available() else "cpu"
    torch.compiler.reset()
    function = torch.compile(make(torch), dynamic=False) if compiled else make(torch)

    def place(inputs: Inputs) -> list[Any]:
        wide = [array.astype(np.int64) if array.dtype == np.int32 else array for array in inputs]
        return [torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in wide]

    def run(args: Any) -> Any:
        results = function(*args)
        if device == "cuda":
            torch.cuda.synchronize()
        return results

    args = place(inputs)
    start = time.perf_counter()
    run(args)
    seconds = time.perf_counter() - start
    return Program(place, run, lambda results: [r.detach().cpu().numpy() for r in leaves(results)], seconds, None)


def leaves(results: Any) -> list[Any]:
    """The tensors of a result, flattened."""
    return [leaf for part in results for leaf in leaves(part)] if isinstance(results, list | tuple) else [results]


def eager_and_compiled(forward: Make, way: Callable[[Any, Callable], Callable], whole: bool) -> tuple[Contender, ...]:
    """Two contenders; torch.compile gets the `whole` derivative, or the forward function, and backward follows."""

    def eager(torch: Any) -> Callable[..., Any]:
        return way(torch, forward(torch))

    def compiled(torch: Any) -> Callable[..., Any]:
        return way(torch, torch.compile(forward(torch), dynamic=False))

    return (
        Contender("PyTorch eager", "peer", eager, torch_program),
        Contender("torch.compile", "peer", eager, partial(torch_program, compiled=True))
        if whole
        else Contender("torch.compile", "peer", compiled, torch_program),
    )


def backward(torch: Any, forward: Callable[..., Any], count: int = 1) -> Callable[..., Any]:
    """The gradient of the sum with respect to the first arguments, as `.backward()` computes it."""

    def gradient(*args: Any) -> Any:
        at = [a.detach().requires_grad_() for a in args[:count]]
        return torch.autograd.grad(forward(*at, *args[count:]).sum(), at)

    return gradient


def sigmoid_grad() -> tuple[Contender, ...]:
    """σ′, elementwise."""
    return eager_and_compiled(lambda torch: torch.sigmoid, backward, whole=False)


def softmax_of(torch: Any) -> Callable[..., Any]:
    """Softmax over the last axis."""
    return lambda s: torch.softmax(s, -1)


def softmax_product(forward_mode: bool) -> tuple[Contender, ...]:
    """J·t or Jᵀ·c."""

    def pushed_forward(torch: Any, forward: Callable) -> Callable[..., Any]:
        return lambda s, t: torch.func.jvp(forward, (s,), (t,))[1]

    def pulled_back(torch: Any, forward: Callable) -> Callable[..., Any]:
        def product(s: Any, c: Any) -> Any:
            s = s.detach().requires_grad_()
            return torch.autograd.grad(forward(s), s, c)

        return product

    return eager_and_compiled(softmax_of, pushed_forward if forward_mode else pulled_back, whole=forward_mode)


def softmax_jacobian(batched: bool) -> tuple[Contender, ...]:
    """The Jacobian by reverse mode, vmapped over a batch."""

    def jacobian(torch: Any, forward: Callable) -> Callable[..., Any]:
        each = torch.func.jacrev(forward)
        return torch.func.vmap(each) if batched else each

    return eager_and_compiled(softmax_of, jacobian, whole=True)


def cross_entropy_of(torch: Any) -> Callable[..., Any]:
    """The loss, summed over the batch, for either kind of labels."""
    return partial(torch.nn.functional.cross_entropy, reduction="sum")


def cross_entropy_grad() -> tuple[Contender, ...]:
    """∂R/∂s."""
    return eager_and_compiled(cross_entropy_of, backward, whole=False)


def cross_entropy_hvp() -> tuple[Contender, ...]:
    """H·t, forward over reverse."""

    def product(torch: Any, forward: Callable) -> Callable[..., Any]:
        return lambda s, y, t: torch.func.jvp(lambda s: torch.func.grad(forward)(s, y), (s,), (t,))[1]

    return eager_and_compiled(cross_entropy_of, product, whole=True)


def network(each: bool) -> tuple[Contender, ...]:
    """(dx, dA, dB), summed over the batch or of each example."""

    def loss_of(torch: Any) -> Callable[..., Any]:
        return lambda x, A, B, y: cross_entropy_of(torch)(torch.sigmoid(x @ A.T) @ B.T, y)

    def per_example(torch: Any, forward: Callable) -> Callable[..., Any]:
        return torch.func.vmap(torch.func.grad(forward, argnums=(0, 1, 2)), in_dims=(0, None, None, 0))

    return eager_and_compiled(loss_of, per_example if each else partial(backward, count=3), whole=each)


def linear_cross_entropy(with_dense: bool) -> tuple[Contender, ...]:
    """The mean loss of many classes and both its gradients: dense, and by the libraries' own functions for it.

    PyTorch doesn't tell how much memory a program will need: where that is too much, `with_dense` is to be false.
    """

    def with_gradients(torch: Any, forward: Callable) -> Callable[..., Any]:
        def result(h: Any, B: Any, y: Any) -> Any:
            h, B = h.detach().requires_grad_(), B.detach().requires_grad_()
            loss = forward(h, B, y)
            return [loss, *torch.autograd.grad(loss, (h, B))]

        return result

    def dense(torch: Any) -> Callable[..., Any]:
        return lambda h, B, y: torch.nn.functional.cross_entropy(h @ B.T, y)

    def chunked(torch: Any) -> Callable[..., Any]:
        options = torch.nn.LinearCrossEntropyOptions()
        return with_gradients(torch, partial(torch.nn.functional.linear_cross_entropy, options=options))

    return (
        *(eager_and_compiled(dense, with_gradients, whole=False) if with_dense else ()),
        Contender("torch linear_cross_entropy", "peer", chunked, torch_program),
        by_jax("tokamax", "peer", jax.value_and_grad(tokamax_loss, (0, 1))),
    )


def tokamax_loss(hidden: jax.Array, weights: jax.Array, labels: jax.Array) -> Any:
    """Tokamax's loss, in the form for XLA, or what it chooses on a GPU."""
    loss = import_module("tokamax").linear_softmax_cross_entropy_loss
    import_module("absl.flags").FLAGS.mark_as_parsed()  # or tokamax would parse this program's command line
    return loss(hidden, labels, weights.T, reduction="mean")
