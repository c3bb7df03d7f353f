"""What a caller asks of a check beside its claim: in which formats, at which points, and how exactly."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from manual_grads.checking.claim import Claim
from manual_grads.checking.trials.domains import laws
from manual_grads.checking.trials.points import Sampling

# ε of the formats that an accelerator rounds the operands of float32's products to.
PRODUCTS = {"tensorfloat32": 2.0**-10, "bfloat16": 2.0**-7}


REPAIR_SECONDS = 10.0  # most repairs are found in one or two


class Options(NamedTuple):
    """The options of `check_gradient` and `check_rule`, whose docstrings say what each means."""

    dtypes: Sequence[Any] | None = None
    thorough: bool = True
    trust_rules: bool = False
    domain: dict[str, Any] | None = None
    scales: Sequence[float] | None = None
    rtol: float = 0.0
    products: str | None = None
    seed: int = 0
    repair_seconds: float = REPAIR_SECONDS

    def refuse(self) -> None:
        """Raises a ValueError that names what can't be met."""
        if not 0 <= self.rtol < 1:
            raise ValueError(
                f"rtol is {self.rtol!r}, expected a part of the result's size: at least 0, and less than 1"
            )
        if self.products is not None and self.products not in PRODUCTS:
            raise ValueError(f"products is {self.products!r}, expected None or {' or '.join(map(repr, PRODUCTS))}")
        if not 0 <= self.repair_seconds < np.inf:
            raise ValueError(
                f"repair_seconds is {self.repair_seconds!r}, expected a number of seconds, or 0 to look for no repairs"
            )
        if self.scales is not None:
            scales = [float(scale) for scale in self.scales]
            if not scales or not all(0 < scale < np.inf for scale in scales):
                raise ValueError(f"scales is {self.scales!r}, expected positive numbers, such as (0.1, 1, 10)")

    @property
    def products_u(self) -> float:
        """Half of ε of the format that products may be of; 0 if they are to be of the trial's own."""
        return PRODUCTS[self.products] / 2 if self.products else 0.0

    @property
    def notes(self) -> list[str]:
        """What the caller allows beside rounding."""
        notes = [f"rtol={self.rtol:g}: so much is allowed beside rounding"] if self.rtol else []
        if self.products:
            notes.append(f"products={self.products!r}: what that rounding of products' operands does is allowed")
        return notes

    def sampling(self, claim: Claim, example: list[Any], draw: Callable[[Any], list[Any]] | None = None) -> Sampling:
        """How points are drawn; as the `domain` and the `scales` say, if they say anything."""
        scales = None if self.scales is None else tuple(float(scale) for scale in self.scales)
        return Sampling(draw, laws(self.domain or {}, claim.names, example), scales)

    def given(self, **others: Any) -> dict[str, Any]:
        """The options that aren't the defaults, and those `others` that are given: what a reproduction repeats."""
        changed = {name: value for name, value in self._asdict().items() if not _is_default(name, value)}
        return {name: value for name, value in others.items() if value is not None} | changed


def _is_default(name: str, value: Any) -> bool:
    """Whether a reproduction needn't say it: the seed it says anyway."""
    default = Options._field_defaults[name]
    return name == "seed" or value is default or (isinstance(value, bool | int | float) and value == default)
