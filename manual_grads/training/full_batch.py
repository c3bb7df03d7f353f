"""The network's gradients on real data: a batch far larger than any example's."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.rules import Rule


class DigitsReport(NamedTuple):
    """The network's gradients for the whole data set, by hand, against `jax.grad` in float64."""

    examples: int
    deviations: dict[str, float]  # per dtype
    bounds: dict[str, float]
    failures: list[str]

    @property
    def passed(self) -> bool:
        """Whether every deviation is within its bound."""
        return not self.failures


def verify_on_digits(rule: Rule, seed: int = 0, hidden: int = 32) -> DigitsReport:
    """`two_layer_grads` on the UCI handwritten digits: 1,797 images of 8 × 8, 10 classes.

    A sum of n terms has an error of at most n·u times the sum of their absolute values (Higham, "Accuracy and Stability
    of Numerical Algorithms", section 3.1), and each term some 32 roundings of its own: that is the bound, relative to
    the largest entry of each gradient.
    """
    from sklearn.datasets import load_digits  # slow to import

    images, labels = load_digits(return_X_y=True)
    random = np.random.default_rng(seed)
    n, inputs = images.shape
    network = (images / 16, random.normal(0, inputs**-0.5, (hidden, inputs)), random.normal(0, 1, (10, hidden)))
    report = DigitsReport(n, {}, {}, [])
    by_autodiff = jax.jit(jax.vmap(rule.by(rule.forward), in_axes=(0, None, None, 0)))
    for dtype in ("float32", "float64"):
        with jax.enable_x64(True):
            rounded = [np.asarray(jnp.asarray(array, dtype), np.float64) for array in network]
            truth = jax.tree.map(np.asarray, by_autodiff(*rounded, labels))
            args = [array.astype(dtype) for array in rounded]
            got = jax.jit(rule.manual)(*args, labels)
        want = (truth[0], truth[1].sum(0), truth[2].sum(0))
        absolute = (np.abs(truth[0]), np.abs(truth[1]).sum(0), np.abs(truth[2]).sum(0))
        scale = max(float(a.max() / np.abs(w).max()) for a, w in zip(absolute, want, strict=True))
        report.deviations[dtype] = max(
            float(np.max(np.abs(np.asarray(g, np.float64) - w)) / np.max(np.abs(w)))
            for g, w in zip(got, want, strict=True)
        )
        report.bounds[dtype] = (n + 32) * float(jnp.finfo(dtype).eps) / 2 * scale
        try:
            chex.assert_trees_all_equal_shapes(got, want)
            chex.assert_scalar_in(report.deviations[dtype], 0.0, report.bounds[dtype])
        except AssertionError as error:
            report.failures.append(f"{rule.name} on the digits, {dtype}: {error}")
    return report
