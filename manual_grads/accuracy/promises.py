"""What every rule promises: its true value, the magnitude that its error is relative to, and the bound.

Two bounds are kept apart. The promise is what is kept on the hard families of `inputs`, at any seed, and tested there.
The derived bound, of `bounds`, holds for any input, such as a search finds.
"""

from collections.abc import Callable
from inspect import signature
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from manual_grads.accuracy import bounds, large_class, network, sum_bounds, truths
from manual_grads.accuracy.ulp import TrueValues, certified
from manual_grads.rules import Rule

# A sum has an error of u times the sum of absolute values for each addition that a term takes part in (Higham,
# "Accuracy and Stability of Numerical Algorithms", section 4.2), and each term has some 32 roundings of its own: two
# softmaxes of 6 ULP, which is 12 u, and a few products. Half of both is the bound in ULP, as u is at most half an ULP.
ROUNDINGS = 32
# In ULP of a 16-bit format, beyond the half of one rounding: 0.51 is promised, and 19 ULP of float32 are 0.002.
DOUBLE_ROUNDING = 0.01


def pairwise(s: Any, *others: Any) -> int:
    """2 log₂ K: `row_sum` adds halves to halves, or lets XLA add in blocks; never one term after the other."""
    del others
    return 2 * s.shape[-1].bit_length()


class Promise(NamedTuple):
    """The accuracy promised for a rule, in float32 and float64."""

    value: Callable[..., Any]  # of one example's arguments, as balls
    ulp: float | None = None  # the largest error on hard inputs, in ULP of |value|; None: what `magnitude` says
    magnitude: Callable[..., Any] | None = None  # with the `floor` before the arguments; if None, |value| always
    ulp64: float | None = None  # the same in float64, where it is less
    additions: Callable[..., int] = pairwise  # that a term takes part in, on the longest way to an entry


def additions_of_network(x: Any, A: Any, B: Any, *labels: Any) -> int:
    """The terms of Ax, of Bσ and of Aᵀδ, of Σe^v and of Bᵀ(g − y): matrix products add in any order."""
    del labels
    (hidden, inputs), classes = A.shape, B.shape[0]
    return inputs + 2 * hidden + 2 * classes


def additions_of_layer(h: Any, B: Any, *others: Any) -> int:
    """The terms of Bh, of Σe^s, of Gᵀ B and of its product with h."""
    del others
    classes, hidden = B.shape
    return 2 * hidden + 2 * classes


# With labels, `ulp` is for a class index or a one-hot distribution, `magnitude` for any other. It is that of many rows,
# in whose sums the hard families lose up to thirteen halves of an ULP, which are 13 ULP of a loss just below a power of
# two: so many where there are 56 or 343 classes, six where there are ten. The derived bound of few rows is less. Rows
# that are made for the very order of the additions lose more, 27 of 4096 classes; within the derived bound.
PROMISES: dict[str, Promise] = {
    "sigmoid": Promise(truths.sigmoid, 2.5),
    "sigmoid_grad": Promise(truths.sigmoid_grad, 2.5),
    "sigmoid_jacobian": Promise(truths.sigmoid_jacobian, 2.5),
    "softmax": Promise(truths.softmax, 9),
    "log_softmax": Promise(truths.log_softmax, 15),
    "softmax_jacobian": Promise(truths.softmax_jacobian, 17, ulp64=8),
    "softmax_jvp": Promise(truths.softmax_product, None, truths.softmax_product_magnitude),
    "softmax_vjp": Promise(truths.softmax_product, None, truths.softmax_product_magnitude),
    "logloss": Promise(truths.logloss, 3, truths.logloss_magnitude),
    "logloss_grad": Promise(truths.logloss_grad, 4),
    "softmax_cross_entropy": Promise(truths.cross_entropy, 15, truths.cross_entropy_magnitude),
    "softmax_cross_entropy_grad": Promise(truths.cross_entropy_grad, 12, truths.cross_entropy_grad_magnitude),
    "softmax_cross_entropy_jvp": Promise(truths.cross_entropy_jvp, None, truths.cross_entropy_jvp_magnitude),
    "softmax_cross_entropy_vjp": Promise(truths.cross_entropy_vjp, None, truths.cross_entropy_vjp_magnitude),
    "softmax_cross_entropy_hessian": Promise(truths.cross_entropy_hessian, 17, ulp64=8),
    "softmax_cross_entropy_hvp": Promise(truths.cross_entropy_hvp, None, truths.cross_entropy_hvp_magnitude),
    "two_layer_loss": Promise(network.loss, None, network.loss_magnitude, additions=additions_of_network),
    "two_layer_grads": Promise(network.grads, None, network.grads_magnitude, additions=additions_of_network),
    "two_layer_vjp": Promise(network.vjp, None, network.vjp_magnitude, additions=additions_of_network),
    "two_layer_jacobians": Promise(
        network.jacobians, None, network.jacobians_magnitude, additions=additions_of_network
    ),
    "linear_softmax_cross_entropy_grads": Promise(
        large_class.grads, None, large_class.grads_magnitude, additions=additions_of_layer
    ),
}


