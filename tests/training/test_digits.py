"""Training on the digits: its batches, and that by hand is by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

import manual_grads as mg
from manual_grads.training import digits


@pytest.mark.smoke
def test_batches_are_the_digits_each_once_an_epoch_and_none_held_out():
    data = digits.digits()
    assert len(data.labels) + len(data.held_out_labels) == 1797
    seen = np.concatenate([x for x, _ in digits.batches(data, 1, 0)])
    rows = {row.tobytes() for row in data.images}
    assert len(seen) == len(data.labels) // digits.BATCH * digits.BATCH
    assert len({row.tobytes() for row in seen}) == len(seen) <= len(rows)
    assert not rows & {row.tobytes() for row in data.held_out_images}


def test_by_hand_uses_no_autodiff(monkeypatch):
    for name in ("grad", "value_and_grad", "vjp", "jvp", "linearize"):
        monkeypatch.setattr(f"jax.{name}", None)
    data = digits.digits()
    weights = digits.start(0, 65, 10)
    x, labels = jnp.asarray(data.images[:8]), jnp.asarray(data.labels[:8])
    loss, gradients = digits.by_hand(weights, x, labels)
    assert float(loss) == float(mg.two_layer_loss(x, **weights, labels=labels).mean())
    assert {name: array.shape for name, array in gradients.items()} == {"A": (64, 65), "B": (10, 64)}
