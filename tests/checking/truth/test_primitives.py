"""What JAX's interpreters may be given tomorrow: primitives and parameters that no one knows today."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jax.sharding import Mesh, PartitionSpec

from manual_grads.checking import GradientMismatch, check_gradient
from manual_grads.checking.compiling import inner_jaxprs
from manual_grads.checking.truth import primitives
from manual_grads.checking.truth.noise import _Run
from manual_grads.checking.truth.primitives import Kind, bind, converted_formats, kind_of, opaque, terms
from manual_grads.checking.truth.spread import patterns_of_noise

X = np.array([0.3, -1.2, 2.0], np.float32)
SPLIT = PartitionSpec("i")
U = 2.0**-24


@jax.custom_jvp
def with_jvp(x):
    return x * x


with_jvp.defjvp(lambda primals, tangents: (with_jvp(*primals), 2 * primals[0] * tangents[0]))


@jax.custom_vjp
def with_vjp(x):
    return x * x


with_vjp.defvjp(lambda x: (with_vjp(x), x), lambda x, c: (2 * x * c,))

# A function of one equation that matters, that equation's primitive, and the parameters it can't be understood without.
EQUATIONS = {
    "scan": (lambda x: lax.scan(lambda c, y: (c * x[0] + y, c * y), x[1], x)[1], ("jaxpr", "length", "reverse")),
    "while": (lambda x: lax.while_loop(lambda c: (c < 9).all(), lambda c: 3 + c * x, x), ("cond_jaxpr", "body_jaxpr")),
    "cond": (lambda x: lax.cond(x[0] > 0, lambda y: y * y, lambda y: y, x), ("branches",)),
    "shard_map": (
        jax.shard_map(lambda x: x * x, mesh=Mesh(jax.devices()[:1], ("i",)), in_specs=SPLIT, out_specs=SPLIT),
        ("jaxpr", "mesh", "in_specs", "out_specs", "check_vma"),
    ),
    "jit": (jax.jit(lambda x: x * x), ("jaxpr",)),
    "custom_jvp_call": (with_jvp, ("call_jaxpr",)),
    "custom_vjp_call": (with_vjp, ("call_jaxpr",)),
    "dot_general": (lambda x: x @ x, ("dimension_numbers",)),
    "cumsum": (lambda x: lax.cumsum(x), ("axis",)),
}
PARAMETERS = [(name, parameter) for name, (_, needed) in EQUATIONS.items() for parameter in needed]


def equation_of(name):
    """The jaxpr, which has no constants, and its equation of that name; JAX has called jit pjit."""
    jaxpr = jax.make_jaxpr(EQUATIONS[name][0])(X).jaxpr
    return jaxpr, next(e for e in jaxpr.eqns if e.primitive.name in (name, f"p{name}"))


def renamed(eqn, parameter):
    """The equation, its primitive calling that parameter something else."""
    other = Primitive(eqn.primitive.name)
    other.multiple_results = eqn.primitive.multiple_results

    @other.def_impl
    def evaluate(*values, anew, **params):
        outs = bind(eqn.replace(params={**params, parameter: anew}), list(values))
        return outs if other.multiple_results else outs[0]

    params = {"anew" if key == parameter else key: value for key, value in eqn.params.items()}
    return eqn.replace(primitive=other, params=params)


@pytest.mark.smoke
@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_what_has_a_parameter_by_another_name_is_evaluated_as_it_is(name, parameter):
    jaxpr, eqn = equation_of(name)
    assert kind_of(eqn) is not Kind.OPAQUE
    assert opaque(jaxpr) == []
    strange = renamed(eqn, parameter)
    jaxpr = jaxpr.replace(eqns=[strange if e is eqn else e for e in jaxpr.eqns])
    assert opaque(jaxpr) == [eqn.primitive.name]
    noise = [n.astype(np.float32) for n in patterns_of_noise()]
    none, *others = (_Run(4 * U * n).evaluate(jaxpr, [X])[0] for n in noise)
    want = EQUATIONS[name][0](X)
    np.testing.assert_array_equal(none, want)
    spread = np.max([abs(got - want) for got in others])
    assert 0 < spread < 16 * U * np.abs(want).max()  # as of one operation


@pytest.mark.parametrize("name", ["scan", "while", "cond"])
def test_control_flow_that_has_a_parameter_more_is_opaque(name):
    _, eqn = equation_of(name)
    assert kind_of(eqn.replace(params={**eqn.params, "backwards": True})) is Kind.OPAQUE


@pytest.mark.smoke
def test_opaque_control_flow_is_checked_and_said_to_be_opaque(monkeypatch):
    def loop(x):
        return lax.scan(lambda c, y: (c + jnp.sin(y), None), 0.0, x)[0]

    assert check_gradient(loop, jnp.cos, (X,)).notes == []
    monkeypatch.setitem(primitives.CONTROL, "scan", {"unheard_of"})
    report = check_gradient(loop, jnp.cos, (X,))
    assert "rounding inside scan isn't measured: each counts as one operation" in report.notes


@pytest.mark.parametrize("batches", [True, False], ids=["batches", "does not batch"])
def test_a_primitive_made_up_here_is_checked_and_said_to_be_opaque(batches):
    cube = Primitive("cube")
    cube.def_abstract_eval(lambda x: x)
    mlir.register_lowering(cube, mlir.lower_fun(lambda x: x**3, multiple_results=False))
    ad.defjvp(cube, lambda t, x: 3 * x**2 * t)
    if batches:
        batching.defvectorized(cube)

    def forward(x):
        return jax.jit(cube.bind)(x).sum()

    report = check_gradient(forward, lambda x: 3 * x * x, (X,))
    assert "rounding inside cube isn't measured: each counts as one operation" in report.notes
    with pytest.raises(GradientMismatch, match="factor"):
        check_gradient(forward, lambda x: 2 * x * x, (X,))


def test_formats_are_found_whatever_holds_the_jaxpr():
    @jax.custom_vjp
    def rounded(x):
        return x.astype(jnp.bfloat16)

    rounded.defvjp(lambda x: (rounded(x), None), lambda _, c: (c.astype(jnp.float32),))
    closed = jax.make_jaxpr(lambda x: lax.map(jax.jit(rounded), x))(X)
    assert converted_formats(closed.jaxpr) == [jnp.bfloat16]


ONES = np.ones((3, 5), np.float32)


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("f", "name", "count"),
    [
        (lambda x: x.sum(1), "reduce_sum", 5),
        (lambda x: x.sum(0), "reduce_sum", 3),
        (lambda x: x.sum(), "reduce_sum", 15),
        (lambda x: x[:0].sum(1), "reduce_sum", 0),
        (lambda x: x @ x.T, "dot_general", 5),
        (lambda x: jnp.tensordot(x, x), "dot_general", 15),
        (lambda x: lax.cumsum(x, 0), "cumsum", 3),
    ],
)
def test_how_many_terms_a_sum_has(f, name, count):
    (eqn,) = (e for e in jax.make_jaxpr(f)(ONES).jaxpr.eqns if e.primitive.name == name)
    assert kind_of(eqn) is Kind.SUM
    assert terms(eqn) == count


def test_a_sum_s_noise_is_of_the_terms_of_one_entry():
    """Not of all entries: beside a million others, five terms are five."""
    x = np.ones((4096, 5), np.float32)
    jaxpr = jax.make_jaxpr(lambda x: x.sum(1))(x).jaxpr
    none, *others = (_Run(U * n.astype(np.float32)).evaluate(jaxpr, [x])[0] for n in patterns_of_noise())
    spread = np.max([abs(got - none) for got in others])
    assert 0 < spread < 5 * 2 * U * max(1.0, 5**0.5 / 2)


@pytest.mark.smoke
def test_what_is_in_any_branch_is_found():
    strange = Primitive("strange")
    strange.def_abstract_eval(lambda x: x)

    def f(x):
        return lax.switch(
            jnp.int32(x[0]), [lambda y: y, lambda y: y.astype(jnp.float16).astype(y.dtype), strange.bind], x
        )

    jaxpr = jax.make_jaxpr(f)(X).jaxpr
    (eqn,) = (e for e in jaxpr.eqns if e.primitive.name == "cond")
    assert len(list(inner_jaxprs(eqn))) == 3
    assert opaque(jaxpr) == ["strange"]
    assert converted_formats(jaxpr) == [jnp.float16, jnp.float32]


# Functions that only move entries, or make room for them, in the words that JAX has for it today and will have.
MOVING = {
    "stack": lambda x: jnp.stack([x, -x]),
    "unstack": lambda x: jnp.unstack(jnp.stack([x, x, x]))[1],
    "tile": lambda x: jnp.tile(x, (2, 3)),
    "empty": lambda x: (jnp.empty_like(x), x)[1],
    "scan": lambda x: lax.scan(lambda c, y: (c, -y), x[0], x)[1],
}


@pytest.mark.parametrize("name", MOVING)
def test_what_only_moves_entries_is_exact(name):
    jaxpr = jax.make_jaxpr(MOVING[name])(X).jaxpr
    assert opaque(jaxpr) == []
    none, *others = (_Run(U * n.astype(np.float32)).evaluate(jaxpr, [X])[0] for n in patterns_of_noise())
    for got in others:
        np.testing.assert_array_equal(got, none)


@pytest.mark.parametrize(
    "name", ["stack", "unstack", "empty", "empty2", "tile", "tie", "relayout", "reduced_vary_cast", "zeros_like"]
)
def test_what_jax_calls_by_another_name_tomorrow_is_exact_too(name):
    eqn = jax.make_jaxpr(jnp.sin)(X).jaxpr.eqns[0]
    assert kind_of(eqn.replace(primitive=Primitive(name))) is Kind.EXACT


def through_a_ref(x):
    ref = jax.new_ref(jnp.zeros_like(x))
    ref[...] = jnp.sin(x)
    return (ref[...] * x).sum()


def in_a_loop(x):
    ref = jax.new_ref(jnp.zeros_like(x))

    def body(i, c):
        ref[...] = ref[...] + jnp.sin(x) / 3
        return c

    lax.fori_loop(0, 3, body, 0)
    return (ref[...] * x).sum()


def with_a_rule(x):
    ref = jax.new_ref(jnp.zeros_like(x))
    ref[...] = jnp.sin(x) + with_jvp(x) - x * x
    return (ref[...] * x).sum()


@pytest.mark.smoke
@pytest.mark.parametrize(
    "forward",
    [through_a_ref, *(pytest.param(f, marks=pytest.mark.slow) for f in (in_a_loop, with_a_rule))],
    ids=lambda f: f.__name__,
)
def test_a_forward_that_writes_into_a_ref_is_checked_by_reverse_mode(forward):
    def right(x):
        return jnp.sin(x) + x * jnp.cos(x)

    report = check_gradient(forward, right, (X,))
    assert any(note.startswith("rounding inside ") and "swap" in note for note in report.notes)
    assert "other modes and differences: not to be had, for the forward writes into a jax.Ref" in report.notes
    assert check_gradient(forward, jax.grad(forward), (X,), thorough=False).passed
    with pytest.raises(GradientMismatch):
        check_gradient(forward, lambda x: jnp.sin(x), (X,))
