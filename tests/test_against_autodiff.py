"""Every gradient that is written by hand, beside JAX's autodiff of the same function.

    manual(*args) == by(forward)(*args)        by: jax.grad, jax.jacobian, jax.hessian, vjp, jvp, …

is tested for all that `@derivative_of` has registered. `forward` is a textbook's formula of exp, log, sum and max
(`manual_grads/formulas/plain.py`): autodiff has only those to differentiate. The inputs are ordinary ones; what becomes
of saturated ones, where autodiff loses its digits, is in `tests/accuracy` and `tests/edge_contract`.
"""

from functools import cache

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads import nn
from manual_grads.accuracy.peers import PEERS
from manual_grads.rules import FLOATS, Sizes
from tests.quick import quick_jit
from tests.registry import RULES_AND_LABELS

EVERY_RULE = pytest.mark.parametrize(("rule", "soft_labels"), RULES_AND_LABELS)  # soft: distributions, not indices
EVERY_FORMAT = pytest.mark.parametrize("dtype", FLOATS)
WIDE = ("float32", "float64")  # the others are computed in float32
USUAL = "float32"  # compiled as users have it, and not at all; elsewhere quickly: a wrong formula is wrong then, too
BATCH = (2, 3)


@EVERY_RULE
@EVERY_FORMAT
def test_one_example(rule, soft_labels, dtype):
    chex.clear_trace_counter()
    with x64(dtype):
        jitted = (jax.jit if dtype == USUAL else quick_jit)(chex.assert_max_traces(rule.manual, n=1))
        for args in (draw(rule, soft_labels, dtype, seed) for seed in range(3)):
            want = autodiff(rule, args, dtype)
            assert_same(jitted(*args), want, dtype)
            if dtype == USUAL:
                assert_same(rule.manual(*args), want, dtype)


@EVERY_RULE
@EVERY_FORMAT
def test_batch(rule, soft_labels, dtype):
    with x64(dtype):
        args, axes, want = batch(rule, soft_labels, dtype)
        vmapped = jax.vmap(jax.vmap(rule.manual, axes), axes)
        by_vmap, native = quick_jit(lambda *args: (vmapped(*args), rule.manual(*args)))(*args)
        assert_same(by_vmap, want, dtype)
        assert_same(native, summed(want, rule.summed), dtype)


@pytest.mark.smoke
@EVERY_RULE
def test_large_batch(rule, soft_labels):
    """Of 4096 logits and more, exponentials and sums are computed in other ways."""
    args, axes, want = batch(rule, soft_labels, "float32")
    args = [x if axis is None else jnp.repeat(x, 250, 0) for x, axis in zip(args, axes, strict=True)]
    got = jax.jit(rule.manual)(*args)
    for i, (mine, jaxs) in enumerate(zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True)):
        if i not in rule.summed:  # a sum of that many examples has more roundings than is allowed for
            assert_same(mine, np.repeat(jaxs, 250, 0), "float32")


@EVERY_RULE
def test_vmap_over_one_argument_alone(rule, soft_labels):
    three = one, *_ = [draw(rule, soft_labels, USUAL, seed) for seed in range(3)]
    alone = [[(*one[:i], x[i], *one[i + 1 :]) for x in three] for i in range(len(one))]
    batches = [[*one[:i], jnp.stack([x[i] for x in three]), *one[i + 1 :]] for i in range(len(one))]
    axes = [[0 if j == i else None for j in range(len(one))] for i in range(len(one))]
    vmapped = quick_jit(lambda given: [jax.vmap(rule.manual, a)(*args) for a, args in zip(axes, given, strict=True)])
    for got, examples in zip(vmapped(batches), alone, strict=True):
        assert_same(got, stacked([autodiff(rule, args, USUAL) for args in examples]), USUAL)


