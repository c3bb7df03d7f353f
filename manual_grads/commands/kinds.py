"""The kinds of argument that several commands take, as argparse wants them: what can't be one is bad usage."""

from argparse import ArgumentTypeError
from pathlib import Path

SEEDS = 2**32  # JAX keeps this many of a seed apart, where it computes in 32 bits; so every seed is another draw


def seed(text: str) -> int:
    """A seed of random numbers."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number < SEEDS:
        raise ArgumentTypeError(f"{text[:40]} is no seed; expected an integer from 0 to {SEEDS - 1}")
    return number


def positive(text: str) -> int:
    """A positive integer."""
    number = int(text)
    if number < 1:
        raise ArgumentTypeError(f"{number} is not positive")
    return number


def path(text: str) -> Path:
    """A file's or a folder's name."""
    if not text.strip():
        raise ArgumentTypeError(f"{text!r} names nothing; expected the name of a file or folder")
    return Path(text)
