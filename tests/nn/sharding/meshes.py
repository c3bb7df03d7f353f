"""Run with 8 host devices and when: prints what the loss is off by on each mesh, and the collectives it takes."""

import json
import re
import sys
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

import manual_grads as mg
from manual_grads import nn
from manual_grads.nn import linear_softmax_cross_entropy
from tests.nn.linear_cross_entropy.truth import problem, truth

MESHES = [(2, 4), (8, 1), (1, 8)]
CASES = [("sum", True), ("sum", False), ("none", True), ("none", False)]  # reduction, check_vma
TRIED = [(mesh, *case) for mesh in MESHES for case in (CASES if mesh == (2, 4) else CASES[:1])]
DAILY, SLOW = "daily", "slow"  # the first one or two of each, and the others
EXAMPLES, HIDDEN, CLASSES = 24, 5, 56
COLLECTIVE = re.compile(r"= (.*?) (all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)(?:-start)?\(")


def collectives(text):
    """The kind and the shapes of every collective of a compiled program."""
    return [[kind, re.findall(r"\w+\[[\d,]*\]", shapes)] for shapes, kind in COLLECTIVE.findall(text)]


def sharded(mesh, reduction, check_vma=True, block_rows=None):
    """The sum of c times the losses of h, B and y, each device having other examples and other classes."""

    def local(h, B, y, c):
        # Tiles of 3 classes: none of the meshes has a multiple of them on a device.
        tiles = {"block_rows": block_rows, "block_classes": 3}
        loss = linear_softmax_cross_entropy(h, B, y, where=c != 0, reduction=reduction, class_axis="model", **tiles)
        return lax.psum((c * loss).sum() if reduction == "none" else loss, "data")

    specs = (P("data"), P("model"), P("data"), P("data"))
    return jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=P(), check_vma=check_vma)


def drop_ins_apart():
    """How far nn's functions are, split over 8 devices, from what they are on one: derivatives, each way."""
    s, t = (np.random.default_rng(i).normal(0, 2, (16, 5)).astype(np.float32) for i in range(2))
    y = np.arange(16) % 5
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))

    def everything(s, t, y):
        def total(s):
            out = nn.sigmoid(s), nn.softmax(s), nn.log_softmax(s, where=t > -2).clip(-9)
            losses = nn.softmax_cross_entropy(s, t), nn.softmax_cross_entropy_with_integer_labels(s, y)
            return sum((x * jnp.cos(x)).sum() for x in (*out, *losses))

        return *jax.jvp(jax.grad(total), (s,), (t,)), jax.jvp(total, (s,), (t,))[1]

    def local(s, t, y):
        gradient, change, rate = everything(s, t, y)
        return gradient, change, lax.psum(rate, "data")

    specs = P("data"), P("data"), P()
    sharded = jax.jit(jax.shard_map(local, mesh=mesh, in_specs=P("data"), out_specs=specs))
    pairs = zip(sharded(s, t, y), jax.jit(everything)(s, t, y), strict=True)
    return max(float(np.max(abs(a - b) / (1 + abs(b)))) for a, b in pairs)


def explicit_apart():
    """How far formulas and nn's loss of an explicitly sharded batch are from what they are on one device.

    Of a few rows, eagerly, and each by itself; of some thousand numbers, which one device scatters into; of many, which
    it does by quick forms.
    """
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Explicit,))

    def gradients(s, y):
        def loss(s):
            return nn.softmax_cross_entropy_with_integer_labels(s, y).sum()

        second = jax.jvp(jax.grad(lambda s: loss(s) + jnp.cos(nn.softmax(s)).sum()), (s,), (jnp.sin(s),))
        return jax.value_and_grad(loss)(s), second, mg.softmax_cross_entropy_grad(s, y)

    def apart(rows, function, *, jit):
        s = np.random.default_rng(0).normal(0, 2, (rows, 10)).astype(np.float32)
        y = np.arange(rows) % 10
        with jax.set_mesh(mesh):
            split = (jax.device_put(x, P("data")) for x in (s, y))
            got = jax.device_get((jax.jit(function) if jit else function)(*split))
        pairs = zip(*map(jax.tree.leaves, (got, function(s, y))), strict=True)
        return max(float(np.max(abs(a - b) / (1 + abs(b)))) for a, b in pairs)

    each = jax.vmap(jax.hessian(lambda s: jnp.cos(nn.log_softmax(s)).sum()))
    return [
        apart(16, lambda s, y: mg.softmax_jacobian(s), jit=False),
        apart(16, lambda s, y: each(s), jit=True),
        *(apart(rows, gradients, jit=True) for rows in (240, 1024)),
    ]


