"""PyTorch's own loss and gradients for the options that it has, where it is installed: it isn't asked for here."""

import jax
import numpy as np
import pytest

from manual_grads.nn import linear_softmax_cross_entropy
from tests.nn.linear_cross_entropy.truth import problem

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23)
# Float64 both: sums of some hundred terms, none of them beyond some hundred.
CLOSE = 1e-11
MORE = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 12)]


def drawn(seed, smooths_or_weighs=True):
    """A problem and options that torch has, at random; of smoothing and class weights one alone, or both."""
    random = np.random.default_rng(seed)
    N, H, K = (int(size) for size in random.choice(PRIMES, 3))
    h, B, y = problem(N, H, K, "float64", seed=seed)
    y = np.where((np.arange(N) > 0) & (random.random(N) < 0.3), -100, y)
    weighs, smooths = random.permutation([True, False]) if smooths_or_weighs else (True, True)
    options = {
        "class_weights": random.uniform(0.1, 2, K) if weighs else None,
        "label_smoothing": random.uniform(0.1, 0.9) if smooths else 0.0,
        "reduction": random.choice(["mean", "sum", "none"]),
    }
    return (h, B, random.normal(size=K)), y, options


def torch_s(torch, layer, y, class_weights, label_smoothing, reduction):
    """Its loss, and the gradients of the sum of it."""
    h, B, bias = (torch.tensor(x, requires_grad=True) for x in layer)
    loss = torch.nn.functional.cross_entropy(
        h @ B.T + bias,
        torch.tensor(y),
        weight=None if class_weights is None else torch.tensor(class_weights),
        ignore_index=-100,
        label_smoothing=label_smoothing,
        reduction=str(reduction),
    )
    return loss.detach().numpy(), torch.autograd.grad(loss.sum(), (h, B, bias))


def ours(layer, y, **options):
    """The same of ours, in two tiles and more."""

    def total(h, B, bias):
        loss = linear_softmax_cross_entropy(h, B, y, bias=bias, ignore_index=-100, block_classes=3, **options)
        return loss.sum(), loss

    with jax.enable_x64(True):
        gradients, loss = jax.jit(jax.grad(total, (0, 1, 2), has_aux=True))(*layer)
        return np.asarray(loss), gradients


@pytest.mark.parametrize("seed", [pytest.param(0, marks=pytest.mark.smoke), *MORE])
def test_its_results_with_bias_ignored_labels_and_either_smoothing_or_class_weights(seed):
    torch = pytest.importorskip("torch")
    layer, y, options = drawn(seed)
    (loss, gradients), (want, wanted) = ours(layer, y, **options), torch_s(torch, layer, y, **options)
    np.testing.assert_allclose(loss, want, rtol=CLOSE, atol=CLOSE)
    for mine, true in zip(gradients, wanted, strict=True):
        np.testing.assert_allclose(mine, true.numpy(), rtol=CLOSE, atol=CLOSE)


@pytest.mark.parametrize("seed", [0, *MORE[:3]])
def test_with_both_it_weighs_each_class_s_share_of_a_label_where_ours_weighs_the_label_s(seed):
    """As the option's documentation says: Σ_k w_k y'_k (−ln g_k) there, w_y Σ_k y'_k (−ln g_k) here."""
    torch = pytest.importorskip("torch")
    layer, y, options = drawn(seed, smooths_or_weighs=False)
    options["reduction"] = "none"
    (loss, _), (theirs, _) = ours(layer, y, **options), torch_s(torch, layer, y, **options)
    (h, B, bias), w, smoothing = layer, options["class_weights"], options["label_smoothing"]
    s = h @ B.T + bias
    log_g = s - np.log(np.exp(s).sum(1, keepdims=True))
    target = (1 - smoothing) * (np.arange(len(B)) == y[:, None]) + smoothing / len(B)
    kept = y >= 0
    np.testing.assert_allclose(theirs, np.where(kept, -(w * target * log_g).sum(1), 0), rtol=CLOSE, atol=CLOSE)
    np.testing.assert_allclose(loss, np.where(kept, -w[y * kept] * (target * log_g).sum(1), 0), rtol=CLOSE, atol=CLOSE)
