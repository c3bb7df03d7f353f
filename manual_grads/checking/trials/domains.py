"""Domains that a caller gives for arguments, and how arrays are drawn from them."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

# A law is drawn at one of these scales, so that both what is close to the domain's edge and what is far is tried.
SCALES = (0.01, 0.3, 1.0, 1.0, 3.0, 10.0)
NAMED = ("positive", "probabilities", "symmetric", "positive definite")

Law = Callable[[np.random.Generator], np.ndarray]


def laws(domain: dict[str, Any], names: tuple[str, ...], example: list[Any]) -> list[Law | None]:
    """For each array, how it is drawn; None, where the caller says nothing of it.

    Raises:
        ValueError: if a key is no argument, or no array of that shape can be in its domain.
    """
    keys = {key.removeprefix("args"): given for key, given in domain.items()}
    if unknown := keys.keys() - set(names):
        raise ValueError(
            f"domain has {', '.join(map(repr, sorted(unknown)))}, expected some of {', '.join(map(repr, names))}"
        )
    return [
        _law(name, keys[name], np.asarray(x)) if name in keys else None for name, x in zip(names, example, strict=True)
    ]


def bounds_of(domain: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """The least and the largest number of those arguments whose domain has such."""
    bounds = {key.removeprefix("args"): _bounds(given) for key, given in domain.items()}
    return {name: pair for name, pair in bounds.items() if pair is not None}


def _bounds(given: Any) -> tuple[float, float] | None:
    if isinstance(given, str):
        return (0.0, np.inf) if given == "positive" else None
    return given if isinstance(given, tuple) and len(given) == 2 else None


def _law(name: str, given: Any, x: np.ndarray) -> Law:
    """How one array is drawn."""
    if callable(given):
        return lambda random: _as_drawn(name, given(jax.random.key(int(random.integers(2**31)))), x)
    if isinstance(given, tuple) and len(given) == 2:
        return _between(name, *given, x.shape)
    if given not in NAMED:
        raise ValueError(
            f"domain[{name!r}] is {given!r}, expected one of {', '.join(map(repr, NAMED))}, a pair (low, high), or a "
            "callable key -> array"
        )
    if given == "positive":
        return lambda random: _scale(random) * np.abs(random.normal(size=x.shape)) + np.finfo(np.float32).tiny
    if given == "probabilities":
        return lambda random: _softmax(_scale(random) * random.normal(size=x.shape))
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"domain[{name!r}] is {given!r}, but args{name} has shape {x.shape}: expected square matrices")
    if given == "symmetric":
        return lambda random: _scale(random) * _symmetric(random.normal(size=x.shape))
    return lambda random: _scale(random) * _positive_definite(random.normal(size=x.shape))


def _scale(random: np.random.Generator) -> float:
    return float(random.choice(SCALES))


def _as_drawn(name: str, drawn: Any, x: np.ndarray) -> np.ndarray:
    drawn = np.asarray(drawn)
    if drawn.shape != x.shape:
        raise ValueError(f"domain[{name!r}] drew an array of shape {drawn.shape}, expected the example's {x.shape}")
    return drawn


def _between(name: str, low: Any, high: Any, shape: tuple[int, ...]) -> Law:
    """Numbers between two others; of larger scales they are close to these."""
    if not low < high:
        raise ValueError(f"domain[{name!r}] is ({low!r}, {high!r}), expected (low, high) with low < high")

    def law(random: np.random.Generator) -> np.ndarray:
        part = 1 / (1 + np.exp(-_scale(random) * random.normal(size=shape)))
        return np.clip(
            low + (high - low) * part, np.nextafter(np.float32(low), high), np.nextafter(np.float32(high), low)
        )

    return law


def _softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(-1, keepdims=True)) if z.ndim else 1 / (1 + np.exp(-z))
    return e / e.sum(-1, keepdims=True) if z.ndim else e


def _symmetric(z: np.ndarray) -> np.ndarray:
    return (z + np.swapaxes(z, -1, -2)) / 2


def _positive_definite(z: np.ndarray) -> np.ndarray:
    n = z.shape[-1]
    return z @ np.swapaxes(z, -1, -2) / n + 0.1 * np.eye(n)