@cache
def arguments_and_truth():
    """H, B, y and c, and what the losses and the gradients are; c leaves out every fifth example."""
    h, B, y = problem(EXAMPLES, HIDDEN, CLASSES)
    c = np.arange(EXAMPLES) % 5 != 0
    return (h, B, jnp.asarray(y, jnp.int32), jnp.asarray(c, jnp.float32)), *truth(h, B, y, c)


def compiled_and_off(function):
    """The compiled loss with its gradients, and what each of the three is off by, in units of its bound."""
    args, want, bounds = arguments_and_truth()
    *_, c = args
    compiled = jax.jit(jax.value_and_grad(function, (0, 1))).lower(*args).compile()
    loss, gradients = compiled(*args)
    off = [abs(loss - (c * want.loss).sum()) / (c * bounds.loss).sum()]
    for got, true, bound in zip(gradients, want[1:3], bounds[1:3], strict=True):
        off.append(np.max(abs(got - true) / (bound + 1e-30)))
    return compiled, [float(x) for x in off]


OPTIONS = {"soft_cap": 3.0, "label_smoothing": 0.1, "z_loss": 0.01}


def with_options(mesh, reduction, check_vma=True):
    """What `sharded` is, with every option; the bias and the classes' weights are split as the classes are."""

    def local(h, B, bias, scale, y, c, weights):
        loss, aux = linear_softmax_cross_entropy(
            *(h, B, y),
            **OPTIONS,
            **{"bias": bias, "logit_scale": scale, "class_weights": weights, "where": c != 0, "has_aux": True},
            **{"reduction": reduction, "class_axis": "model", "block_classes": 3},
        )
        return lax.psum((c * loss).sum() if reduction == "none" else loss, "data"), aux

    specs = (P("data"), P("model"), P("model"), P(), P("data"), P("data"), P("model"))
    return jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=(P(), P("data")), check_vma=check_vma)


def options_off(mesh, reduction, check_vma):
    """What the loss with every option and its four gradients are off by, in units of their bounds.

    And how many predictions are wrong, and the collectives.
    """
    (h, B, y, c), *_ = arguments_and_truth()
    random = np.random.default_rng(5)
    bias, weights = (random.uniform(0.5, 2, CLASSES).astype(np.float32) for _ in range(2))
    scale = np.float32(0.7)
    options = {"bias": bias, "logit_scale": scale, "weights": weights, **OPTIONS}
    want, bounds = truth(h, B, np.asarray(y), np.asarray(c), **options)
    function = jax.value_and_grad(with_options(mesh, reduction, check_vma), (0, 1, 2, 3), has_aux=True)
    compiled = jax.jit(function).lower(h, B, bias, scale, y, c, weights).compile()
    (loss, aux), gradients = compiled(h, B, bias, scale, y, c, weights)
    off = [abs(loss - (c * want.loss).sum()) / (c * bounds.loss).sum()]
    for got, true, bound in zip(gradients, want[1:], bounds[1:], strict=True):
        off.append(np.max(abs(got - true) / (bound + 1e-30)))
    largest = (scale * h @ B.T + bias).argmax(1)  # the cap doesn't change which
    wrong = int((aux.prediction != np.where(c != 0, largest, -1)).sum())
    return [float(x) for x in off], wrong, collectives(compiled.as_text())


def main(when):
    def found(what, case, value):
        print(json.dumps([what, case, value]), flush=True)

    def some(cases, daily=1):
        return cases[:daily] if when == DAILY else cases[daily:]

    meshes = {shape: jax.make_mesh(shape, ("data", "model"), axis_types=(AxisType.Auto,) * 2) for shape in MESHES}
    if when == DAILY:
        found("drop-ins", [], [drop_ins_apart(), *explicit_apart()])
    for reduction in some(["sum", "none"]):
        # Of the 12 examples of a device, 5, 5 and 2.
        found("blocks of examples", reduction, compiled_and_off(sharded(meshes[2, 4], reduction, block_rows=5))[1])
    for case in some(CASES):
        found("options", case, options_off(meshes[2, 4], *case))
    for shape, reduction, check_vma in some(TRIED, 2):
        compiled, off = compiled_and_off(sharded(meshes[shape], reduction, check_vma))
        found("loss", [shape, reduction, check_vma], [off, collectives(compiled.as_text())])


if __name__ == "__main__":
    main(sys.argv[1])
