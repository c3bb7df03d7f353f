"""The hypothesis that a factor is the same everywhere, and what number that may be."""

from collections.abc import Iterator

import numpy as np

from manual_grads.checking.diagnosis.evidence import Evidence
from manual_grads.checking.report import Hypothesis

SAME_FACTOR = 1e-4  # relative: a factor so close to a named number is that number
ONE = 1e-6  # a factor so close to 1 is no explanation


def constant_factor(e: Evidence) -> Iterator[Hypothesis]:
    """The sign, or a factor that is the same everywhere."""
    large = e.decided & np.isfinite(e.got) & (np.abs(e.want) > 1e3 * e.allowance) & (e.want != 0)
    if not large.any():
        return
    factor = float(np.median(e.got[large] / e.want[large]))
    if factor == 0:
        if not e.got[large].any():
            yield Hypothesis("zero", "the result is zero where it should not be")
        return
    named = _named(factor, e)
    exact = named[1] if named else factor
    if abs(exact - 1) < ONE or not e.explains(e.got / exact, max(1.0, 1 / abs(exact))):
        return
    before, after = e.error(e.got), e.error(e.got / exact)
    evidence = f"multiplying by {1 / exact:.6g} brings the worst relative error from {before:.2g} to {after:.2g}"
    if exact == -1:
        yield Hypothesis("sign", f"the sign is flipped: {evidence}")
    else:
        # A number may be several constants, and none of those that are known here.
        perhaps = f", perhaps {named[0]}" if named and not named[0].removeprefix("-").isdecimal() else ""
        yield Hypothesis("constant factor", f"a constant factor {factor:.6g}{perhaps}: {evidence}")


def _named(factor: float, e: Evidence) -> tuple[str, float] | None:
    """The factor as 2, 1/N or the like."""
    sign, size = ("-" if factor < 0 else ""), abs(factor)
    known = {"1": 1.0, "2": 2.0, "1/2": 0.5, "4": 4.0, "1/4": 0.25, "π": np.pi, "1/π": 1 / np.pi, "2π": 2 * np.pi}
    known |= {"√2": 2**0.5, "1/√2": 0.5**0.5, "√(2π)": (2 * np.pi) ** 0.5, "ln 2": np.log(2), "1/ln 2": 1 / np.log(2)}
    for name, x in [*e.inputs, ("the result", e.want)]:
        where = f"args{name}" if name.startswith("[") else name
        for axis, n in enumerate(x.shape[1:]):
            if n > 1:
                meant = f"(N = {n}, axis {axis} of {where})"
                known |= {f"N {meant}": n, f"1/N {meant}": 1 / n, f"√N {meant}": n**0.5, f"1/√N {meant}": n**-0.5}
                known |= {f"N/(N−1) {meant}": n / (n - 1), f"(N−1)/N {meant}": (n - 1) / n}
        n = int(np.prod(x.shape[1:]))
        if x.ndim > 2 and n > 1:
            known |= {f"N (N = {n}, the size of {where})": n, f"1/N (N = {n}, the size of {where})": 1 / n}
    fits = [name for name, c in known.items() if abs(size - c) < SAME_FACTOR * c]
    if not fits:
        return None
    numbers = sorted((name for name in fits if "N" in name), key=lambda name: ("N−1" in name, "√" in name))
    names = [n for n in fits if "N" not in n] + numbers[:3]
    return sign + " = ".join(names), (-1 if sign else 1) * float(known[fits[0]])
