"""What the large-class loss and its gradients take beside their arguments and results, and of what products."""

from functools import partial

import jax
import jax.numpy as jnp
import optax
import pytest

from manual_grads.nn import linear_softmax_cross_entropy
from manual_grads.nn.linear_cross_entropy.platforms import Tiling, cpu_tiling
from tests.nn.linear_cross_entropy.truth import problem


def dense_loss(h, B, y):
    return optax.softmax_cross_entropy_with_integer_labels(h @ B.T, y).mean()


def temporaries(f, sizes, argnums=(0, 1), dtype=jnp.float32):
    examples, hidden, classes = sizes
    shapes = [(examples, hidden), (classes, hidden)]
    h, B = (jax.ShapeDtypeStruct(shape, dtype) for shape in shapes)
    y = jax.ShapeDtypeStruct((examples,), jnp.int32)
    analysis = jax.jit(jax.value_and_grad(f, argnums)).lower(h, B, y).compile().memory_analysis()
    assert analysis
    return analysis.temp_size_in_bytes


@pytest.mark.parametrize(("sizes", "share"), [((1024, 512, 8192), 2.5), ((512, 512, 131072), 64)], ids=str)
def test_temporaries_are_a_fraction_of_dense_autodiff_s(sizes, share):
    """Which shows too that the memory of dB is written in place: a copy would be a quarter, and a half."""
    autodiff = temporaries(dense_loss, sizes)
    assert temporaries(linear_softmax_cross_entropy, sizes) <= autodiff / share


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_of_16_bits_nothing_but_dB_is_kept_in_float32(dtype):
    """Which is 32 MiB, written in place; XLA would convert all of dB for each tile.

    Before JAX 0.12 it does convert all of bfloat16 weights, once: it has no slices of them. (Slices of their bits have
    no derivative, and a `custom_jvp` that says so is forgotten by those versions where second derivatives are taken.)
    """
    weights = 32 if dtype == "bfloat16" and jax.__version_info__ < (0, 12) else 0
    assert temporaries(linear_softmax_cross_entropy, (1024, 256, 32768), dtype=dtype) < (32 + weights + 8) * 2**20


def test_blocks_of_examples_keep_no_copies_of_the_weights():
    """Twice dB, which is added up: 16 MiB each. All tiles of the weights, and their transposes, would be as much."""
    in_blocks = partial(linear_softmax_cross_entropy, block_rows=200, block_classes=700)
    assert temporaries(in_blocks, (1024, 512, 8192)) < 3 * 16 * 2**20


@pytest.mark.parametrize(("examples", "classes"), [(0, 2**18), (1, 2**18), (1024, 256), (4096, 64), (100_000, 64)])
def test_a_tile_has_as_many_logits_as_a_core_s_cache_holds_but_64_classes(examples, classes):
    assert cpu_tiling(examples) == Tiling(max(examples, 1), classes, keeps_logits=True)


def test_frozen_weights_cost_no_memory_of_their_size():
    autodiff, tiled = (
        temporaries(f, (1024, 256, 32768), argnums=0) for f in (dense_loss, linear_softmax_cross_entropy)
    )
    assert tiled <= autodiff / 32


@pytest.mark.smoke
def test_an_undifferentiated_call_computes_the_loss_alone():
    h, B, y = problem(64, 16, 1000)
    text = str(jax.jit(partial(linear_softmax_cross_entropy, block_classes=100)).lower(h, B, y).compile().as_text())
    assert "f32[1000,16]" in text  # the weights
    assert "f32[16,64]" not in text  # dhᵀ


def test_every_product_is_of_full_precision():
    """A GPU's or TPU's default isn't; on a CPU it makes no difference that a value could show."""
    h, B, y = problem(13, 3, 29)
    f = jax.value_and_grad(partial(linear_softmax_cross_entropy, block_classes=7), (0, 1))
    text = jax.jit(f).lower(h, B, y).as_text()
    assert text.count("dot_general") == text.count("precision = [HIGHEST, HIGHEST]") > 3


@pytest.mark.parametrize(("hidden", "products"), [(13, 6), (7, 6), (3, 8)])
def test_logits_are_computed_again_only_where_they_would_take_more_memory_than_dB(hidden, products):
    """Of 13 examples. Three products for the scanned tiles and three for the rest: logits, dB, dh; or four."""
    h, B, y = problem(13, hidden, 29)
    f = jax.value_and_grad(partial(linear_softmax_cross_entropy, block_classes=10), (0, 1))
    assert jax.jit(f).lower(h, B, y).as_text().count("dot_general") == products
