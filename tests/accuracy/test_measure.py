"""What is measured of every rule."""

import pytest

from manual_grads.accuracy import measure
from manual_grads.rules import RULES


@pytest.mark.smoke
def test_every_size_is_tried_if_exhaustive():
    rule = RULES["softmax_cross_entropy"]
    shapes = [cases.args[0].shape[1] for cases in measure.groups_of(rule, "float16", 0, exhaustive=True)]
    assert set(shapes) == {1, 2, 3, 10, 200, 10_000, 100_000}
    assert len(shapes) == 2 * 7  # indices and distributions
    assert len(list(measure.groups_of(rule, "float16", 0, exhaustive=False))) == 1
