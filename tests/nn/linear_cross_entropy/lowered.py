"""The matrix products of a lowered program, on a machine that need not have its platform."""

import re
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import export

from manual_grads.nn import linear_softmax_cross_entropy

PRODUCT = re.compile(r"\(tensor<[\dx]*x(\w+)>, tensor<[\dx]*x(\w+)>\) -> tensor<([\dx]*)x(\w+)>")
PRECISION = re.compile(r"precision = \[(\w+), (\w+)\]")


class Product(NamedTuple):
    """A product's operands: their dtypes and the result's, the precision, and the result's shape."""

    dtypes: tuple[str, str, str]
    precision: str
    shape: tuple[int, ...]


def products(text):
    """Those of a StableHLO module."""
    found = []
    for line in text.splitlines():
        if "stablehlo.dot_general" in line:
            ((left, right, shape, to),) = PRODUCT.findall(line)
            precision = PRECISION.findall(line)[0][0] if "precision" in line else "DEFAULT"
            found.append(Product((left, right, to), precision, tuple(map(int, shape.split("x")))))
    return found


def text_for(platform, sizes, dtype="bfloat16", argnums=(0, 1), **options):
    """The program of the loss and its gradients, lowered for a platform."""
    examples, hidden, classes = sizes
    shapes = [(examples, hidden), (classes, hidden)]
    h, B = (jax.ShapeDtypeStruct(shape, dtype) for shape in shapes)
    y = jax.ShapeDtypeStruct((examples,), jnp.int32)

    def total(h, B, y):
        return linear_softmax_cross_entropy(h, B, y, **options).sum()

    return export.export(jax.jit(jax.value_and_grad(total, argnums)), platforms=[platform])(h, B, y).mlir_module()