def is_sharp(rule: Rule, args: tuple[Any, ...]) -> bool:
    """Whether the bound is in ULP of the value, for these arguments."""
    promise = PROMISES[rule.name]
    if promise.ulp is None or promise.magnitude is None:
        return promise.ulp is not None
    return truths.is_one_hot(args[list(signature(rule.manual).parameters).index("labels")])


def bound(rule: Rule, args: tuple[Any, ...], dtype: Any) -> float:
    """The largest error promised for one example, in ULP (of `dtype`) of the magnitude.

    float16 and bfloat16 are rounded once, by half an ULP, from float32; an ULP of float32 is 2⁻¹³ or 2⁻¹⁶ of theirs.
    """
    promise = PROMISES[rule.name]
    wide = jnp.promote_types(dtype, jnp.float32)
    if is_sharp(rule, args):
        promised = (promise.ulp64 if wide == jnp.float64 else None) or promise.ulp
        assert promised is not None
        known = bounds.is_derived(rule.name)
        ulp = min(promised, bounds.derived(rule.name, wide, classes_of(args))) if known else promised
    else:
        ulp = (promise.additions(*args) + ROUNDINGS) / 2
    if wide == jnp.dtype(dtype):
        return ulp
    return 0.5 + max(DOUBLE_ROUNDING, ulp * float(jnp.finfo(wide).eps / jnp.finfo(dtype).eps))


def derived(rule: Rule, args: tuple[Any, ...], dtype: Any) -> float:
    """The bound for any input, in ULP of the magnitude; where none is derived, the promise."""
    if is_sharp(rule, args) and bounds.is_derived(rule.name):
        return bounds.derived(rule.name, dtype, classes_of(args))
    if rule.name in sum_bounds.OF_SUMS:
        return sum_bounds.derived(rule.name, dtype, sizes_of(rule, args))
    return bound(rule, args, dtype)


def sizes_of(rule: Rule, args: tuple[Any, ...]) -> sum_bounds.Sizes:
    """How many terms the sums of one example have."""
    shapes = dict(zip(signature(rule.manual).parameters, map(np.shape, args), strict=True))
    if "A" not in shapes:
        return sum_bounds.Sizes(classes_of(args))
    return sum_bounds.Sizes(classes=shapes["B"][0], hidden=shapes["A"][0], inputs=shapes["A"][1])


def classes_of(args: tuple[Any, ...]) -> int:
    """How many entries a row of the first argument has; 1 for a number."""
    return np.shape(args[0])[-1] if np.ndim(args[0]) else 1


def truth(rule: Rule, args: tuple[Any, ...], dtype: Any) -> list[TrueValues]:
    """The true value of each output for one example, whose arguments hold floats of `dtype` exactly, in float64."""
    sharp, floor = is_sharp(rule, args), floor_of(dtype)

    def pairs() -> list[tuple[Any, Any]]:
        found = values_and_magnitudes(rule, args, floor)
        return [(value, abs(value)) for value, _ in found] if sharp else found

    return certified(pairs, dtype)


def values_and_magnitudes(rule: Rule, args: tuple[Any, ...], floor: float) -> list[tuple[Any, Any]]:
    """Each output's true value and its magnitude, as balls."""
    promise = PROMISES[rule.name]
    values = as_tuple(promise.value(*args))
    if promise.magnitude is None:
        return [(value, abs(value)) for value in values]
    return list(zip(values, as_tuple(promise.magnitude(floor, *args)), strict=True))


def floor_of(dtype: Any) -> float:
    """One smallest normal number of the dtype of computation, in units of its u: what may underflow unnoticed."""
    computing = jnp.finfo(jnp.promote_types(dtype, jnp.float32))
    return float(computing.smallest_normal) / (float(computing.eps) / 2)


def as_tuple(value: Any) -> tuple[Any, ...]:
    """A function's outputs, of which most have one."""
    return value if isinstance(value, tuple) else (value,)
