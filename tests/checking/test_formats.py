"""The formats that a check is made in."""

import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads.checking.formats import formats_of, own_eps

LABELS = np.array([1, 0])


def of(dtype):
    return [np.ones(2, dtype), LABELS.astype(np.int32)]


@pytest.mark.parametrize(
    ("own", "asked", "names"),
    [
        ("float32", None, ["float32", "float64"]),
        (jnp.bfloat16, None, ["bfloat16", "float64"]),
        ("float32", "float16", ["float16"]),
        ("float32", [jnp.bfloat16, np.float32], ["bfloat16", "float32"]),
    ],
)
def test_the_example_s_own_and_float64_or_what_is_asked_for(own, asked, names):
    formats = formats_of(of(own), asked)
    assert [fmt.name for fmt in formats] == names
    assert [[str(np.dtype(d)) for d in fmt.dtypes] for fmt in formats] == [[name, "int32"] for name in names]


@pytest.mark.smoke
def test_of_several_own_formats_the_widest_gives_the_name_and_the_digits():
    example = [np.ones(2, np.float32), np.ones(2, jnp.bfloat16)]
    assert formats_of(example, None)[0].name == "float32"
    assert [str(np.dtype(d)) for d in formats_of(example, None)[0].dtypes] == ["float32", "bfloat16"]
    assert own_eps(example) == 2.0**-23
    assert own_eps(of(jnp.bfloat16)) == 2.0**-7


def test_arrays_are_cast_to_a_format_each_to_its_own():
    fmt = formats_of(of("float32"), ["float16"])[0]
    assert [str(x.dtype) for x in fmt.cast(of("float32"))] == ["float16", "int32"]
