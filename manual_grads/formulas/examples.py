"""Random arguments, from which the rules' examples are drawn: by NumPy, since JAX compiles anew for every shape."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from manual_grads.rules import Sizes


def generator(key: Array) -> np.random.Generator:
    """A NumPy generator seeded by a JAX key."""
    return np.random.default_rng(np.asarray(jax.random.key_data(key)))


def normal(random: np.random.Generator, dtype: jnp.dtype, *shape: int, scale: float = 2.0) -> Array:
    """Independent normal numbers; at scale 2 a softmax is neither flat nor saturated."""
    return jnp.asarray(random.normal(0, scale, shape), dtype)


def labels(random: np.random.Generator, dtype: jnp.dtype, sizes: Sizes) -> Array:
    """Class indices, or distributions whose sums differ from one (a derivation that assumes Σy = 1 must fail)."""
    if sizes.soft_labels:
        return jnp.asarray(random.uniform(0.1, 1, (*sizes.batch, sizes.classes)), dtype)
    return jnp.asarray(random.integers(sizes.classes, size=sizes.batch), jnp.int32)


def probabilities(random: np.random.Generator, dtype: jnp.dtype, sizes: Sizes) -> Array:
    """Probabilities that sum to one, none of them small."""
    weights = random.uniform(0.5, 1.5, (*sizes.batch, sizes.classes))
    return jnp.asarray(weights / weights.sum(-1, keepdims=True), dtype)