@EVERY_RULE
def test_forwards_of_jax_nn_and_optax_and_of_our_own_nn(rule, soft_labels):
    """Autodiff of other authors' forwards; and of `manual_grads.nn`'s, whose derivatives are written by hand."""
    with x64("float64"):
        args = draw(rule, soft_labels, "float64")
        forwards = [f for f in (PEERS.get(rule.forward), drop_in(rule.forward, soft_labels)) if f is not None]
        manual, *others = quick_jit(lambda *args: [f(*args) for f in (rule.manual, *map(rule.by, forwards))])(*args)
        for theirs in others:
            assert_same(theirs, manual, "float64")


def draw(rule, soft_labels, dtype, seed=0, batch=()):
    """Arguments for a rule, drawn by the rule itself."""
    return rule.example(jax.random.key(seed), jnp.dtype(dtype), Sizes(batch=batch, soft_labels=soft_labels))


def batch(rule, soft_labels, dtype):
    """The arguments of a batch, the axis of each that `vmap` is over, and autodiff of each example."""
    args, one = draw(rule, soft_labels, dtype, batch=BATCH), draw(rule, soft_labels, dtype)
    # The weights of a network have no batch axes: all examples share them.
    axes = tuple(0 if np.ndim(x) > np.ndim(y) else None for x, y in zip(args, one, strict=True))
    examples = [[x if axis is None else x[i] for x, axis in zip(args, axes, strict=True)] for i in np.ndindex(BATCH)]
    return args, axes, stacked([autodiff(rule, example, dtype) for example in examples], BATCH)


def autodiff(rule, args, dtype):
    """`by(forward)(*args)`; for float16 and bfloat16 in float64, as autodiff itself would keep few digits in them."""
    exact = dtype if dtype in WIDE else "float64"
    with x64(exact):
        return differentiated(rule)(*(x.astype(exact) if x.dtype == dtype else x for x in args))


differentiated = cache(lambda rule: quick_jit(rule.by(rule.forward)))


def x64(dtype):
    """JAX as its users have it: with 64 bits only for those who want them."""
    return jax.enable_x64(dtype == "float64")


def drop_in(forward, soft_labels):
    """The function of `manual_grads.nn` in place of a plain one, if there is one."""
    name = getattr(forward, "__name__", "")
    if name == "linear_softmax_cross_entropy":
        return None  # it takes its options by name: tests/nn/linear_cross_entropy/test_certified.py
    if name == "softmax_cross_entropy" and not soft_labels:
        name += "_with_integer_labels"
    return getattr(nn, name, None)


def stacked(results, shape=(-1,)):
    """The results of a batch's examples as one."""
    return jax.tree.map(lambda *leaves: np.stack(leaves).reshape(*shape, *leaves[0].shape), *results)


def summed(results, outputs):
    """What native batch axes give: the gradients of what all examples share are summed over them."""
    axes = tuple(range(len(BATCH)))
    return tuple(x.sum(axes) if i in outputs else x for i, x in enumerate(results)) if outputs else results


def assert_same(got, want, dtype):
    """Finite, of autodiff's shapes and the arguments' format, and equal but for rounding."""
    chex.assert_tree_all_finite(got)
    chex.assert_trees_all_equal_shapes_and_dtypes(got, jax.tree.map(lambda x: x.astype(dtype), want))
    # By hand and by autodiff together, an entry takes up to 32 roundings in the format of computation: each is wrong by
    # half an eps of a term, and the terms of an entry, with absolute values, sum to less than 40 in these examples.
    rounding = 32 / 2 * float(jnp.finfo(jnp.promote_types(dtype, "float32")).eps)
    # float16 and bfloat16 are computed in float32 and rounded once more, by half an eps of the result.
    last = float(jnp.finfo(dtype).eps) / 2 if dtype not in WIDE else 0
    got, want = (jax.tree.map(lambda x: np.asarray(x, "float64"), tree) for tree in (got, want))
    chex.assert_trees_all_close(got, want, rtol=rounding + last, atol=40 * rounding)
