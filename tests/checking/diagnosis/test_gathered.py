"""The evidence: of fewer points, where there are very many entries."""

import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking import GradientMismatch, check_gradient
from manual_grads.checking.diagnosis import gathered

X = np.random.default_rng(0).normal(size=6).astype(np.float32)


def wrong_in_the_tails(x):
    return jnp.where(jnp.abs(x) > 8, 0, 2 * x)


def rejected(manual):
    with pytest.raises(GradientMismatch) as error:
        check_gradient(lambda x: (x**2).sum(), manual, (X,), thorough=False)
    return error.value


@pytest.mark.smoke
@pytest.mark.parametrize(("manual", "name"), [(lambda x: 2.5 * x, "constant factor"), (wrong_in_the_tails, "tails")])
def test_of_many_entries_fewer_points_say_the_same(manual, name, monkeypatch):
    of_all = rejected(manual)
    assert of_all.diagnosis[0].name == name
    assert not any("diagnosis: by" in note for note in of_all.report.notes)
    monkeypatch.setattr(gathered, "MAX_ENTRIES", 12 * 12)  # at most twelve points, of six entries in and out
    of_some = rejected(manual)
    assert of_some.diagnosis[0].name == name
    assert any("diagnosis: by" in note for note in of_some.report.notes)
