"""Does a rule's claim hold? Every way to call the manual derivative, against three oracles, in every dtype."""

from collections.abc import Callable
from functools import cache, partial
from inspect import signature
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from manual_grads.checking.oracles import ORACLES
from manual_grads.rules import Rule, Sizes

BATCH = (2, 7)  # unequal to each other and to the sizes of an example
DTYPES = ("float16", "bfloat16", "float32", "float64")


class Call(NamedTuple):
    """A way to call a function of one example on several: its transform, the arguments, and what they amount to."""

    name: str
    transform: Callable[[Callable[..., Any]], Callable[..., Any]]
    args: list[Any]
    examples: list[np.ndarray]  # the same arguments, each with one leading axis: one entry per example
    lead: tuple[int, ...]  # the leading axes of the results
    summed_axes: tuple[int, ...] = ()  # those of them over which the rule's `summed` outputs are summed


def label_kinds(rule: Rule) -> tuple[bool, ...]:
    """The values of `Sizes.soft_labels` that make a difference to a rule's arguments."""
    return (False, True) if "labels" in signature(rule.manual).parameters else (False,)


def calls(rule: Rule, dtype: str, soft_labels: bool = False, seed: int = 0) -> list[Call]:
    """Every way to call a rule: single, batched natively, by vmap, by both, by vmap over each argument alone."""
    sizes = Sizes(soft_labels=soft_labels)
    native_key, *keys = jax.random.split(jax.random.key(seed), 1 + BATCH[-1])
    # NumPy slices and stacks without compiling; float16 and bfloat16 are exact in its float64, and in JAX again.
    drawn = [[np.asarray(arg) for arg in rule.example(key, jnp.dtype(dtype), sizes)] for key in keys]
    every = [np.stack(arg) for arg in zip(*drawn, strict=True)]
    first, n = drawn[0], len(keys)
    native = [np.asarray(arg) for arg in rule.example(native_key, jnp.dtype(dtype), sizes._replace(batch=BATCH))]
    in_axes = tuple(None if arg.ndim == one.ndim else 0 for arg, one in zip(native, first, strict=True))
    flat = [_one_lead(arg, axis, BATCH) for arg, axis in zip(native, in_axes, strict=True)]
    some_calls = [
        Call("single", lambda f: f, first, [arg[None] for arg in first], ()),
        Call("vmap", jax.vmap, every, every, (n,)),
        Call("batch", lambda f: f, native, flat, BATCH, summed_axes=(0, 1)),
        Call("vmap of batch", partial(jax.vmap, in_axes=in_axes), native, flat, BATCH, summed_axes=(1,)),
    ]
    for position, name in enumerate(signature(rule.manual).parameters):
        axes = tuple(0 if i == position else None for i in range(len(first)))
        args = [every[i] if i == position else one for i, one in enumerate(first)]
        examples = [_one_lead(arg, axis, (n,)) for arg, axis in zip(args, axes, strict=True)]
        some_calls.append(Call(f"vmap over {name}", partial(jax.vmap, in_axes=axes), args, examples, (n,)))
    return [call._replace(args=[jnp.asarray(arg) for arg in call.args]) for call in some_calls]


def _one_lead(arg: np.ndarray, axis: int | None, lead: tuple[int, ...]) -> np.ndarray:
    """An argument with one leading axis: its own leading axes in one, or repeated if it has none."""
    n = int(np.prod(lead))
    return np.broadcast_to(arg, (n, *arg.shape)) if axis is None else arg.reshape(n, *arg.shape[len(lead) :])


