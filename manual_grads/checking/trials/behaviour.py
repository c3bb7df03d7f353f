"""What can be wrong with a gradient beside its values: its tree, shapes and dtypes, and how it behaves when called."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.checking.arrays import is_float, leaves_of, quiet
from manual_grads.checking.claim import Claim
from manual_grads.checking.compiling import QUICK, calls_back, widest_array
from manual_grads.checking.numpy_functions import is_of_numpy, on_arrays
from manual_grads.checking.raised import message
from manual_grads.checking.trials.calls import Complaint, Outcome, OutcomeKind, raised

NOWHERE = np.arange(0)  # the points of an outcome that isn't about values
BEHAVIOUR: OutcomeKind = "behaviour"


def structure(claim: Claim, example: list[Any], format_name: str) -> Outcome:
    """Whether the tree, the shapes and the dtypes of the result are right, and it can be traced.

    Raises:
        Exception: what the manual gradient raises eagerly too, which is its own error, with a note of the check.
    """
    want, traced = _claimed_shapes(claim, example)
    jaxprs = [traced]
    try:
        if claim.eager:
            got = on_arrays(claim.manual_of)(*example)
        else:
            mine, got = jax.make_jaxpr(claim.manual_of, return_shape=True)(*example)
            jaxprs.append(mine.jaxpr)
        complaint = _otherwise_shaped(want, got, claim.eager)
    except Exception as refused:
        try:
            with quiet():
                eagerly = on_arrays(claim.manual_of)(*example)
        except Exception as error:
            error.add_note(f"raised by the manual gradient; check: eager, {format_name}, at the example")
            raise error from None
        first_line = message(refused).partition("\n")[0]
        text = f"works eagerly but raises when traced (under jit): {type(refused).__name__}: {first_line}"
        complaint = _no_arrays(eagerly) or Complaint("raises when traced", text)
        if isinstance(refused, jax.errors.TracerArrayConversionError) and is_of_numpy(eagerly):
            complaint = Complaint("in NumPy", "the gradient is written in NumPy")
    widest, back = max(map(widest_array, jaxprs)), any(map(calls_back, jaxprs))
    return Outcome("structure", BEHAVIOUR, NOWHERE, [], complaint, widest, back)


def _no_arrays(result: Any) -> Complaint | None:
    """What stands in a result where an array of numbers is expected, if anything else does."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(result):
        holds_no_numbers = isinstance(leaf, np.ndarray) and leaf.dtype.kind in "OSUmM"
        if holds_no_numbers or not (hasattr(leaf, "dtype") or isinstance(leaf, bool | int | float | complex)):
            what = f"a {type(leaf).__name__}" + (f" of {leaf.dtype}" if holds_no_numbers else "")
            where = f" at result{jax.tree_util.keystr(path)}" if path else ""
            text = f"the manual gradient returns {what} where an array is expected{where}: {leaf!r:.40}"
            return Complaint("no array", text)
    return None


def _claimed_shapes(claim: Claim, example: list[Any]) -> tuple[Any, Any]:
    """What the claimed derivative returns, and its jaxpr."""
    try:
        closed, shapes = jax.make_jaxpr(claim.claimed, return_shape=True)(*example)
    except Exception as error:
        error.add_note("raised by by(forward)(*args)")
        raise
    return shapes, closed.jaxpr


def _otherwise_shaped(want: Any, got: Any, of_any_dtype: bool) -> Complaint | None:
    if jax.tree.structure(got) != jax.tree.structure(want):
        text = f"wrong tree: expected {jax.tree.structure(want)}, got {jax.tree.structure(got)}"
        return Complaint("wrong tree", text)
    for (path, g), w in zip(jax.tree_util.tree_leaves_with_path(got), jax.tree.leaves(want), strict=True):
        where = f" of result{jax.tree_util.keystr(path)}" if path else ""
        if np.shape(g) != w.shape:
            text = f"wrong shape{where}: expected {w.shape}, got {np.shape(g)}"
            return Complaint("wrong shape", text, expected_shape=w.shape, shape=np.shape(g))
        if not of_any_dtype and g.dtype != w.dtype:
            advice = (
                f"cast it, g.astype({str(w.dtype)!r}); or if it is of that format always, give dtypes={str(g.dtype)!r}"
            )
            return Complaint("wrong dtype", f"wrong dtype{where}: expected {w.dtype}, got {g.dtype}: {advice}")
    return None


def behaviour(claim: Claim, example: list[Any], point: np.ndarray, everything: bool) -> Iterator[Outcome]:
    """Whether it returns the same twice, leaks tracers, or breaks where its inputs are donated.

    Stops at what raises. Only whether it is deterministic when called eagerly, unless `everything` is asked for.
    """
    manual = claim.manual_of
    try:
        with quiet():
            eagerly = [_bytes(manual(*example)) for _ in range(2)]
    except Exception as error:  # at the second call of it, as after a leaked tracer
        yield Outcome("determinism", BEHAVIOUR, NOWHERE, [], raised(error))
        return
    yield _determinism("determinism", eagerly, "two eager calls differ: non-deterministic")
    if not everything:
        return
    try:
        with quiet():
            jitted = _jitted_twice(manual, example)
    except Exception as error:
        yield Outcome("determinism, jit", BEHAVIOUR, NOWHERE, [], raised(error))
        return
    same = [_bytes(results) for results in jitted]
    yield _determinism("determinism, jit", same, "compiled twice, it differs: non-deterministic")
    yield Outcome("leaked tracers", BEHAVIOUR, NOWHERE, [], _leak(claim, example))
    # Not the results of `jit` to the last bit: where inputs may be overwritten, XLA compiles otherwise.
    yield Outcome("donated inputs", BEHAVIOUR, point, [leaf[None] for leaf in leaves_of(jitted[0])])


def _jitted_twice(manual: Callable[..., Any], example: list[Any]) -> list[Any]:
    """Its results when called twice under `jit`, inputs donated; and traced anew, if that makes another program."""
    floats = tuple(i for i, x in enumerate(example) if is_float(x))

    def copies() -> list[Any]:
        return [jnp.array(x, copy=True) for x in example]

    def lowered() -> Any:
        return jax.jit(lambda *a: manual(*a), donate_argnums=floats, compiler_options=QUICK).lower(*copies())

    first, second = lowered(), lowered()
    compiled = first.compile()
    results = [jax.device_get(compiled(*copies())) for _ in range(2)]
    if first.as_text() != second.as_text():
        results.append(jax.device_get(second.compile()(*copies())))
    return results


def _determinism(check: str, results: list[list[bytes]], otherwise: str) -> Outcome:
    same = all(result == results[0] for result in results)
    return Outcome(check, BEHAVIOUR, NOWHERE, [], None if same else Complaint("non-deterministic", otherwise))


def _leak(claim: Claim, example: list[Any]) -> Complaint | None:
    """Whether a tracer outlives the trace.

    Not asked where there is a `shard_map`, of which JAX itself keeps tracers when it is differentiated.
    """
    try:
        if "shard_map[" in str(jax.make_jaxpr(claim.manual_of)(*example)):
            return None
        with jax.checking_leaks():
            jax.eval_shape(lambda *a: claim.manual_of(*a), *example)
    except Exception as error:
        # JAX raises a plain Exception for a leak; what the gradient raises when traced is told by the other calls.
        if type(error) is Exception:
            return Complaint("leaked tracer", f"{type(error).__name__}: {error}", error)
    return None


def _bytes(results: Any) -> list[bytes]:
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(results)]
