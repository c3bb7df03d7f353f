"""For which sizes each line is proved: for every one, where an argument is there; else for those that were tried."""

from typing import Any, NamedTuple

import numpy as np

from manual_grads.derivations import every_k
from manual_grads.derivations.every_size import Symbolic
from manual_grads.derivations.lines import Chain, random_draw


class Proof(NamedTuple):
    """What a line is proved for, and how. That it is at the sizes tried is for `verdicts` to say."""

    sizes: str  # "every K", "every size", or those tried; "all numbers" where there are none; "" if not proved
    by: str = ""  # "merging" (every_k), "sums" (every_size), "cases" (each size tried), or "symbols": there is no size


def proofs(chain: Chain) -> list[Proof]:
    """Of each line: for what it equals the line before, if it does at the sizes that are tried."""
    if not chain.sizes:
        return [Proof("all numbers", "symbols") for _ in chain.lines]
    symbolic = Symbolic.of(chain)
    every = "every K" if chain.sizes == ("K",) else "every size"
    values = [symbolic.values(line) for line in chain.lines]
    merges = [every_k.merges(symbolic, value) for value in values]
    base = every_k.base_holds(chain) if any(merges) else [False] * len(values)
    found = []
    for i, value in enumerate(values):
        before = max(i - 1, 0)
        if merges[before] and merges[i] and base[i]:
            found.append(Proof(every, "merging"))
        elif symbolic.proved(values[before], value):
            found.append(Proof(every, "sums"))
        else:
            found.append(Proof(sizes_tried(chain), "cases"))
    return found


def sizes_tried(chain: Chain) -> str:
    """The sizes that a chain's lines are computed at, one by one: "K = 2, 3, 4"."""
    cases = list(chain.cases(random_draw(0, np.asarray)))
    shapes: list[list[Any]] = [[arg.shape for arg in case if isinstance(arg, np.ndarray)] for case in cases]
    if chain.sizes == ("K",):
        return f"K = {', '.join(str(K) for K in sorted({shape[0] for case in shapes for shape in case if shape}))}"
    # The matrices, from the first layer's on: their columns, and the rows of the last.
    networks = dict.fromkeys(tuple(shape[::-1] for shape in case if len(shape) == 2) for case in shapes)
    sizes = " and ".join("×".join(map(str, [network[0][0], *(rows for _, rows in network)])) for network in networks)
    return f"networks of {sizes} ({' × '.join(name.replace('K', 'classes') for name in chain.sizes)})"