def reference(rule: Rule, oracle: str, some_calls: list[Call]) -> list[Any]:
    """What each call should return: `by(forward)` of each example in float64, by an oracle, from the same inputs."""
    examples = zip(*(call.examples for call in some_calls), strict=True)
    with jax.enable_x64(True):
        results = _per_example(rule.by, rule.forward, oracle)(*(as_float64(np.concatenate(arg)) for arg in examples))
    splits = np.cumsum([len(call.examples[0]) for call in some_calls])[:-1]
    leaves, structure = jax.tree.flatten(results)
    wanted = []
    for call, *mine in zip(some_calls, *(np.split(np.asarray(leaf), splits) for leaf in leaves), strict=True):
        shaped = jax.tree.unflatten(structure, [leaf.reshape(call.lead + leaf.shape[1:]) for leaf in mine])
        wanted.append(_summed(shaped, rule.summed, call.summed_axes))
    return wanted


@cache
def _per_example(by: Callable[..., Any], forward: Any, oracle: str) -> Callable[..., Any]:
    return jax.jit(jax.vmap(by(jax.tree.map(ORACLES[oracle], forward))))


def _summed(results: Any, outputs: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    """The results, with those outputs summed over those axes."""
    if not outputs:
        return results
    return tuple(r.sum(axes) if i in outputs else r for i, r in enumerate(results))


def as_float64(array: Any) -> Any:
    """Floats in float64, exactly; integers as they are."""
    return np.asarray(array, np.float64) if jnp.issubdtype(array.dtype, jnp.floating) else array


def evaluate(rule: Rule, some_calls: list[Call], jit: bool) -> list[Any]:
    """What the rule's manual derivative returns for each call, all compiled as one function if `jit`."""

    def all_of_them(args: list[list[Array]]) -> list[Any]:
        return [call.transform(rule.manual)(*arg) for call, arg in zip(some_calls, args, strict=True)]

    return (jax.jit(all_of_them) if jit else all_of_them)([call.args for call in some_calls])


def assert_claim(rule: Rule, dtype: str, soft_labels: bool = False, jit: bool = True, seed: int = 0) -> None:
    """Asserts that `manual == by(forward)` for every call in a dtype, against every oracle."""
    with jax.enable_x64(dtype == "float64"):
        some_calls = calls(rule, dtype, soft_labels, seed)
        gots = evaluate(rule, some_calls, jit)
    for oracle in ORACLES:
        for call, got, want in zip(some_calls, gots, reference(rule, oracle, some_calls), strict=True):
            try:
                assert_close(got, want, dtype, oracle)
            except AssertionError as error:
                where = f"{rule.name}, {dtype}, {call.name}, seed {seed}, against {oracle}"
                raise AssertionError(f"{where}: {error}") from None


def deviation(got: Any, want: Any) -> float:
    """The largest error of any entry, relative to the largest entry of its output."""
    errors = jax.tree.map(lambda g, w: np.max(np.abs(np.asarray(g, np.float64) - w)) / np.max(np.abs(w)), got, want)
    return float(max(jax.tree.leaves(errors)))


def assert_close(got: Any, want: Any, dtype: str, oracle: str = "reverse") -> None:
    """Asserts that a result in `dtype` is the float64 `want`, but for rounding and for the oracle's own error.

    A result is rounded once to its dtype (u, relative to the entry, or half the smallest subnormal). Before that come
    some 32 roundings at most in the dtype of computation, on any path through these small networks and sums of 14
    examples; sums may cancel, so those are relative to the output's largest entry. The error of `central_differences`,
    below 10⁻⁹, is relative to the forward's values, which are a few units however small the derivative.
    """
    chex.assert_trees_all_equal_structs(got, want)
    rounding = float(jnp.finfo(dtype).eps) / 2
    underflow = float(jnp.finfo(dtype).smallest_subnormal) / 2
    computing = 32 * float(jnp.finfo(jnp.promote_types(dtype, jnp.float32)).eps) / 2
    for g, w in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        chex.assert_equal(g.dtype, jnp.dtype(dtype))
        chex.assert_shape(g, w.shape)
        chex.assert_tree_all_finite(g)
        largest = float(np.max(np.abs(w)))
        differencing = 1e-9 * max(1.0, largest) if oracle == "differences" else 0.0
        atol = computing * largest + underflow + differencing
        chex.assert_trees_all_close(np.asarray(g, np.float64), w, rtol=rounding, atol=atol)
