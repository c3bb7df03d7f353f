"""What a Pallas kernel does, as ordinary operations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import pallas as pl

from manual_grads.checking.truth import kernels
from manual_grads.checking.truth.noise import noisy
from manual_grads.checking.truth.primitives import Kind, kind_of, opaque
from manual_grads.checking.truth.spread import patterns_of_noise

X = np.array([0.3, -1.2, 2.0, 0.7])


def squared_tanh(x):
    def kernel(x_ref, out):
        out[...] = jnp.tanh(x_ref[...]) ** 2

    return pl.pallas_call(kernel, out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype), interpret=True)(x)


@pytest.mark.smoke
def test_its_rounding_is_measured():
    with jax.enable_x64(True):
        jaxpr = jax.make_jaxpr(squared_tanh)(X).jaxpr
        assert kind_of(jaxpr.eqns[0]) is Kind.KERNEL
        assert not opaque(jaxpr)
        noise = patterns_of_noise()
        run = [np.asarray(noisy(squared_tanh, None)(1e-6, n, X)) for n in noise]
    np.testing.assert_allclose(run[0], np.tanh(X) ** 2, rtol=1e-12)
    spread = np.abs(run - run[0]).max(0)
    assert (spread > 2e-6 * run[0]).all()  # of a tanh, which is within four ULP, and of a product
    assert (spread < 2e-5 * run[0]).all()


def test_where_jax_has_no_such_interpreter_it_is_opaque(monkeypatch):
    jaxpr = jax.make_jaxpr(squared_tanh)(jnp.ones(5)).jaxpr
    monkeypatch.setattr("jax._src.pallas.hlo_interpreter.pallas_call_hlo_interpret", None)
    kernels.interpreted.cache_clear()
    assert opaque(jaxpr) == ["pallas_call"]
    kernels.interpreted.cache_clear()
