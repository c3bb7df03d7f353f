"""How an accelerator's tiles are cut, that its program has them, and that they give the true gradients."""

from collections import Counter
from functools import partial

import jax
import numpy as np
import pytest

from benchmarks.arithmetic import buffers, kernels, loss_and_gradients
from manual_grads.nn import linear_softmax_cross_entropy
from manual_grads.nn.linear_cross_entropy import platforms
from manual_grads.nn.linear_cross_entropy.platforms import Tiling, accelerator_tiling
from tests.nn.linear_cross_entropy.lowered import products
from tests.nn.linear_cross_entropy.truth import check, problem, truth
from tests.quick import quick_jit


@pytest.mark.smoke
@pytest.mark.parametrize("examples", [0, 1, 7, 1000, 4096, 8192, 8193, 32768, 10**6])
def test_an_accelerator_s_tile_has_some_2_26_logits(examples):
    rows, classes, keeps_logits = accelerator_tiling(examples)
    assert not keeps_logits
    assert rows == min(max(examples, 1), 8192)
    assert classes % 128 == 0
    assert 2**26 - 128 * rows < rows * classes <= 2**26


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_it_is_what_the_program_for_an_accelerator_has(platform):
    """Four blocks of 8192 examples; tiles of 8192 classes, and one of the 5376 that are left over."""
    module = loss_and_gradients(32768, 16, 128256, "bfloat16", platform)
    logits = [product.shape for product in products(str(module)) if product.shape[-1] == 8192 and product.shape[0] > 16]
    assert sorted(logits) == [(5376, 8192)] * 2 + [(8192, 8192)] * 2
    launches = Counter(kernel.launches for kernel in kernels(module) if kernel.kind == "product")
    assert launches == {4 * 15: 4, 4: 4}


def test_nothing_of_the_weights_is_kept_for_all_blocks():
    """Tiles of B are the same for each block of examples: outside the loop they would be copies of all of it."""
    assert buffers(loss_and_gradients(32768, 2560, 128256, "bfloat16", "cuda")) < 2 * 2**30


@pytest.fixture
def as_on_an_accelerator(monkeypatch):
    """The logits aren't kept, and dB is added up in place: what an accelerator does, here, with a small tile."""
    monkeypatch.setattr(platforms, "cpu_tiling", lambda examples: Tiling(5, 8, keeps_logits=False))


@pytest.mark.parametrize("reduction", ["sum", "none"])
@pytest.mark.parametrize("sizes", [(13, 3, 29), (5, 3, 29), (4, 3, 16), (13, 3, 8), (13, 7, 5)], ids=str)
def test_an_accelerator_s_way_gives_the_true_gradients(sizes, reduction, as_on_an_accelerator):
    h, B, y = problem(*sizes)
    N, _, K = sizes
    bias, w = np.linspace(-1, 1, K).astype(np.float32), np.linspace(0.5, 2, K).astype(np.float32)
    options = {"label_smoothing": 0.1, "z_loss": 0.1, "soft_cap": 4.0}
    want = truth(h, B, y, np.ones(N), bias=bias, logit_scale=0.5, weights=w, **options)
    loss = partial(linear_softmax_cross_entropy, class_weights=w, reduction=reduction, **options)

    def total(h, B, bias, scale):
        return loss(h, B, y, bias=bias, logit_scale=scale).sum()

    gradients = quick_jit(jax.grad(total, (0, 1, 2, 3)))(h, B, bias, np.float32(0.5))
    check((want[0].loss, *gradients), *want, 2.0**-24)
