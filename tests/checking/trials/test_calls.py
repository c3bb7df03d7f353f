"""Every way to call a gradient, what each is given, and what comes of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking.trials.calls import arguments, calls, mixtures, outcome, raised
from tests.checking.records import call_of, claim_of

ARRAYS = [np.arange(5.0), 10 * np.arange(5.0)]
SOME = [3, 1, 0]


def total(x, y):
    return x + y


def given(call):
    """What a call of `total` is made with."""
    return [[np.asarray(x).tolist() for x in args] for args in arguments(call, ARRAYS, list)]


def test_all_points_are_tried_at_once():
    (first,) = calls(claim_of(total, 2), 11, SOME, 5, False, "float64")
    assert first.points.tolist() == [0, 1, 2, 3, 4]
    assert given(first) == [[x.tolist() for x in ARRAYS]]


@pytest.mark.smoke
def test_some_are_by_every_transform():
    found = {call.name: call for call in calls(claim_of(total, 2), 11, SOME, 5, True, "float64")}
    one_at_a_time = [[3.0, 30.0], [1.0, 10.0]]
    assert given(found["eager"]) == given(found["jit"]) == one_at_a_time
    for name in ("vmap of jit", "scan", "checkpoint"):
        assert found[name].points.tolist() == SOME
        assert given(found[name]) == [[[3.0, 1.0, 0.0], [30.0, 10.0, 0.0]]]
    assert [call.name for call in found.values() if call.kind == "call with one batched"] == [
        "vmap over args[0]",
        "vmap over args[1]",
    ]


def test_each_argument_is_batched_alone_at_points_of_its_own():
    found = {call.name: call for call in calls(claim_of(total, 2), 11, SOME, 5, True, "float64")}
    for argument in range(2):
        call = found[f"vmap over args[{argument}]"]
        assert call.points.tolist() == [5 + 3 * argument, 6 + 3 * argument, 7 + 3 * argument]
        arrays = [np.arange(11.0), 10 * np.arange(11.0)]
        (args,) = arguments(call, arrays, list)
        assert [np.ndim(x) for x in args] == [1 - argument, argument]
        (result,) = outcome(call, arrays, list, "float64").leaves
        np.testing.assert_array_equal(result, np.add(*args))


def test_the_arrays_of_one_argument_are_batched_together():
    claim = claim_of(lambda tree, y: tree["a"] + tree["b"] + y, 3, owners=(0, 0, 1))
    alone = [call for call in calls(claim, 11, SOME, 5, True, "float64") if call.kind == "call with one batched"]
    assert [call.batched for call in alone] == [(True, True, False), (False, False, True)]


def test_a_single_argument_is_never_batched_alone():
    assert not [c for c in calls(claim_of(abs), 8, SOME, 5, True, "float64") if c.kind == "call with one batched"]


def test_a_mixture_has_one_argument_from_each_point_and_the_others_from_the_first():
    assert list(mixtures((0, 1, 1), [4, 2])) == [(0, [[4, 2], [4, 4], [4, 4]]), (1, [[4, 4], [4, 2], [4, 2]])]


def test_the_results_of_single_calls_are_stacked():
    call = call_of(lambda x: (x, -x), 2)._replace(batched=None, points=np.array([2, 0]))
    found = outcome(call, [np.arange(6.0).reshape(3, 2)], list, "float64")
    assert [leaf.tolist() for leaf in found.leaves] == [[[4, 5], [0, 1]], [[-4, -5], [0, -1]]]
    assert found.points.tolist() == [2, 0]


def test_a_call_is_made_under_its_format_s_setting():
    def in_64_bits(x):
        return jnp.zeros(len(x)) + (jnp.asarray(1.0).dtype == np.float64)

    results = [outcome(call_of(in_64_bits, 5), ARRAYS[:1], list, name).leaves[0] for name in ("float64", "float32")]
    assert [r.all() for r in results] == [True, False]


def test_what_a_call_raises_is_its_complaint():
    def raises(x):
        raise KeyError("mine")

    found = outcome(call_of(raises, 5), ARRAYS[:1], list, "float64")
    assert not found.leaves
    assert found.complaint is not None
    assert (found.complaint.kind, found.complaint.text) == ("raises", "KeyError: 'mine'")
    assert isinstance(found.complaint.error, KeyError)


@pytest.mark.smoke
def test_a_tracer_that_is_used_later_has_leaked():
    kept = []
    jax.eval_shape(lambda x: kept.append(x) or x, 1.0)
    with pytest.raises(jax.errors.UnexpectedTracerError) as caught:
        jnp.sin(kept[0])
    assert raised(caught.value).kind == "leaked tracer"
