"""The classes split over devices and over processes: the same loss and gradients, and little that crosses."""

import json
import os
import re
import socket
import subprocess
import sys
from functools import cache, partial
from pathlib import Path

import jax
import pytest
from jax.sharding import PartitionSpec as P

from manual_grads.nn import linear_softmax_cross_entropy
from tests.nn.sharding.meshes import CASES, CLASSES, DAILY, EXAMPLES, HIDDEN, SLOW, TRIED

ROOT = Path(__file__).parents[3]


def start(devices, *module, code=None):
    environment = os.environ | {
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "JAX_PLATFORMS": "cpu",
    }
    command = [sys.executable, *(["-m", *module] if code is None else ["-c", code])]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finished(process):
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-3000:]
    return out


@cache
def results(when):
    """What each part of `meshes` is off by, in units of its bounds, and what else is known of it."""
    lines = map(json.loads, finished(start(8, "tests.nn.sharding.meshes", when)).splitlines())
    return {(what, str(case)): found for what, case, found in lines}


def found(what, case=()):
    """The results of a case, of the process that has it."""
    key = what, str(json.loads(json.dumps(case)))
    return results(DAILY)[key] if key in results(DAILY) else results(SLOW)[key]


def first_daily(cases, daily=1):
    """The first are tried daily, and the others, in another process, by `-m slow`."""
    return [pytest.param(x, id=str(x), marks=() if i < daily else pytest.mark.slow) for i, x in enumerate(cases)]


def test_drop_ins_give_the_same_on_8_devices():
    assert max(found("drop-ins")) <= 1e-6  # 8 ULP, where XLA compiles the rows of a device otherwise than all


# Without JAX's check, and of each example, one mesh that splits both axes is enough.
@pytest.mark.parametrize("case", first_daily(TRIED, 2))
def test_the_sharded_result_is_the_unsharded_one(case):
    off, _ = found("loss", case)
    assert max(off) <= 2.0**-24


@pytest.mark.parametrize("reduction", first_daily(["sum", "none"]))
def test_in_blocks_of_examples_too(reduction):
    assert max(found("blocks of examples", reduction)) <= 2.0**-24


@pytest.mark.parametrize("case", first_daily(CASES))
def test_with_every_option_too(case):
    """A bias and the classes' weights are split as the classes are; a prediction is of all classes."""
    off, wrong, _ = found("options", case)
    assert max(off) <= 2.0**-24
    assert wrong == 0


def test_an_option_takes_a_number_an_example_more():
    """Label smoothing one, class weights one, predictions two (a maximum and an index), a scale's gradient one in all.

    A bias's gradient is added up over the batch's axis, as dB is.
    """
    _, _, used = found("options", CASES[0])
    assert {kind for kind, _ in used} == {"all-reduce"}
    shapes = sorted(shape for _, shapes in used for shape in shapes)
    examples, classes = EXAMPLES // 2, CLASSES // 4
    crossing = [f"f32[{examples}]"] * 6 + [f"s32[{examples}]", f"f32[{examples},{HIDDEN}]"]
    assert shapes == sorted([*crossing, f"f32[{classes},{HIDDEN}]", f"f32[{classes}]", "f32[]", "f32[]"])


@pytest.mark.smoke
def test_the_example_of_the_docs_runs():
    """On 8 devices, as the page says to start Python; it prints what it shows, and that is the unsharded function's."""
    page = (ROOT / "docs/sharding.md").read_text(encoding="utf-8")
    assert "XLA_FLAGS=--xla_force_host_platform_device_count=8 JAX_PLATFORMS=cpu" in page
    (example,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (shown,) = re.findall(r"^# prints (.*)$", example, re.MULTILINE)
    after = (
        "import numpy as np\n"
        "from tests.nn.linear_cross_entropy.truth import check, truth\n"
        "want, bounds = truth(*map(np.asarray, (hidden, weights, labels)), np.full(8, 1 / 8))\n"
        "check((want.loss, dh, dB), want, bounds, 2.0**-24)\n"
        "np.testing.assert_allclose(value, want.loss.mean(), rtol=1e-6)\n"
        "print('equal')\n"
    )
    assert finished(start(8, code=example + after)) == f"{shown}\nequal\n"


@pytest.mark.parametrize("case", first_daily(case for case in TRIED if case[2]))
def test_only_dh_and_three_numbers_an_example_cross_the_class_axis(case):
    """m, o, the label's logit, dh; over the batch's axis, dB and the loss. No gather, and no logits."""
    mesh, _, _ = case
    _, used = found("loss", case)
    examples = EXAMPLES // mesh[0]
    assert {kind for kind, _ in used} == {"all-reduce"}
    shapes = sorted(shape for _, shapes in used for shape in shapes)
    crossing = [f"f32[{examples}]"] * 3 + [f"f32[{examples},{HIDDEN}]"]
    assert shapes == sorted([*crossing, f"f32[{CLASSES // mesh[1]},{HIDDEN}]", "f32[]"])


def test_classes_that_do_not_divide_by_the_axis_are_refused():
    mesh = jax.sharding.AbstractMesh((2,), ("model",))
    f = jax.shard_map(
        partial(linear_softmax_cross_entropy, class_axis="model"),
        mesh=mesh,
        in_specs=(P(), P("model"), P()),
        out_specs=P(),
    )
    shapes = [
        jax.ShapeDtypeStruct(shape, dtype)
        for shape, dtype in [((3, 2), "float32"), ((7, 2), "float32"), ((3,), "int32")]
    ]
    with pytest.raises(ValueError, match="not evenly divisible"):
        jax.eval_shape(f, *shapes)


@pytest.mark.slow
def test_two_processes():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    processes = [start(2, "tests.nn.sharding.processes", port, str(rank)) for rank in range(2)]
    for rank, process in enumerate(processes):
        assert f"process {rank}: equal" in finished(process)
