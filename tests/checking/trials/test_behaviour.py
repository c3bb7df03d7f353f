"""What can be wrong with a gradient beside its values: each alone, and seen where it is and nowhere else."""

import itertools

import jax
import jax.core as jax_core
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking.trials.behaviour import behaviour, structure
from tests.checking.records import claim_of

X = jnp.array([1.0, 2.0])
EVERYTHING = ["determinism", "determinism, jit", "leaked tracers", "donated inputs"]


def seen(manual, everything=True):
    """The behaviour's checks in order, and the kinds of complaint among them."""
    found = list(behaviour(claim_of(manual), [X], np.array([4]), everything))
    return [o.check for o in found], {o.check: o.complaint.kind for o in found if o.complaint}


def double(x):
    return 2 * x


@pytest.mark.smoke
def test_a_right_gradient_behaves():
    assert seen(double) == (EVERYTHING, {})
    assert seen(double, everything=False) == (["determinism"], {})


def test_where_inputs_are_donated_its_values_are_judged():
    donated = list(behaviour(claim_of(double), [X], np.array([4]), True))[-1]
    assert donated.points.tolist() == [4]
    np.testing.assert_array_equal(donated.leaves[0], [[2.0, 4.0]])


def test_two_eager_calls_differ():
    count = itertools.count()
    checks, kinds = seen(lambda x: x * next(count), everything=False)
    assert (checks, kinds) == (["determinism"], {"determinism": "non-deterministic"})


def test_it_differs_when_it_is_compiled_again():
    count = itertools.count()
    _, kinds = seen(lambda x: x * (next(count) if isinstance(x, jax_core.Tracer) else 1))
    assert kinds == {"determinism, jit": "non-deterministic"}


@pytest.mark.slow  # JAX looks for it in all that there is
@pytest.mark.smoke
def test_a_tracer_outlives_its_trace():
    kept = []

    def leaky(x):
        kept.append(x)
        return 2 * x

    _, kinds = seen(leaky)
    assert kinds == {"leaked tracers": "leaked tracer"}


def test_it_raises_the_second_time_or_under_jit_only():
    count = itertools.count()
    assert seen(lambda x: [x][next(count)]) == (["determinism"], {"determinism": "raises"})
    checks, kinds = seen(lambda x: x * float(x[0]))
    assert (checks, kinds) == (["determinism", "determinism, jit"], {"determinism, jit": "raises"})


def test_floats_are_donated(monkeypatch):
    donated, jit = [], jax.jit
    monkeypatch.setattr(
        jax, "jit", lambda f, **options: donated.append(options.get("donate_argnums")) or jit(f, **options)
    )
    claim = claim_of(lambda x, i: x[i], 2)
    found = list(behaviour(claim, [X, jnp.array([1, 0])], np.array([0]), True))
    assert found[-1].complaint is None
    np.testing.assert_array_equal(found[-1].leaves[0], [[2.0, 1.0]])
    assert donated[-1] == (0,)


@pytest.mark.parametrize(
    ("manual", "kind", "said"),
    [
        (double, None, ""),
        (lambda x: (2 * x,), "wrong tree", "expected PyTreeDef"),
        (lambda x: x[None], "wrong shape", "wrong shape: expected (2,), got (1, 2)"),
        (lambda x: x.astype(jnp.float16), "wrong dtype", "wrong dtype: expected float32, got float16"),
        (lambda x: "2 x", "no array", "the manual gradient returns a str where an array is expected: '2 x'"),
        (
            lambda x: {"a": x, "b": [np.array(["2"])]},
            "no array",
            "returns a ndarray of <U1 where an array is expected at",
        ),
        (lambda x: object(), "no array", "the manual gradient returns a object where an array is expected: <object"),
        (lambda x: float(x.sum()), "raises when traced", "works eagerly but raises when traced (under jit)"),
        (lambda x: x if x[0] > 0 else -x, "raises when traced", "works eagerly but raises when traced (under jit)"),
    ],
)
def test_the_structure_of_the_result(manual, kind, said):
    found = structure(claim_of(manual, by=jax.grad), [X], "float32")
    assert found.check == "structure"
    assert (found.complaint and found.complaint.kind) == kind
    assert said in (found.complaint.text if found.complaint else "")


def test_the_place_of_a_wrong_shape_in_a_tree():
    claim = claim_of(lambda x: {"w": x[0]}, by=lambda f: lambda x: {"w": jax.grad(f)(x)})
    complaint = structure(claim, [X], "float32").complaint
    assert complaint is not None
    assert complaint.text == "wrong shape of result['w']: expected (2,), got ()"
    assert (complaint.expected_shape, complaint.shape) == ((2,), ())


def test_what_it_raises_eagerly_is_raised():
    def broken(x):
        raise KeyError("mine")

    with pytest.raises(KeyError) as caught:
        structure(claim_of(broken, by=jax.grad), [X], "float32")
    assert any("check: eager, float32, at the example" in note for note in caught.value.__notes__)
