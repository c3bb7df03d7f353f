"""The forms that functions and arguments come in: auxiliary results, methods, partials, dataclasses, modules."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import equinox
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking import GradientMismatch, check_gradient, check_rule
from manual_grads.rules import vjp

X = np.random.default_rng(0).normal(size=5).astype(np.float32)


def cubes(x):
    return jnp.sum(x**3)


def cubes_and_mean(x):
    return cubes(x), {"mean": x.mean()}


class Wave:
    """Methods, with what they need on the object."""

    def __init__(self, w):
        self.w = w

    def value(self, x):
        return jnp.sum(jnp.sin(self.w * x))

    def grad(self, x):
        return self.w * jnp.cos(self.w * x)


@jax.tree_util.register_dataclass
@dataclass
class Unit:
    """Parameters as a dataclass."""

    w: Any
    b: Any


def unit(parameters, x):
    return jnp.sum(jnp.tanh(parameters.w * x + parameters.b))


def unit_grad(parameters, x):
    d = 1 - jnp.tanh(parameters.w * x + parameters.b) ** 2
    return Unit(d * x, d.sum())


class Layer(equinox.Module):
    """Parameters as a module, with leaves that are no arrays."""

    w: Any
    b: Any
    width: int = equinox.field(static=True)
    activation: Any = jnp.tanh

    def __call__(self, x):
        return self.activation(self.w @ x + self.b)


LAYER = Layer(np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32), np.zeros(3, np.float32), 3)


def energy(layer, x):
    return jnp.sum(layer(x) ** 2)


def energy_grad(layer, x):
    h = layer(x)
    d = 2 * h * (1 - h**2)
    return Layer(d[:, None] * x, d, layer.width, None)


def of_integers(x, n):
    return jnp.sum(x**2) * n


def of_integers_grad(x, n):
    return 2 * x * n, np.zeros((), jax.dtypes.float0)


with_aux = partial(jax.grad, has_aux=True)
FORMS = {
    "auxiliary results": (cubes_and_mean, lambda x: (3 * x**2, {"mean": x.mean()}), (X,), with_aux),
    "value and gradient": (cubes, lambda x: (cubes(x), 3 * x**2), (X,), jax.value_and_grad),
    "value, auxiliary and gradient": (
        cubes_and_mean,
        lambda x: (cubes_and_mean(x), 3 * x**2),
        (X,),
        partial(jax.value_and_grad, has_aux=True),
    ),
    "keyword arguments of a partial": (
        partial(lambda x, *, p: jnp.sum(x**p), p=3),
        partial(lambda x, *, p: p * x ** (p - 1), p=3),
        (X,),
        jax.grad,
    ),
    "bound methods": (Wave(1.5).value, Wave(1.5).grad, (X,), jax.grad),
    "a dataclass": (unit, unit_grad, (Unit(X, np.float32(0.3)), X), jax.grad),
    "a module": (energy, energy_grad, (LAYER, X), equinox.filter_grad),
    "integers, allowed": (
        of_integers,
        of_integers_grad,
        (X, np.int32(3)),
        partial(jax.grad, argnums=(0, 1), allow_int=True),
    ),
}


# As another form is: a dataclass, as a module is; the parts of a value with both.
SLOW = {"value, auxiliary and gradient", "a dataclass", "keyword arguments of a partial"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.smoke] * ("aux" in n) + [pytest.mark.slow] * (n in SLOW)) for n in FORMS],
)
def test_each_form_is_checked(name):
    forward, manual, args, by = FORMS[name]
    assert check_gradient(forward, manual, args, by, thorough=False).passed

    def off(*args):
        return jax.tree.map(lambda g: g if g.dtype == jax.dtypes.float0 else 1.1 * g, manual(*args))

    with pytest.raises(GradientMismatch):
        check_gradient(forward, off, args, by, thorough=False)


def test_an_auxiliary_result_that_is_wrong_is_seen():
    with pytest.raises(GradientMismatch, match=r"result\[1\]"):
        check_gradient(cubes_and_mean, lambda x: (3 * x**2, {"mean": x.sum()}), (X,), with_aux, thorough=False)


@pytest.mark.parametrize("factor", [1.0, pytest.param(1.2, marks=pytest.mark.slow)])
def test_the_rule_of_a_module(factor):
    rule = equinox.filter_custom_vjp(energy)
    rule.def_fwd(lambda perturbed, layer, x: (energy(layer, x), None))
    rule.def_bwd(lambda kept, c, perturbed, layer, x: jax.tree.map(lambda g: factor * c * g, energy_grad(layer, x)))
    if factor == 1:
        assert check_rule(lambda layer: rule(layer, X), (LAYER,), thorough=False).passed
    else:
        with pytest.raises(GradientMismatch):
            check_rule(lambda layer: rule(layer, X), (LAYER,), thorough=False)


@pytest.mark.parametrize(("by", "ours"), [(jax.vjp, "vjp"), (jax.jvp, "jvp"), (jax.linearize, "jvp")])
def test_transforms_that_are_no_functions_of_a_function(by, ours):
    with pytest.raises(TypeError, match=f"by=jax.{by.__name__} takes .* give by={ours}, .*import {ours}"):
        check_gradient(jnp.sin, lambda x, c: c * jnp.cos(x), (X, X), by)
    assert check_gradient(jnp.sin, lambda x, c: c * jnp.cos(x), (X, X), vjp, thorough=False).passed
