import time

import jax
import numpy as np
import pytest

from benchmarks.measure import Plan, checked, inputs, measure
from benchmarks.programs import reference
from benchmarks.workload import Workload, in_format
from benchmarks.workloads import SUITES
from benchmarks.workloads.cross_entropy import cross_entropy_grad, cross_entropy_hvp, cross_entropy_loss
from benchmarks.workloads.drop_ins import drop_in, loss_and_gradient
from benchmarks.workloads.elementwise import sigmoid_grad
from benchmarks.workloads.large_class import linear_cross_entropy
from benchmarks.workloads.network import digits, per_example, whole_batch
from benchmarks.workloads.softmax import softmax_jacobian, softmax_jvp, softmax_vjp

SMALL = [
    sigmoid_grad(1000),
    softmax_vjp(7, 50, "peaked"),
    cross_entropy_grad(7, 50, "distribution"),
    drop_in("log-softmax", 7, 50),
]
MORE = [
    softmax_jacobian(5, 6),
    per_example(7, 6, 5, 4),
    softmax_jvp(70, 100, "one above 64"),
    softmax_jacobian(20),
    cross_entropy_grad(7, 50, inputs="peaked"),
    loss_and_gradient(7, 50, "distribution"),
    in_format(cross_entropy_grad(7, 50), "bfloat16"),
    cross_entropy_hvp(7, 50),
    cross_entropy_loss(7, 50),
    drop_in("softmax", 7, 50, gradient=True),
    drop_in("sigmoid", 70, gradient=True),
    whole_batch(7, 6, 5, 4),
    digits(),
    linear_cross_entropy(128, 8, 300),
]


@pytest.mark.parametrize(
    "workload", [*SMALL, *(pytest.param(w, marks=pytest.mark.slow) for w in MORE)], ids=lambda w: w.name
)
def test_all_jax_contenders_compute_the_same(workload: Workload) -> None:
    args = inputs(workload, 0)[0]
    assert workload.reference is not None
    want = reference(workload.reference, args)
    for contender in workload.contenders:
        if contender.kind != "peer":
            found, _, _, _ = checked(contender, args, want, workload.tolerance, time.perf_counter)
            assert found["status"] == "timed", found


@pytest.mark.smoke
@pytest.mark.parametrize(
    "workload", [SMALL[1], pytest.param(per_example(7, 6, 5, 4), marks=pytest.mark.slow)], ids=lambda w: w.name
)
def test_a_lost_sign_is_seen_at_the_real_tolerance(workload: Workload) -> None:
    hand = workload.contenders[0]
    planted = hand._replace(function=lambda *args: jax.tree.map(lambda x: -x, hand.function(*args)))
    row = measure(workload._replace(contenders=(hand, planted)), Plan(budget=0))
    assert [c["status"] for c in row["contenders"]] == ["timed", "wrong"]


@pytest.mark.parametrize("suite", SUITES)
def test_names_differ_and_tolerances_are_small(suite: str) -> None:
    workloads = SUITES[suite]()
    assert len({w.name for w in workloads}) == len(workloads)
    for w in workloads:
        assert 1e-7 < w.tolerance < 1e-2, w.name
        assert [c.kind for c in w.contenders].index("hand") == 0
        assert any(c.kind == "autodiff" for c in w.contenders)


def test_peaked_inputs_are_peaked_and_their_labels_likely() -> None:
    s, labels = cross_entropy_grad(50, 20, inputs="peaked").draw(np.random.default_rng(0))
    others = np.sort(s, axis=-1)
    assert ((others[:, -1] - others[:, -2]) > 10)[::2].all()
    assert (labels == s.argmax(-1)).all()
