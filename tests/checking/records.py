"""Records for a test that looks at one step: every field has a value, and those that matter are given by keywords."""

import jax
import numpy as np

from manual_grads.checking.claim import Claim
from manual_grads.checking.compiling import Compiled
from manual_grads.checking.formats import TrialFormat
from manual_grads.checking.trials.calls import Call
from manual_grads.checking.trials.trial import Trial
from manual_grads.checking.truth.compiled import CompiledOracles
from manual_grads.checking.truth.expected import Expected, ExpectedLeaf
from manual_grads.checking.truth.spread import patterns_of_noise
from manual_grads.rules import vjp

U = 2.0**-24  # half of float32's ε


def claim_of(manual, arrays=1, **fields) -> Claim:
    """`manual == vjp(forward)` of so many arguments, all differentiated; nothing is traced for it."""
    given = {
        "forward": lambda *xs: sum((x**2).sum() for x in xs),
        "manual": manual,
        "by": vjp,
        "structure": jax.tree.structure((0,) * arrays),
        "held": (None,) * arrays,
        "names": tuple(f"[{i}]" for i in range(arrays)),
        "owners": tuple(range(arrays)),
        "arity": arrays,
        "differentiated": (True,) * arrays,
    }
    return Claim(**(given | fields))


def oracles_of(derivative, **fields) -> CompiledOracles:
    """Oracles that are plain functions: the claimed `derivative`, which noise doesn't move unless told."""
    given = {
        "claimed": lambda u, noise, *x: np.stack([derivative(*x)] * len(noise), 1),
        "manual": lambda u, noise, *x: np.stack([derivative(*x)] * len(noise), 1),
        "value": lambda *x: (x[0] ** 2).reshape(len(x[0]), -1).sum(1),
        "claimed_mode": "reverse",
        "modes": {},
        "resteps": None,
        "measured": None,
        "stepped": None,
        "in_doubt_alone": False,
        "directed": None,
        "rules": [],
        "without_rules": None,
        "value_by_rules": None,
        "confirming": None,
        "own_rules": False,
        "safety": 8.0,
        "unmeasured": 0.0,
        "example_eps": 2.0**-23,
        "forward_eps": 0.0,
        "format_name": "float64",
        "patterns": patterns_of_noise(),
        "products_u": 0.0,
        "gradients": (),
        "moved": None,
        "notes": [],
    }
    made = given | fields
    made["modes"] = {name: Compiled(f, "float64") for name, f in made["modes"].items()}
    for name in ("claimed", "manual", "value", "stepped", "directed"):
        if made[name] is not None:
            made[name] = Compiled(made[name], "float64")
    return CompiledOracles(**made)


def leaf_of(want, **fields) -> ExpectedLeaf:
    """What a leaf should be, to 1e-6, everywhere."""
    want = np.asarray(want, float)
    given = {
        "want": want,
        "allowance": np.full(want.shape, 1e-6),
        "decided": np.ones(want.shape, bool),
        "also": np.full(want.shape, np.nan),
        "known_to_ulp": np.ones(want.shape, bool),
        "size": 1.0,
        "low": want,
        "high": want,
        "sums": [],
        "by_oracle": {"reverse": want},
    }
    return ExpectedLeaf(**(given | fields))


def expected_of(*leaves, **fields) -> Expected:
    """What results should be, at points that are all inside, where the forward is 1."""
    points = len(leaves[0].want)
    given = {"leaves": list(leaves), "value": [np.ones(points)], "inside": np.ones(points, bool), "notes": []}
    return Expected(**(given | fields))


def trial_of(arrays, calls=(), name="float64", **fields) -> Trial:
    """A trial at points that are all usual."""
    points = len(arrays[0])
    dtypes = [np.dtype(name) if x.dtype.kind == "f" else x.dtype for x in arrays]
    given = {
        "format": TrialFormat(name, dtypes),
        "names": [f"point {i}" for i in range(points)],
        "arrays": list(arrays),
        "usual": np.ones(points, bool),
        "guessed": np.zeros(points, bool),
        "calls": list(calls),
    }
    return Trial(**(given | fields))


def call_of(function, points, check="jit of vmap", arrays=1) -> Call:
    """A call of all its arguments' points at once."""
    return Call(check, "call", function, np.arange(points), (True,) * arrays)
