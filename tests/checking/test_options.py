"""What a caller may ask of a check, and what is said of what can't be asked."""

import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking import check_gradient

ARGUMENTS = (lambda x: (x**2).sum(), lambda x: 2 * x, (np.array([0.3, -1.2], np.float32),))


@pytest.mark.smoke
def test_rtol_is_named_in_the_report():
    assert any("rtol=0.001" in note for note in check_gradient(*ARGUMENTS, thorough=False, rtol=1e-3).notes)
    assert not check_gradient(*ARGUMENTS, thorough=False).notes


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rtol": -1}, "rtol is -1, expected a part of the result's size"),
        ({"rtol": 1.0}, "rtol is 1.0, expected"),
        ({"scales": []}, r"scales is \[\], expected positive numbers"),
        ({"scales": [0, 1]}, r"scales is \[0, 1\], expected positive numbers"),
        ({"products": "float16"}, "products is 'float16', expected None or 'tensorfloat32' or 'bfloat16'"),
    ],
)
def test_options_that_can_not_be(options, said):
    with pytest.raises(ValueError, match=said):
        check_gradient(*ARGUMENTS, **options)


def test_only_the_scales_that_are_asked_for_are_tried():
    seen = []

    def manual(x):
        seen.append(x) if isinstance(x, np.ndarray) else None
        return 2 * np.asarray(x)

    check_gradient(ARGUMENTS[0], manual, ARGUMENTS[2], thorough=False, scales=[0.1, 2], dtypes="float32")
    sizes = np.abs(np.stack(seen)).max(1)
    assert sizes.max() < 10
    assert sizes.min() > 0


@pytest.mark.slow
def test_which_way_a_forward_was_differentiated_is_said():
    report = check_gradient(lambda x: np.sum(np.tanh(x)), lambda x: 1 - jnp.tanh(x) ** 2, ARGUMENTS[2], thorough=False)
    assert any("written in NumPy" in note for note in report.notes)


@pytest.mark.slow
def test_callbacks_leave_the_setting_of_64_bits_as_it_was():
    check_gradient(lambda x: np.sum(np.tanh(x)), lambda x: 1 - jnp.tanh(x) ** 2, ARGUMENTS[2], thorough=False)
    assert jnp.asarray(1.0).dtype == np.float32
