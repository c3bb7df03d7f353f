"""What the loss of a linear layer is made of, and how it is computed: the records that every pass is given."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from manual_grads.formulas.inputs import widened
from manual_grads.nn.linear_cross_entropy.products import Products

Hidden = Float[Array, "examples hidden"]
Weights = Float[Array, "classes hidden"]
PerExample = Float[Array, "examples"]
Indices = Int[Array, "examples"]


class Layer(NamedTuple):
    r"""The layer $s = \alpha B h + b$: what the loss is differentiated by. Gradients are such a record, too."""

    h: Hidden
    B: Weights
    bias: Float[Array, "classes"] | None = None
    scale: Float[Array, ""] | None = None  # α

    @property
    def dtype(self) -> Any:
        """The dtype to compute in."""
        return widened(jnp.promote_types(self.h.dtype, self.B.dtype))


class Shares(NamedTuple):
    """What each example's log-loss R and its ln Z count in what is differentiated; None if ln Z doesn't."""

    of_loss: PerExample
    of_normalizer: PerExample | None = None


class Statistics(NamedTuple):
    """What the first pass finds of each example, the label's R not yet smoothed."""

    loss: PerExample
    log_z: PerExample
    spread: PerExample | None = None  # Σ_k (s_y − s_k), for label smoothing
    prediction: Indices | None = None  # the class of the largest logit


class Settings(NamedTuple):
    """What doesn't depend on values."""

    products: Products
    block_rows: int | None = None
    block_classes: int | None = None
    axis: Any = None  # the mesh axis that the classes are split over
    soft_cap: float | None = None
    label_smoothing: float = 0.0
    z_loss: float = 0.0
    has_aux: bool = False
